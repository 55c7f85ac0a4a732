// SPDX-License-Identifier: MIT
// Read-only images mounted through loop devices.
#pragma once
#include "error.h"
#include "revision.h"

// Mount the SquashFS image that is open as `image` on a folder, which is made when missing. The descriptor stays the
// caller's.
int image_mount(int image, const char *target, struct error *err);
// Mount the modules image over /lib/modules, having checked that it is for the running kernel, and the firmware image
// over /lib/firmware when there is one. Each argument is a descriptor or -1.
int image_mount_modules(int image, struct error *err);
int image_mount_firmware(int image, struct error *err);
