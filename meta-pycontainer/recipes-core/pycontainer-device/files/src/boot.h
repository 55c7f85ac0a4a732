// SPDX-License-Identifier: MIT
// What this boot means for an update: the boot record says what GRUB did, the notes what we were about to do. The trial
// is noted before it begins and cleared once its outcome is known; that a trial failed, and why, is put into it before
// the record is changed back.
#pragma once
#include "record.h"
#include "state.h"
#include "text.h"
#include <stdbool.h>

enum boot_kind {
	BOOT_NORMAL,		// the confirmed revision, nothing else
	BOOT_UNMANAGED,		// no boot record: nothing can be tried
	BOOT_UNKNOWN,		// the record names neither this revision to try nor as confirmed: leave it alone
	BOOT_TRIAL,		// this revision is on trial
	BOOT_REJECTED,		// this revision had failed its trial already: change the record back and restart
	BOOT_CONFIRMED,		// it was confirmed, and the power was lost before that was written down
	BOOT_FAILED,		// a trial failed, the confirmed revision is back
	BOOT_POWER_LOST,	// the power was lost during a live trial, or this program ended
	BOOT_NOT_BEGUN,		// the power was lost before the record named the revision to try
	BOOT_UNCOUNTED		// GRUB could not write the record, so it did not try
};

struct boot {
	enum boot_kind kind;
	char revision[HEX_SIZE];	// the one that was or is tried, or empty
	unsigned left;			// BOOT_TRIAL: attempts after this one
	char reason[REASON_SIZE];	// for people; empty when nothing went wrong
	// What is left to do, in this order, after the outcome was written: store the record without its attempt, clear
	// the trial from the notes.
	bool clear_record, clear_trial;
};

// `booted`: the running revision's id. `record` and `trial` may be NULL. Pure.
void boot_outcome(struct boot *out, const char *booted, const struct record *record, const struct trial_state *trial);
// "confirmed" or "failed" for a trial that this boot found ended; NULL: none did.
const char *boot_result(enum boot_kind kind);
