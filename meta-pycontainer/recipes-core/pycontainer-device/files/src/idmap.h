// SPDX-License-Identifier: MIT
// Users of a container that are others on the device: its files keep their owners on disk, and are shown to it as its own
// (mount_setattr(2), "ID-mapped mounts").
#pragma once
#include "error.h"
#include "revision.h"

// Show the mount at `path` with the owners that the layer's user namespace has, in the same place; nothing is done for a
// layer without one.
int idmap_mount(const struct layer *layer, const char *path, struct error *err);
