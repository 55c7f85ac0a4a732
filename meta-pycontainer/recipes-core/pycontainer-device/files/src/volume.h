// SPDX-License-Identifier: MIT
// Volumes: the only places a container may write to.
#pragma once
#include "error.h"
#include "revision.h"

// Make the folder of every volume of a layer with its owner and mode, and bind it to
// /run/pycontainer/volumes/<layer>/<volume>, where the container's configuration looks for it.
int volume_mount_all(const struct revision *revision, const struct layer *layer, struct error *err);
// Undo the binds of a layer; the volumes themselves stay.
void volume_unmount_all(const struct layer *layer);
