// SPDX-License-Identifier: MIT
// The health check of a container while it runs: its probes, and what follows from them.
#pragma once
#include "container.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// It began to run.
void checkup_begin(struct container *container, uint64_t now);
// The same for one that runs on: it is asked at once, and what depends on it does not wait for that.
void checkup_again(struct container *container, uint64_t now);
// Start the next probe, or end one that hangs.
void checkup_due(struct container *container, uint64_t now);
// A process ended; true when it was this container's probe.
bool checkup_ended(struct container *container, pid_t pid, int status);
