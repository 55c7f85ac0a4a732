// SPDX-License-Identifier: MIT
#include "update.h"
#include "change.h"
#include "conditions.h"
#include "console.h"
#include "jobs.h"
#include "state.h"
#include "storage.h"
#include "supervisor.h"
#include "transaction.h"

#include <stdio.h>
#include <string.h>

// A job that takes longer than this hangs, on a disk that does not answer.
#define JOB_MS (5 * 60 * 1000)
// All of a large revision is read by this one.
#define PREPARE_MS (60 * 60 * 1000)

static void answer_to(struct supervisor *s, uint64_t *waiting, const char *problem)
{
	struct update *u = &s->update;
	uint64_t ticket = *waiting;
	struct error err;

	*waiting = 0;
	if (ticket == 0 || u->answer == NULL)
		return;
	if (problem != NULL)
		fail(&err, "%s", problem);
	u->answer(u->context, ticket, problem == NULL ? NULL : &err);
}

static void answer(struct supervisor *s, const char *problem)
{
	answer_to(s, &s->update.ticket, problem);
}

static void enter(struct update *u, enum update_phase phase)
{
	u->phase = phase;
	u->phase_ms = clock_ms();
}

static void leave(struct supervisor *s, const char *why)
{
	enter(&s->update, UPDATE_LEAVING);
	supervisor_end(s, END_RESTART, why);
}

const char *update_phase_name(const struct update *update)
{
	static const char *const names[] = {"starting", "unmanaged", "confirmed", "preparing", "trying",
					    "confirming", "rolling back", "rolling back", "restarting"};

	return names[update->phase];
}

static void begin_trial(struct update *u, const char *tried, const char *from, bool live, uint64_t now)
{
	enter(u, UPDATE_TRIAL);
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

	if (result->text[0] != '\0')
		console_line("update: %s", result->text);
	if (result->flags[RESULT_LEAVE]) {
		leave(s, "this revision failed its trial, or its trial cannot be decided");
		return;
	}
	if (!result->flags[RESULT_MANAGED]) {
		if (u->booted_to_try)
			leave(s, "this revision is on trial, and the boot record cannot be read");
		else
			enter(u, UPDATE_UNMANAGED);
		return;
	}
	take_record(u, result);
	enter(u, UPDATE_IDLE);
	if (result->flags[RESULT_TRIAL]) {
		begin_trial(u, running, u->record.rev, false, s->started_ms);
		console_line("trial: revision %.12s, %u attempts left, confirmed is %.12s", running, u->record.left, u->from);
	}
}

// Does storage say that this boot is a trial? Asked here and not by the job, whose answer may not come.
static bool is_booted_to_try(const struct supervisor *s)
{
	struct trial_state trial;
	struct error ignored;
	struct fs storage;

	fs_real(&storage, STORAGE);
	return state_read_trial(&storage, &trial, &ignored) && !trial.live &&
	       strcmp(trial.revision, s->containers.now.revision->id) == 0;
}

void update_start(struct supervisor *s)
{
	struct error err;

	enter(&s->update, UPDATE_SETTLING);
	s->update.booted_to_try = is_booted_to_try(s);
	if (job_start(&s->update.job, "boot record", jobs_settle, s, settled, s, &err) == 0)
		return;
	console_line("update: %s", err.text);
	if (s->update.booted_to_try)
		leave(s, "this revision is on trial, and the boot record cannot be read");
	else
		enter(&s->update, UPDATE_UNMANAGED);
}

// The way back: over a restart when that is how it came.
static void go_back(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	if (!u->live) {
		leave(s, "back to the confirmed revision");
		return;
	}
	// At the next start the confirmed revision runs by itself.
	if (s->ending) {
		enter(u, UPDATE_LEAVING);
		return;
	}
	if (!containers_settled(&s->containers)) {
		if (u->phase != UPDATE_RETURNING)
			enter(u, UPDATE_RETURNING);
		return;
	}
	if (change_to(&s->containers, u->from, s->facts, &err) < 0) {
		console_line("rolled back: %s", err.text);
		leave(s, "the confirmed revision cannot be changed to");
		return;
	}
	s->ready = false;
	enter(u, UPDATE_IDLE);
	console_line("rolled back: to revision %.12s: %s", u->from, u->reason);
	answer_to(s, &u->back_ticket, NULL);
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
	enter(u, UPDATE_ABORTING);
	if (job_start(&u->job, "roll back", jobs_abort, s, aborted, s, &err) < 0) {
		console_line("rolled back: %s", err.text);
		go_back(s);
	}
}

static void committed(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;

	if (result->status < 0 && result->flags[RESULT_UNCLEAR]) {
		console_line("confirm: %s", result->text);
		answer(s, result->text);
		leave(s, "whether the revision is confirmed only the boot record can tell");
		return;
	}
	if (result->status < 0 && !result->flags[RESULT_DONE]) {
		give_up(s, result->text);
		return;
	}
	take_record(u, result);
	enter(u, UPDATE_IDLE);
	console_line("confirmed: revision %.12s", u->tried);
	if (result->text[0] != '\0')
		console_line("confirmed: but %s", result->text);
	answer(s, NULL);
}

static void commit(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	enter(u, UPDATE_COMMITTING);
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
	enter(u, UPDATE_IDLE);
	if (job_start(&u->job, "roll back", jobs_abort, s, NULL, s, &err) < 0)
		console_line("trial: %s", err.text);
}

static void prepared(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;
	char why[64];

	enter(u, UPDATE_IDLE);
	if (result->status < 0) {
		console_line("update: %s", result->text);
		answer(s, result->text);
		return;
	}
	if (s->ending) {
		// What was noted is told at the next start, or tried there.
		answer(s, "the device is stopping");
		return;
	}
	if (result->flags[RESULT_LIVE]) {
		switch_live(s, result->id);
		return;
	}
	answer(s, NULL);
	snprintf(why, sizeof why, "to try revision %.12s", result->id);
	leave(s, why);
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

	if (s->ending)
		return fail(err, "the device is stopping");
	if (check_idle(u, err) < 0)
		return -1;
	if (!containers_settled(&s->containers))
		return fail(err, "containers of the revision before are still being stopped");
	snprintf(u->tried, sizeof u->tried, "%s", id);
	enter(u, UPDATE_PREPARING);
	u->ticket = ticket;
	if (job_start(&u->job, "try", jobs_prepare, s, prepared, s, err) == 0)
		return 0;
	enter(u, UPDATE_IDLE);
	u->ticket = 0;
	return -1;
}

int update_confirm(struct supervisor *s, uint64_t ticket, struct error *err)
{
	struct update *u = &s->update;

	if (u->phase != UPDATE_TRIAL)
		return fail(err, "no revision is on trial");
	u->manual_confirmed = true;
	answer(s, "another confirmation was asked for meanwhile");
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
	u->back_ticket = ticket;
	// Over a restart nobody is there to wait for it.
	if (!u->live)
		answer_to(s, &u->back_ticket, NULL);
	give_up(s, "rolled back by hand");
	return 0;
}

// When a job hangs; UINT64_MAX: none can in this phase.
static uint64_t job_deadline(const struct update *u)
{
	switch (u->phase) {
	case UPDATE_SETTLING:
	case UPDATE_COMMITTING:
	case UPDATE_ABORTING:
		return u->phase_ms + JOB_MS;
	case UPDATE_PREPARING:
		return u->phase_ms + PREPARE_MS;
	default:
		return UINT64_MAX;
	}
}

static void job_hangs(struct supervisor *s)
{
	struct update *u = &s->update;

	console_line("update: %s hangs", u->job.what);
	job_end(&u->job);
	answer(s, "a disk does not answer");
	if (u->phase == UPDATE_PREPARING)
		enter(u, UPDATE_IDLE);
	else if (u->phase == UPDATE_SETTLING && !u->booted_to_try)
		enter(u, UPDATE_UNMANAGED);
	else
		leave(s, "a disk does not answer");
}

uint64_t update_tick(struct supervisor *s, uint64_t now)
{
	struct update *u = &s->update;
	uint64_t deadline = job_deadline(u);

	if (u->phase == UPDATE_RETURNING)
		go_back(s);
	if (!s->ending && now >= deadline) {
		job_hangs(s);
		return UINT64_MAX;
	}
	if (u->phase != UPDATE_TRIAL || s->ending)
		return deadline;
	uint64_t look = conditions_look(s, now);
	switch (conditions_decide(s, now, &u->decision)) {
	case TRIAL_CONFIRM:
		commit(s);
		return job_deadline(u);
	case TRIAL_FAIL:
		give_up(s, u->decision.reason);
		return job_deadline(u);
	case TRIAL_WAIT:
		break;
	}
	return look < u->decision.deadline_ms ? look : u->decision.deadline_ms;
}

bool update_is_deciding(const struct update *update)
{
	return update->phase == UPDATE_TRIAL || update->phase == UPDATE_COMMITTING || update->phase == UPDATE_ABORTING ||
	       update->phase == UPDATE_RETURNING;
}

bool update_ended(struct supervisor *s, pid_t process, int status)
{
	return job_ended(&s->update.job, process, status) || job_ended(&s->update.conditions, process, status);
}
