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
#include "trial_end.h"

#include <stdio.h>
#include <string.h>

// A job that takes longer than this hangs, on a disk that does not answer.
#define JOB_MS (5 * 60 * 1000)
// All of a large revision is read by this one.
#define PREPARE_MS (60 * 60 * 1000)

const char *update_phase_name(const struct update *update)
{
	static const char *const names[] = {"starting", "unmanaged", "confirmed", "preparing", "trying",
					    "confirming", "rolling back", "rolling back", "restarting"};

	return names[update->phase];
}

static void begin_trial(struct update *u, const char *tried, const char *from, bool live, uint64_t now)
{
	update_enter(u, UPDATE_TRIAL);
	u->live = live;
	memcpy(u->tried, tried, sizeof u->tried);
	memcpy(u->from, from, sizeof u->from);
	u->began_ms = now;
	u->manual_confirmed = false;
	u->reason[0] = '\0';
	u->decision = (struct trial_decision){0};
	memset(u->held, 0, sizeof u->held);
}

static void settled(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;
	const char *running = s->containers.now.revision->id;

	if (result->text[0] != '\0')
		console_line("update: %s", result->text);
	if (result->flags[RESULT_LEAVE]) {
		update_leave(s, "this revision failed its trial, or its trial cannot be decided");
		return;
	}
	if (!result->flags[RESULT_MANAGED]) {
		if (u->booted_to_try)
			update_leave(s, "this revision is on trial, and the boot record cannot be read");
		else
			update_enter(u, UPDATE_UNMANAGED);
		return;
	}
	update_take_record(u, result);
	update_enter(u, UPDATE_IDLE);
	if (result->flags[RESULT_TRIAL]) {
		// Its time begins with its containers: a slow start is not theirs.
		begin_trial(u, running, u->record.rev, false, clock_ms());
		console_line("trial: revision %.12s, %u attempts left, confirmed is %.12s", running, u->record.left, u->from);
	}
}

// Does storage say that this boot is a trial? Asked here and not by the job, whose answer may not come.
static bool is_booted_to_try(const struct supervisor *s)
{
	struct notes notes;
	struct error ignored;
	struct fs storage;

	fs_real(&storage, STORAGE);
	return state_load(&storage, &notes, &ignored) == 0 && !notes.trial.live &&
	       strcmp(notes.trial.revision, s->containers.now.revision->id) == 0;
}

void update_start(struct supervisor *s)
{
	struct error err;

	update_enter(&s->update, UPDATE_SETTLING);
	s->update.booted_to_try = is_booted_to_try(s);
	if (job_start(&s->update.job, "boot record", jobs_settle, s, settled, s, &err) == 0)
		return;
	console_line("update: %s", err.text);
	if (s->update.booted_to_try)
		update_leave(s, "this revision is on trial, and the boot record cannot be read");
	else
		update_enter(&s->update, UPDATE_UNMANAGED);
}

// Who asked for the trial hears of its end when the note is gone: what he asks for next must not find it.
static void stayed(void *context, const struct job_result *result)
{
	struct supervisor *s = context;

	if (result->status < 0)
		console_line("trial: %s", result->text);
	update_enter(&s->update, UPDATE_IDLE);
	update_tell(s, s->update.reason);
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
		update_tell(s, NULL);
		return;
	}
	// Nothing was stopped: only the note that it is tried has to go.
	snprintf(u->reason, sizeof u->reason, "%s", err.text);
	console_line("trial: revision %.12s FAILED: %s", id, err.text);
	update_enter(u, UPDATE_ABORTING);
	if (job_start(&u->job, "roll back", jobs_abort, s, stayed, s, &err) < 0) {
		console_line("trial: %s", err.text);
		update_enter(u, UPDATE_IDLE);
		update_tell(s, u->reason);
	}
}

static void prepared(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;
	char why[64];

	update_enter(u, UPDATE_IDLE);
	if (result->status < 0) {
		console_line("update: %s", result->text);
		update_tell(s, result->text);
		return;
	}
	if (s->ending) {
		// What was noted is told at the next start, or tried there.
		update_tell(s, "the device is stopping");
		return;
	}
	if (result->flags[RESULT_LIVE]) {
		switch_live(s, result->id);
		return;
	}
	update_tell(s, NULL);
	snprintf(why, sizeof why, "to try revision %.12s", result->id);
	update_leave(s, why);
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
	update_enter(u, UPDATE_PREPARING);
	u->ticket = ticket;
	if (job_start(&u->job, "try", jobs_prepare, s, prepared, s, err) == 0)
		return 0;
	update_enter(u, UPDATE_IDLE);
	u->ticket = 0;
	return -1;
}

int update_confirm(struct supervisor *s, uint64_t ticket, struct error *err)
{
	struct update *u = &s->update;

	if (u->phase != UPDATE_TRIAL)
		return fail(err, "no revision is on trial");
	u->manual_confirmed = true;
	update_tell(s, "another confirmation was asked for meanwhile");
	u->ticket = ticket;
	// Where the product asks for somebody's word, it is one condition of all. Elsewhere nobody was to give it, and whoever
	// does wants no further waiting.
	if (!s->containers.now.revision->confirm_manual) {
		console_line("trial: confirmed by hand");
		update_commit(s);
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
		update_answer_to(s, &u->back_ticket, NULL);
	update_give_up(s, "rolled back by hand");
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
	update_tell(s, "a disk does not answer");
	if (u->phase == UPDATE_PREPARING)
		update_enter(u, UPDATE_IDLE);
	else if (u->phase == UPDATE_SETTLING && !u->booted_to_try)
		update_enter(u, UPDATE_UNMANAGED);
	else
		update_leave(s, "a disk does not answer");
}

uint64_t update_tick(struct supervisor *s, uint64_t now)
{
	struct update *u = &s->update;
	uint64_t deadline = job_deadline(u);

	if (u->phase == UPDATE_RETURNING)
		update_go_back(s);
	if (!s->ending && now >= deadline) {
		job_hangs(s);
		return UINT64_MAX;
	}
	if (u->phase != UPDATE_TRIAL || s->ending)
		return deadline;
	uint64_t look = conditions_look(s, now);
	switch (conditions_decide(s, now, &u->decision)) {
	case TRIAL_CONFIRM:
		update_commit(s);
		return job_deadline(u);
	case TRIAL_FAIL:
		update_give_up(s, u->decision.reason);
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
