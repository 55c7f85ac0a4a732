// SPDX-License-Identifier: MIT
// Which mounts of a container may fail.
#pragma once
#include <stdbool.h>

// liblxc passes over whatever goes wrong with an optional mount, so that what it should hide or make read-only would lie
// open without a word. Those in /proc and /sys are optional because kernels differ in what they have there, and for no
// other reason: where the place of one is there, below `device` ("" is the device itself, whose kernel shows a container the
// same places), the word is taken out of `entry`, an lxc.mount.entry. Then LXC starts no container without this mount.
// Returns whether it was.
bool mount_require(char *entry, const char *device);
