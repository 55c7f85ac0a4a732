// SPDX-License-Identifier: MIT
// What a container finds around it when it starts: its volumes and its network.
#pragma once
#include "error.h"
#include "revision.h"

// Mount the volumes and join the network; again after a failure is fine.
int place_make(const struct revision *revision, const struct layer *layer, struct error *err);
// Undo it; the container has ended.
void place_remove(const struct layer *layer);
// Publish the ports of all containers of a revision, and no others.
int place_publish(const struct revision *revision, struct error *err);
