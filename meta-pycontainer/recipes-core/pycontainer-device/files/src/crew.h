// SPDX-License-Identifier: MIT
// The containers of one revision, and their order.
#pragma once
#include "container.h"
#include "revision.h"
#include <stdbool.h>
#include <stddef.h>

struct crew {
	struct revision *revision;	// NULL: no crew
	struct container *each;		// one for each layer; without a layer for those that are not run, or are here no more
	bool *flags, *done;		// for the order
};

// `bound`: the volumes are mounted already. The revision belongs to the crew from now on, unless this fails.
int crew_init(struct crew *crew, struct revision *revision, bool bound, struct error *err);
// Free the revision and what is left.
void crew_free(struct crew *crew);
// Start those whose turn it is and which `held` does not hold back.
void crew_start(struct crew *crew, bool (*held)(const void *context, const struct layer *layer), const void *context);
// Stop those that none of the others needs any more.
void crew_stop(struct crew *crew, enum then then);
bool crew_stopped(const struct crew *crew);
// By its layer's name, or NULL.
struct container *crew_find(const struct crew *crew, const char *name);
// The name of a container that the device is not well without and that was given up, or NULL.
const char *crew_lost(const struct crew *crew);
