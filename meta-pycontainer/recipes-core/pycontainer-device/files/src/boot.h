// SPDX-License-Identifier: MIT
// What this boot means for an update: the record says what GRUB did, a note in state/trial what we were about to do.
#pragma once
#include "error.h"
#include "fs.h"
#include "record.h"
#include "text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTE_LIMIT 4096
#define REASON_SIZE 256

// Written before a trial begins and removed once its outcome is known. A reason in it means that the trial was decided
// to have failed; it is noted before the record is changed back.
struct note {
	char revision[HEX_SIZE];	// the one that is tried
	char from[HEX_SIZE];		// the confirmed one
	bool live;			// switched to without a restart; the record then names nothing to try
	uint32_t generation;		// of the record that names the revision to try; when live, of the one that stands
	char reason[REASON_SIZE];	// why it failed; empty: not decided
};

int note_parse(struct note *out, const char *text, size_t length, struct error *err);
// state/trial below storage. note_read returns 1, or 0 when there is none; a damaged one is an error, and is to be
// removed. note_remove is content without one.
int note_read(struct fs *fs, struct note *out, struct error *err);
int note_write(struct fs *fs, const struct note *note, struct error *err);
int note_remove(struct fs *fs, struct error *err);

enum boot_kind {
	BOOT_NORMAL,		// the confirmed revision, nothing else
	BOOT_UNMANAGED,		// no boot record: nothing can be tried
	BOOT_UNKNOWN,		// the record names neither this revision to try nor as confirmed: leave it alone
	BOOT_TRIAL,		// this revision is on trial
	BOOT_REJECTED,		// this revision had failed its trial already: change the record back and restart
	BOOT_CONFIRMED,		// it was confirmed, and the power was lost before that was noted
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
	// What is left to do, in this order, after the outcome was written down: the record without its attempt, the note.
	bool clear_record, clear_note;
};

// `booted`: the running revision's id. `record` and `note` may be NULL. Pure.
void boot_outcome(struct boot *out, const char *booted, const struct record *record, const struct note *note);
// "confirmed" or "failed" for a trial that this boot found ended; NULL: none did.
const char *boot_result(enum boot_kind kind);
