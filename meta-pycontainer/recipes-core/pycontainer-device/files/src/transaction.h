// SPDX-License-Identifier: MIT
// The steps of a change of revisions that touch disks, each one whole or not at all whenever the power fails: notes on
// storage first, the boot record, which is the moment of the change, then what only follows from it.
#pragma once
#include "error.h"
#include "facts.h"
#include "fs.h"
#include "job.h"
#include "revision.h"

struct transaction {
	struct fs *storage;
	struct fs *esp;			// NULL: this device has no boot record
	const struct facts *facts;
};

// What the results mean. `id` and `other`: rev and attempt of the record, unless a step says otherwise.
enum { RESULT_GENERATION, RESULT_LEFT };	// number[]
enum {
	RESULT_MANAGED,		// there is a boot record
	RESULT_TRIAL,		// the running revision is on trial
	RESULT_LEAVE,		// it failed its trial before: restart
	RESULT_LIVE,		// containers are all that changes
	RESULT_UNCLEAR,		// whether the record does so cannot be told: only a restart shows
	RESULT_DONE		// the record names the revision as confirmed, whatever else went wrong
};				// flags[]

// After a boot: find out what it means, and finish what a power cut left undone. `text` is for people, or empty. The
// result holds after a failure too, which means that something is left for the next boot to finish.
int transaction_settle(struct transaction *t, const struct revision *running, struct job_result *out, struct error *err);
// Before a trial: `id` may be a beginning, or empty for the revision that was confirmed before. All of it is proven,
// then the note and, unless only containers change, the record say that it is tried. `id` of the result is the whole id.
int transaction_prepare(struct transaction *t, const char *id, const struct revision *running, struct job_result *out,
			struct error *err);
// A trial went well.
int transaction_commit(struct transaction *t, const char *id, const char *from, struct job_result *out,
		       struct error *err);
// A trial did not.
int transaction_abort(struct transaction *t, const char *id, const char *from, bool live, const char *reason,
		      struct job_result *out, struct error *err);
