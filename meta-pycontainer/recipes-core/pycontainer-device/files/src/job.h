// SPDX-License-Identifier: MIT
// Work in a process of its own whose result process 1 wants to know: disks may hang, and process 1 may not.
#pragma once
#include "error.h"
#include "text.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct job_result {
	int status;		// 0: done; -1: failed, `text` says why
	char text[320];
	char id[HEX_SIZE];	// what these mean, the job says
	char other[HEX_SIZE];
	uint64_t number[4];
	unsigned char flags[32];
};

struct job {
	pid_t process;		// 0: none runs
	int result;		// the pipe's end, or -1
	const char *what;
	// Called once, from job_ended.
	void (*done)(void *context, const struct job_result *result);
	void *context;
};

// Start `run`, which fills the result and returns 0 or -1. It holds no descriptor but its standard streams. A job that
// still runs is an error.
int job_start(struct job *job, const char *what, int (*run)(void *argument, struct job_result *out, struct error *err),
	      void *argument, void (*done)(void *context, const struct job_result *result), void *context,
	      struct error *err);
// A process ended; true when it was this job's.
bool job_ended(struct job *job, pid_t process, int status);
// End it, if it runs; `done` is not called any more.
void job_end(struct job *job);
