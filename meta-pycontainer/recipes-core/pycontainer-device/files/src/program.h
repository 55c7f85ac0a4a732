// SPDX-License-Identifier: MIT
// Starting other programs: no shell, a clean signal mask, only the file descriptors that are named.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <sys/types.h>

// Start argv[0] (an absolute path) with standard input from /dev/null and both outputs on `output` (-1: /dev/null).
// Returns the process id or -1.
pid_t program_start(const char *const argv[], int output, struct error *err);
// Run to the end, for at most timeout_ms; the last line that the program wrote, and did not indent, is kept in `last`.
// Returns its exit status, 128 + signal when it was killed, or -1.
int program_run(const char *const argv[], unsigned timeout_ms, char *last, size_t size, struct error *err);
// Wait for the end of a child for at most timeout_ms; true when it ended.
bool program_wait(pid_t child, int *status, unsigned timeout_ms);
