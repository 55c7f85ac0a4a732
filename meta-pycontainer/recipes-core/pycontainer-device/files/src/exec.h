// SPDX-License-Identifier: MIT
// The worker of the verb exec: a program in a running container, its standard streams as lines.
#pragma once
#include "work.h"

struct exec_place {
	const char *crun;	// an absolute path; NULL: what runs the container
	const char *folder;	// for files with process ids
	const char *group;	// the control group of what is started; NULL: the container's
};

// A work_run; `place` may be NULL for the device's own.
json_t *exec_run(struct work *work, void *place, struct error *err);
