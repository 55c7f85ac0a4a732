// SPDX-License-Identifier: MIT
// What is started in a running container later: as its first process was, but for the command (runtime specification, config.md,
// "process").
#pragma once
#include "error.h"
#include <stddef.h>

// Make the file at `path` for "crun exec --process", from the runtime configuration in the file `config` that the container
// was started by. Its limits of resources are there as well, which "crun exec" by itself leaves out. It gets no new privileges.
int process_make(const char *config, const char *const *command, size_t count, const char *path, struct error *err);
