// SPDX-License-Identifier: MIT
// What the steps of an update write into the notes (state.h).
#pragma once
#include "revision.h"
#include "state.h"

// How the trial of a revision ended, under that trial's number.
void notes_end(struct notes *notes, const char *id, bool confirmed, const char *reason);
void notes_clear_trial(struct notes *notes);
// What follows from a confirmation, all of it again when it was done already: the floor never falls. `from` is the revision
// before, or empty. True: something is new.
bool notes_confirm(struct notes *notes, const struct revision *revision, const char *from);
// A trial is given up, and the boot record of this generation is still to be changed back.
void notes_fail(struct notes *notes, const char *id, const char *from, bool live, uint32_t generation, const char *reason);
