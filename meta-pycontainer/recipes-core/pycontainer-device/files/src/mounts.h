// SPDX-License-Identifier: MIT
// The kernel's file systems, and the way back: unmounting everything at the end.
#pragma once
#include "error.h"

// Replace the initramfs root by a bind mount of itself, so that pivot_root(2) works for containers; before any mount.
int mounts_move_root(struct error *err);
// proc, sys, dev, run, tmp and the cgroup hierarchy with its controllers; kernel settings of PID 1.
int mounts_kernel(struct error *err);
// Unmount all that this program mounted, storage last; returns how many mounts these were. What is busy is made
// read-only, detached, and counted.
int mounts_undo(int *busy);
