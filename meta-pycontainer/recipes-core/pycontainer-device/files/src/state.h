// SPDX-License-Identifier: MIT
// What the device remembers about its updates, in state/ of storage. A file that is missing or damaged counts as absent:
// nothing that is kept here may stop a device from starting.
#pragma once
#include "error.h"
#include "facts.h"
#include "fs.h"
#include "text.h"
#include <stdint.h>

#define REASON_SIZE 200

// An attempt to change to another revision that is going on.
struct trial_state {
	char revision[HEX_SIZE], from[HEX_SIZE];
	bool live;			// without a restart
	uint32_t generation;		// of the boot record that names the revision to try; live: of the one that stands
	char reason[REASON_SIZE];	// why it has to be given up; "" while that is open
};

// How the last attempt ended.
struct outcome {
	char revision[HEX_SIZE];
	bool confirmed;
	char reason[REASON_SIZE];	// why not
};

// All readers leave err->text empty but for a damaged file.
// The lowest security version that may be installed or tried: the highest of the facts', the stored one and that of the
// revision that is known to be confirmed (0: of none), for a stored one that is damaged is left out. -1 when it cannot
// be read: nothing may be installed then.
int state_floor(struct fs *fs, const struct facts *facts, uint64_t confirmed, uint64_t *floor, struct error *err);
// Store a floor unless the stored one is as high; a damaged one is replaced.
int state_raise_floor(struct fs *fs, uint64_t floor, struct error *err);
// The revision that was confirmed before the confirmed one.
bool state_read_previous(struct fs *fs, char revision[HEX_SIZE], struct error *err);
int state_write_previous(struct fs *fs, const char *revision, struct error *err);
bool state_read_trial(struct fs *fs, struct trial_state *out, struct error *err);
int state_write_trial(struct fs *fs, const struct trial_state *trial, struct error *err);
int state_clear_trial(struct fs *fs, struct error *err);
bool state_read_outcome(struct fs *fs, struct outcome *out, struct error *err);
int state_write_outcome(struct fs *fs, const struct outcome *outcome, struct error *err);

// The content of the files.
int state_parse_floor(uint64_t *out, const char *text, size_t length, struct error *err);
int state_parse_previous(char revision[HEX_SIZE], const char *text, size_t length, struct error *err);
int state_parse_trial(struct trial_state *out, const char *text, size_t length, struct error *err);
int state_parse_outcome(struct outcome *out, const char *text, size_t length, struct error *err);
