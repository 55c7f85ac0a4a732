// SPDX-License-Identifier: MIT
// One probe of a health check, or of a condition, in a process of its own, so that process 1 never waits for it.
#pragma once
#include "error.h"
#include "revision.h"
#include <sys/types.h>

// Start a probe of a running container; `container` is its first process, whose network it enters (0: it stays in
// ours). It ends by itself when the check's time is up: with status 0 when the container is well. Otherwise one line
// that says why goes to `output` (-1: nowhere), in printable ASCII. Returns its process id or -1.
pid_t probe_start(const struct layer *layer, pid_t container, int output, struct error *err);
// Kill the process that a file names if it is in this control group: a command that was given up stays in the
// container, for crun is dead by then and tells nobody. Its number may be another's by now, hence the group.
void probe_kill_left(const char *pid_file, const char *group);
