// SPDX-License-Identifier: MIT
// All containers: those of the revision that runs, and those of the one before while they are being stopped. Whose
// process it was that ended, and the change from one revision to the next while what is equal in both runs on.
#pragma once
#include "crew.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENDS_MOST 256

struct containers {
	struct crew now;
	struct crew former;
	struct {
		pid_t pid;
		int status;
	} ends[ENDS_MOST];	// of processes that nobody knows yet
	size_t end_count;
};

// Would this layer's container run on through a change from one to the other?
bool containers_keep(const struct layer *before, const struct layer *after);
// Do two layers have one bundle (crun.h)?
bool containers_same_bundle(const struct layer *a, const struct layer *b);
// Change to another revision, whose changed layers are prepared (crun_prepare) by then: what is equal runs on, what
// differs is stopped and then started anew, what is gone is stopped. Not before an earlier change is over. The revision
// belongs to the containers from then on; after a failure nothing has changed.
int containers_switch(struct containers *all, struct revision *next, struct error *err);
// Is no container of a former revision left?
bool containers_settled(const struct containers *all);
// Start those whose turn it is; `containers_stop`: stop those that nobody needs any more, the machine ends.
void containers_start(struct containers *all);
void containers_stop(struct containers *all);
// Every one is up; the names of those that run, each with a blank behind it.
bool containers_ready(const struct containers *all, char *names, size_t size);
bool containers_stopped(const struct containers *all);
// A process ended; look for its container once all that are known to have ended are added.
void containers_add_end(struct containers *all, pid_t pid, int status);
void containers_match_ends(struct containers *all);
// The first deadline, UINT64_MAX: none; act on all that have passed.
uint64_t containers_deadline(const struct containers *all);
void containers_act(struct containers *all, uint64_t now);
// The one whose output this descriptor reads, or NULL.
struct container *containers_by_output(const struct containers *all, int fd);
// Take in what the containers wrote last, and close their logs.
void containers_close(struct containers *all);
