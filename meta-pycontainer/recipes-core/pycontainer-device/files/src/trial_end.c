// SPDX-License-Identifier: MIT
#include "trial_end.h"
#include "change.h"
#include "console.h"
#include "jobs.h"
#include "supervisor.h"
#include "transaction.h"

#include <stdio.h>
#include <string.h>

void update_answer_to(struct supervisor *s, uint64_t *waiting, const char *problem)
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

void update_tell(struct supervisor *s, const char *problem)
{
	update_answer_to(s, &s->update.ticket, problem);
}

void update_enter(struct update *u, enum update_phase phase)
{
	u->phase = phase;
	u->phase_ms = clock_ms();
}

void update_leave(struct supervisor *s, const char *why)
{
	update_enter(&s->update, UPDATE_LEAVING);
	supervisor_end(s, END_RESTART, why);
}

void update_take_record(struct update *u, const struct job_result *result)
{
	memcpy(u->record.rev, result->id, sizeof u->record.rev);
	memcpy(u->record.attempt, result->other, sizeof u->record.attempt);
	u->record.generation = (uint32_t)result->number[RESULT_GENERATION];
	u->record.left = (unsigned)result->number[RESULT_LEFT];
}

// The way back: over a restart when that is how it came.
void update_go_back(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	if (!u->live) {
		update_leave(s, "back to the confirmed revision");
		return;
	}
	// At the next start the confirmed revision runs by itself.
	if (s->ending) {
		update_enter(u, UPDATE_LEAVING);
		return;
	}
	if (!containers_settled(&s->containers)) {
		if (u->phase != UPDATE_RETURNING)
			update_enter(u, UPDATE_RETURNING);
		return;
	}
	if (change_to(&s->containers, u->from, s->facts, &err) < 0) {
		console_line("rolled back: %s", err.text);
		update_leave(s, "the confirmed revision cannot be changed to");
		return;
	}
	s->ready = false;
	update_enter(u, UPDATE_IDLE);
	console_line("rolled back: to revision %.12s: %s", u->from, u->reason);
	update_answer_to(s, &u->back_ticket, NULL);
}

static void aborted(void *context, const struct job_result *result)
{
	struct supervisor *s = context;

	// Without the note the boot loader still counts, and comes back by itself.
	if (result->status < 0)
		console_line("rolled back: %s", result->text);
	update_go_back(s);
}

void update_give_up(struct supervisor *s, const char *reason)
{
	struct update *u = &s->update;
	struct error err;

	snprintf(u->reason, sizeof u->reason, "%s", reason);
	console_line("trial: revision %.12s FAILED: %s", u->tried, u->reason);
	// Who waits for it to be confirmed hears this.
	update_tell(s, u->reason);
	job_end(&u->conditions);
	update_enter(u, UPDATE_ABORTING);
	if (job_start(&u->job, "roll back", jobs_abort, s, aborted, s, &err) < 0) {
		console_line("rolled back: %s", err.text);
		update_go_back(s);
	}
}

static void committed(void *context, const struct job_result *result)
{
	struct supervisor *s = context;
	struct update *u = &s->update;

	if (result->status < 0 && result->flags[RESULT_UNCLEAR]) {
		console_line("confirm: %s", result->text);
		update_tell(s, result->text);
		update_leave(s, "whether the revision is confirmed only the boot record can tell");
		return;
	}
	if (result->status < 0 && !result->flags[RESULT_DONE]) {
		update_give_up(s, result->text);
		return;
	}
	update_take_record(u, result);
	update_enter(u, UPDATE_IDLE);
	console_line("confirmed: revision %.12s", u->tried);
	if (result->text[0] != '\0')
		console_line("confirmed: but %s", result->text);
	update_tell(s, NULL);
}

void update_commit(struct supervisor *s)
{
	struct update *u = &s->update;
	struct error err;

	update_enter(u, UPDATE_COMMITTING);
	job_end(&u->conditions);
	if (job_start(&u->job, "confirm", jobs_commit, s, committed, s, &err) < 0)
		update_give_up(s, err.text);
}
