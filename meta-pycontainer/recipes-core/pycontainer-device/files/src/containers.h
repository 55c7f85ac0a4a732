// SPDX-License-Identifier: MIT
// All containers of a revision together: their order, and whose process it was that ended.
#pragma once
#include "container.h"
#include "revision.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENDS_MOST 256

struct containers {
	const struct revision *revision;
	struct container *each;		// one for each layer; stopped for layers that are not run
	bool *flags;			// for the order
	struct {
		pid_t pid;
		int status;
	} ends[ENDS_MOST];		// of processes that nobody knows yet
	size_t end_count;
};

int containers_init(struct containers *all, const struct revision *revision, struct error *err);
// Start those whose turn it is; stop those that nobody needs any more.
void containers_start(struct containers *all);
void containers_stop(struct containers *all);
// Every one runs, or ended well; the names of those that run, each with a blank behind it.
bool containers_ready(const struct containers *all, char *names, size_t size);
bool containers_stopped(const struct containers *all);
// A process ended; look for its container once all that are known to have ended are added.
void containers_add_end(struct containers *all, pid_t pid, int status);
void containers_match_ends(struct containers *all);
// The first deadline, UINT64_MAX: none; act on all that have passed.
uint64_t containers_deadline(const struct containers *all);
void containers_act(struct containers *all, uint64_t now);
// Take in what the containers wrote last, and close their logs.
void containers_close(struct containers *all);
