// SPDX-License-Identifier: MIT
// Work that must not hold up the containers, each in a process of its own.
#pragma once
#include "revision.h"
#include <stdbool.h>
#include <sys/types.h>

struct background {
	pid_t process;		// 0: none
	const char *what;
};

// Is this blob proven before anything is started?
bool background_is_early(const struct blob *blob);
// Prove all other blobs at the lowest priority, and report on the console.
void background_verify(struct background *work, const struct revision *revision);
// Load the drivers of devices that appeared: one that hangs in its driver's start must not stop process 1.
void background_drivers(struct background *work);
// A process ended; true when it was this one.
bool background_ended(struct background *work, pid_t process, int status);
// Kill it, if it runs.
void background_end(struct background *work);
