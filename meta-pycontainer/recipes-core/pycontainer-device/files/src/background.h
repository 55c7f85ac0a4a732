// SPDX-License-Identifier: MIT
// The proof of the blobs that no container needs, at the lowest priority, while the containers run.
#pragma once
#include "revision.h"
#include <stdbool.h>
#include <sys/types.h>

// Is this blob proven before anything is started?
bool background_is_early(const struct blob *blob);
// Start the child process that proves all others and reports on the console; 0 when it could not be started.
pid_t background_verify(const struct revision *revision);
