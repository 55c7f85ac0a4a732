// SPDX-License-Identifier: MIT
// The change from one revision to another, as process 1 sees it: what is asked for, what is tried, what was decided.
// Everything that touches a disk is done by jobs (transaction.h); this only decides, starts them, and moves containers.
#pragma once
#include "error.h"
#include "job.h"
#include "record.h"
#include "revision.h"
#include "trial.h"
#include <stdbool.h>
#include <stdint.h>

struct supervisor;

enum update_phase {
	UPDATE_SETTLING,	// the boot record is being read
	UPDATE_UNMANAGED,	// there is none: nothing can be tried
	UPDATE_IDLE,
	UPDATE_PREPARING,	// a revision is checked before it is tried
	UPDATE_TRIAL,		// it runs, and has to prove itself
	UPDATE_COMMITTING,	// it did
	UPDATE_ABORTING,	// it did not; the way back is being written down
	UPDATE_RETURNING,	// the way back waits until the containers on the way out are gone
	UPDATE_LEAVING		// the machine restarts into another revision
};

// Called once when what was asked for has come to its end; NULL: it went well.
typedef void update_answer(void *context, uint64_t ticket, const struct error *problem);

struct update {
	enum update_phase phase;
	struct record record;		// as last read or written
	bool live;			// the trial began without a restart
	char tried[HEX_SIZE], from[HEX_SIZE];
	uint64_t began_ms;
	uint64_t phase_ms;		// since when it is in its phase
	bool booted_to_try;		// storage says that this boot is a trial, whatever the boot record says
	bool manual_confirmed;
	char reason[200];		// why the trial was given up
	struct trial_decision decision;	// what it still waits for
	struct job job, conditions;
	bool held[2 * CONDITIONS_MOST];			// the revision's conditions, files first
	uint64_t conditions_ms;		// when they were last looked at
	update_answer *answer;
	void *context;
	uint64_t ticket;		// 0: nobody waits for an answer
	uint64_t back_ticket;		// of who waits until the device is back on the revision before
};

// Find out what the boot record and the notes on storage say; the trial of a revision that was booted begins here.
void update_start(struct supervisor *s);
// Look at the trial; returns when to look again, UINT64_MAX: not by itself.
uint64_t update_tick(struct supervisor *s, uint64_t now);
// A process ended; true when it was one of the jobs.
bool update_ended(struct supervisor *s, pid_t process, int status);
// Asked for from outside; 0: accepted, `answer` is called with the ticket (not 0) later.
int update_try(struct supervisor *s, const char *id, uint64_t ticket, struct error *err);
int update_confirm(struct supervisor *s, uint64_t ticket, struct error *err);
// During a trial its end; else a trial of the revision that was confirmed before.
int update_rollback(struct supervisor *s, uint64_t ticket, struct error *err);
// Is a trial under way, on to its end or on the way back?
bool update_is_deciding(const struct update *update);
const char *update_phase_name(const struct update *update);
