// SPDX-License-Identifier: MIT
// File systems on attached disks and sticks: looked at read-only, in a mount namespace of this process alone, so that
// nothing of them outlives it. For processes apart from process 1 only.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

#define MEDIA_START 36864	// bytes at the start of a device that media_identify needs
#define LABEL_SIZE 40

// The type of a file system, as mount(2) names it, and its label, by the start of its device; NULL: none that a stick
// would have.
const char *media_identify(const unsigned char *start, size_t length, char label[LABEL_SIZE]);
// Mount one file system after the other, all but the device's own, or those with this label only (NULL: any), and call
// `each` with the folder, until it returns other than 0: 1 ends the search well, -1 with an error. Returns what the last
// call did; 0: nothing was found, *looked tells at how many.
int media_search(const char *label, int (*each)(void *context, const char *folder, struct error *err), void *context,
		 unsigned *looked, struct error *err);
