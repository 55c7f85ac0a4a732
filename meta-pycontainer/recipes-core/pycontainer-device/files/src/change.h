// SPDX-License-Identifier: MIT
// Getting the containers of another revision ready beside those that run.
#pragma once
#include "containers.h"
#include "error.h"
#include "facts.h"
#include "revision.h"

// Load revision `id` from storage, prepare the bundle of every container that differs from the running ones, and change
// to it. All of its blobs were proven before. After a failure the running revision is as it was.
int change_to(struct containers *all, const char *id, const struct facts *facts, struct error *err);
// Before that, and in another process: prepare those bundles already, and read from each what the container that it replaces
// uses. What fails here is left to `change_to`.
void change_warm(const struct containers *all, const char *id, const struct facts *facts);
// Could a device that runs `running` change to `next` without a restart? All that differs are containers.
bool change_is_live(const struct revision *running, const struct revision *next);
