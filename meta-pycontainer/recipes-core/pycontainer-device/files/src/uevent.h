// SPDX-License-Identifier: MIT
// The kernel's device events.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

// A non-blocking netlink socket that hears the kernel only.
int uevent_open(struct error *err);
// Wait up to a number of milliseconds for an event and forget all that came.
void uevent_wait(int fd, int timeout_ms);

struct uevents {
	bool device;	// something was added that names a driver it wants
	bool input;	// an input device was added
	bool port;	// a virtio port or a terminal was added, or got its name
	bool watchdog;	// what may be a watchdog was added
};
// Read all pending events.
struct uevents uevent_drain(int fd);
// Note what one message says, which is followed by a zero byte.
void uevent_note(struct uevents *events, const char *message, size_t length);
