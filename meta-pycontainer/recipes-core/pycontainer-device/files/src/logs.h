// SPDX-License-Identifier: MIT
// The worker of the verb logs: the last lines of a container, and those that come, whatever is rotated meanwhile.
#pragma once
#include "work.h"

#define LOGS_PIECE 16384u	// bytes of a longer line go out in pieces: {"line": ..., "more": true}

// A work_run; `folder` is where the logs lie, NULL for the device's own.
json_t *logs_run(struct work *work, void *folder, struct error *err);
