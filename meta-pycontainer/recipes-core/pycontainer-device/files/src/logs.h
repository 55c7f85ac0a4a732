// SPDX-License-Identifier: MIT
// The worker of the verb logs: the last lines of a container, and those that come, whatever is rotated meanwhile.
#pragma once
#include "work.h"

#define LOGS_PIECE 16384u	// bytes of a longer line go out in pieces: {"line": ..., "more": true}

// A work_run; `folder` is where the logs lie, NULL for the device's own.
json_t *logs_run(struct work *work, void *folder, struct error *err);

// The object that a line becomes, or a piece of one; NULL: it is passed over.
typedef json_t *logs_object(const char *text, size_t length, bool more);

// The last lines of several logs, one log after the other, and then, should the request say so, what comes in any of them.
json_t *logs_serve(struct work *work, const char *folder, const char *const names[], size_t count, logs_object *make,
		   struct error *err);
