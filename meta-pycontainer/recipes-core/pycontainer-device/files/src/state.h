// SPDX-License-Identifier: MIT
// What the device remembers about its updates, in state/notes of storage: two copies, each a block with its own
// SHA-256, written in place and in turn, so that a change costs one block and one flush, and a power cut leaves the notes
// from before or after it. A file that is missing or damaged counts as absent: nothing that is kept here may stop a device
// from starting.
#pragma once
#include "error.h"
#include "facts.h"
#include "fs.h"
#include "text.h"
#include <stdint.h>

#define REASON_SIZE 200
#define STATE_COPY 4096	// bytes of one copy, a block of storage

// An attempt to change to another revision that is going on.
struct trial_state {
	char revision[HEX_SIZE], from[HEX_SIZE];	// "": there is none
	bool live;			// without a restart
	uint32_t generation;		// of the boot record that names the revision to try; live: of the one that stands
	uint64_t number;		// each trial of a device has its own
	char reason[REASON_SIZE];	// why it has to be given up; "" while that is open
};

// How the last attempt ended.
struct outcome {
	char revision[HEX_SIZE];	// "": there was none
	bool confirmed;
	uint64_t number;		// of the trial
	char reason[REASON_SIZE];	// why not
};

struct notes {
	uint64_t generation;		// how often they were written; 0: they are absent
	uint64_t floor;			// the lowest security version that may be installed
	char previous[HEX_SIZE];	// the revision that was confirmed before the confirmed one; "": none
	struct trial_state trial;
	struct outcome outcome;
};

// Returns 0, with empty notes when there are none, or only damaged ones, which err->text then says; it is empty otherwise.
// -1 when they cannot be read.
int state_load(struct fs *fs, struct notes *out, struct error *err);
// After success they are on the medium. What is there and cannot be read is not replaced.
int state_store(struct fs *fs, struct notes *notes, struct error *err);
// The lowest security version that may be installed or tried: the highest of the facts', the stored one and that of the
// revision that is known to be confirmed (0: of none), for a stored one that is damaged is left out. -1 when it cannot
// be read: nothing may be installed then.
int state_floor(struct fs *fs, const struct facts *facts, uint64_t confirmed, uint64_t *floor, struct error *err);

// One copy as bytes; `text` is zero-terminated when it is read.
int state_encode(char text[STATE_COPY], const struct notes *notes, struct error *err);
int state_decode(struct notes *out, const char *text, size_t length, struct error *err);
