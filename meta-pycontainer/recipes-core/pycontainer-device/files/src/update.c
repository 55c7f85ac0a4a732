// SPDX-License-Identifier: MIT
#include "update.h"
#include "change.h"
#include "conditions.h"
#include "console.h"
#include "jobs.h"
#include "supervisor.h"
#include "transaction.h"

#include <stdio.h>
#include <string.h>

static void answer(struct supervisor *s, const char *problem)
{
	struct update *u = &s->update;
	uint64_t ticket = u->ticket;
	struct error err;

	u->ticket = 0;
	if (ticket == 0 || u->answer == NULL)
		return;
	if (problem != NULL)
		fail(&err, "%s", problem);
	u->answer(u->context, ticket, problem == NULL ? NULL : &err);
}

const char *update_phase_name(const struct update *update)
{
	static const char *const names[] = {"starting", "unmanaged", "confirmed", "preparing", "trying",
					    "confirming", "rolling back", "rolling back", "restarting"};

	return names[update->phase];
}

static void begin_trial(struct update *u, const char *tried, const char *from, bool live, uint64_t now)
{
	u->phase = UPDATE_TRIAL;
	u->live = live;
	memcpy(u->tried, tried, sizeof u->tried);
	memcpy(u->from, from, sizeof u->from);
	u->began_ms = now;
	u->manual_confirmed = false;
	u->reason[0] = '\0';
	u->decision = (struct trial_decision){0};
	memset(u->held, 0, sizeof u->held);
}

static void take_record(struct update *u, const struct job_result *result)
{
	memcpy(u->record.rev, result->id, sizeof u->record.rev);
	memcpy(u->record.attempt, result->other, sizeof u->record.attempt);
	u->record.generation = (uint32_t)result->number[RESULT_GENERATION];
	u->record.left = (unsigned)result->number[RESULT_LEFT];
}

static void settled(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;
	const char *running = s->containers.now.revision->id;

	if (result->status < 0) {
		console_line("update: %s; nothing can be tried until the next start", result->text);
		u->phase = UPDATE_UNMANAGED;
		return;
	}
	if (result->text[0] != '\0')
		console_line("update: %s", result->text);
	if (!result->flags[RESULT_MANAGED]) {
		u->phase = UPDATE_UNMANAGED;
		return;
	}
	take_record(u, result);
	if (result->flags[RESULT_LEAVE]) {
		u->phase = UPDATE_LEAVING;
		supervisor_end(s, END_RESTART, "this revision failed its trial");
		return;
	}
	u->phase = UPDATE_IDLE;
	if (result->flags[RESULT_TRIAL]) {
		begin_trial(u, running, u->record.rev, false, s->started_ms);
		console_line("trial: revision %.12s, %u attempts left, confirmed is %.12s", running, u->record.left, u->from);
	}
}

void update_start(struct supervisor *s)
{
	struct error err;

	s->update.phase = UPDATE_SETTLING;
	if (job_start(&s->update.job, "boot record", jobs_settle, s, settled, s, &err) < 0) {
		console_line("update: %s", err.text);
		s->update.phase = UPDATE_UNMANAGED;
	}
}

// The way back: over a restart when that is how it came.
static void go_back(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	if (!u->live) {
		u->phase = UPDATE_LEAVING;
		supervisor_end(s, END_RESTART, "back to the confirmed revision");
		return;
	}
	if (!containers_settled(&s->containers)) {
		u->phase = UPDATE_RETURNING;
		return;
	}
	if (change_to(&s->containers, u->from, s->facts, &err) < 0) {
		console_line("rolled back: %s; restarting instead", err.text);
		u->phase = UPDATE_LEAVING;
		supervisor_end(s, END_RESTART, "the confirmed revision cannot be changed to");
		return;
	}
	s->ready = false;
	u->phase = UPDATE_IDLE;
	console_line("rolled back: to revision %.12s: %s", u->from, u->reason);
	answer(s, NULL);
}

static void aborted(void *context, const struct job_result *result)
{
	struct supervisor *s = context;

	// Without the note the boot loader still counts, and comes back by itself.
	if (result->status < 0)
		console_line("rolled back: %s", result->text);
	go_back(s);
}

static void give_up(struct supervisor *s, const char *reason)
{
	struct update *u = &s->update;
	struct error err;

	snprintf(u->reason, sizeof u->reason, "%s", reason);
	console_line("trial: revision %.12s FAILED: %s", u->tried, u->reason);
	// Who waits for it to be confirmed hears this.
	answer(s, u->reason);
	job_end(&u->conditions);
	u->phase = UPDATE_ABORTING;
	if (job_start(&u->job, "roll back", jobs_abort, s, aborted, s, &err) < 0) {
		console_line("rolled back: %s", err.text);
		go_back(s);
	}
}

static void committed(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;

	if (result->status < 0 && !result->flags[RESULT_DONE]) {
		give_up(s, result->text);
		return;
	}
	take_record(u, result);
	u->phase = UPDATE_IDLE;
	console_line("confirmed: revision %.12s", u->tried);
	if (result->text[0] != '\0')
		console_line("confirmed: but %s", result->text);
	answer(s, NULL);
}

static void commit(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	u->phase = UPDATE_COMMITTING;
	job_end(&u->conditions);
	if (job_start(&u->job, "confirm", jobs_commit, s, committed, s, &err) < 0)
		give_up(s, err.text);
}

static void switch_live(struct supervisor *s, const char *id)
{
	struct update *u = &s->update;
	struct error err;
	char from[HEX_SIZE];

	memcpy(from, s->containers.now.revision->id, sizeof from);
	begin_trial(u, id, from, true, clock_ms());
	if (change_to(&s->containers, id, s->facts, &err) == 0) {
		s->ready = false;
		console_line("trial: revision %.12s live, confirmed is %.12s", id, from);
		answer(s, NULL);
		return;
	}
	// Nothing was stopped: only the note that it is tried has to go.
	answer(s, err.text);
	snprintf(u->reason, sizeof u->reason, "%s", err.text);
	console_line("trial: revision %.12s FAILED: %s", id, err.text);
	u->phase = UPDATE_IDLE;
	if (job_start(&u->job, "roll back", jobs_abort, s, NULL, s, &err) < 0)
		console_line("trial: %s", err.text);
}

static void prepared(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;

	u->phase = UPDATE_IDLE;
	if (result->status < 0) {
		console_line("update: %s", result->text);
		answer(s, result->text);
		return;
	}
	if (result->flags[RESULT_LIVE]) {
		switch_live(s, result->id);
		return;
	}
	u->phase = UPDATE_LEAVING;
	answer(s, NULL);
	char why[64];
	snprintf(why, sizeof why, "to try revision %.12s", result->id);
	supervisor_end(s, END_RESTART, why);
}

static int check_idle(const struct update *u, struct error *err)
{
	if (u->phase == UPDATE_IDLE && u->job.process == 0)
		return 0;
	if (u->phase == UPDATE_UNMANAGED)
		return fail(err, "this device has no boot record, so that no other revision can be tried");
	return fail(err, "an update is under way: %s", update_phase_name(u));
}

int update_try(struct supervisor *s, const char *id, uint64_t ticket, struct error *err)
{
	struct update *u = &s->update;

	if (check_idle(u, err) < 0)
		return -1;
	if (!containers_settled(&s->containers))
		return fail(err, "containers of the revision before are still being stopped");
	snprintf(u->tried, sizeof u->tried, "%s", id);
	u->phase = UPDATE_PREPARING;
	u->ticket = ticket;
	if (job_start(&u->job, "try", jobs_prepare, s, prepared, s, err) == 0)
		return 0;
	u->phase = UPDATE_IDLE;
	u->ticket = 0;
	return -1;
}

int update_confirm(struct supervisor *s, uint64_t ticket, struct error *err)
{
	struct update *u = &s->update;

	if (u->phase != UPDATE_TRIAL)
		return fail(err, "no revision is on trial");
	u->manual_confirmed = true;
	u->ticket = ticket;
	// Where the product asks for somebody's word, it is one condition of all. Elsewhere nobody was to give it, and whoever
	// does wants no further waiting.
	if (!s->containers.now.revision->confirm_manual) {
		console_line("trial: confirmed by hand");
		commit(s);
	}
	return 0;
}

int update_rollback(struct supervisor *s, uint64_t ticket, struct error *err)
{
	struct update *u = &s->update;

	if (u->phase != UPDATE_TRIAL)
		return update_try(s, "", ticket, err);
	give_up(s, "rolled back by hand");
	u->ticket = ticket;
	// Over a restart nobody is there to wait for it.
	if (!u->live)
		answer(s, NULL);
	return 0;
}

uint64_t update_tick(struct supervisor *s, uint64_t now)
{
	struct update *u = &s->update;

	if (u->phase == UPDATE_RETURNING) {
		go_back(s);
		return UINT64_MAX;
	}
	if (u->phase != UPDATE_TRIAL || s->ending)
		return UINT64_MAX;
	uint64_t look = conditions_look(s, now);
	switch (conditions_decide(s, now, &u->decision)) {
	case TRIAL_CONFIRM:
		commit(s);
		return UINT64_MAX;
	case TRIAL_FAIL:
		give_up(s, u->decision.reason);
		return UINT64_MAX;
	case TRIAL_WAIT:
		break;
	}
	return look < u->decision.deadline_ms ? look : u->decision.deadline_ms;
}

bool update_ended(struct supervisor *s, pid_t process, int status)
{
	return job_ended(&s->update.job, process, status) || job_ended(&s->update.conditions, process, status);
}
