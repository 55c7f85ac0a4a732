// SPDX-License-Identifier: MIT
// How a trial ends: confirmed, or the way back. Also what the two halves of an update (update.c) share.
#pragma once
#include "job.h"
#include "update.h"
#include <stdint.h>

struct supervisor;

void update_enter(struct update *update, enum update_phase phase);
// Restart the machine, because of the update.
void update_leave(struct supervisor *s, const char *why);
// Answer who waits, if anybody does; NULL: it went well. The first is for a ticket of one's own.
void update_answer_to(struct supervisor *s, uint64_t *waiting, const char *problem);
void update_tell(struct supervisor *s, const char *problem);
// The boot record, as a job read or wrote it.
void update_take_record(struct update *update, const struct job_result *result);
// The revision on trial is well, or is not.
void update_commit(struct supervisor *s);
void update_give_up(struct supervisor *s, const char *reason);
// Over a restart, or live as soon as the containers on the way out are gone.
void update_go_back(struct supervisor *s);
