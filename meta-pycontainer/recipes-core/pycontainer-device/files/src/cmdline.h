// SPDX-License-Identifier: MIT
// The kernel command line: what the boot loader chose.
#pragma once
#include "error.h"
#include <stdbool.h>

struct cmdline {
	char revision[65];	// 64 hexadecimal digits: the revision's id
	char storage[37];	// UUID of the storage file system, lower case with dashes
	char esp[37];		// unique id of the partition with the boot record, likewise; empty: none
	char control[64];	// name of the port over which the device is controlled from outside; empty: none
	bool panic_poweroff;	// pycontainer.panic=poweroff: turn off after a fatal error instead of starting again
};

// Parse the text of /proc/cmdline. Unknown words belong to the kernel and are ignored; a repeated word of ours is
// refused, because the boot loader would then not be the one who chose.
int cmdline_parse(struct cmdline *out, const char *text, struct error *err);
int cmdline_read(struct cmdline *out, struct error *err);
