// SPDX-License-Identifier: MIT
// The hardware watchdog: it restarts the machine when it is no longer fed (Documentation/watchdog/watchdog-api.rst).
#pragma once
#include "error.h"
#include <stdint.h>

struct watchdog {
	int fd;			// -1: none
	unsigned timeout_s;
	uint64_t next_ms;	// when it is to be fed next; UINT64_MAX: never
	char identity[33];	// what the driver calls it
	int (*control)(int fd, unsigned long request, void *argument);
};

// Open and start the first watchdog. Returns 1, or 0 when this machine has none, which is normal.
int watchdog_open(struct watchdog *watchdog, uint64_t now_ms, struct error *err);
// The same for other device files, the list ended by NULL, and with another function in place of ioctl(2): for the
// tests.
int watchdog_open_at(struct watchdog *watchdog, const char *const paths[],
		     int (*control)(int fd, unsigned long request, void *argument), uint64_t now_ms, struct error *err);
// Feed it when it is time. Only the main loop does, so that what is fed for is that the loop turns.
void watchdog_feed(struct watchdog *watchdog, uint64_t now_ms);
// The machine shall end. The watchdog runs on, for as long as it can be told to: a shutdown that hangs is ended by it,
// and the descriptor may be closed, which (without the letter that would stop it) does not stop it. Returns the seconds
// it gives, 0: there is none.
unsigned watchdog_leave(struct watchdog *watchdog);
