// SPDX-License-Identifier: MIT
// What a container uses, as its control group counts it.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stdint.h>

struct usage {
	uint64_t memory, memory_peak;	// bytes
	uint64_t cpu_us;		// since it was started
	uint64_t processes;
	uint64_t oom_kills;		// of processes for the container's memory limit
};

// A file that holds one number; one that holds lines of a key and a number.
bool usage_number(uint64_t *out, const char *text);
bool usage_key(uint64_t *out, const char *text, const char *key);
// The figures of the group in a folder; what its kernel does not count stays 0. -1: there is no such group.
int usage_read(struct usage *out, const char *group, struct error *err);
// Those of a container.
int usage_of(struct usage *out, const char *name, struct error *err);
