// SPDX-License-Identifier: MIT
// The power button, and the end.
#pragma once
#include "error.h"
#include <stdbool.h>

#define BUTTONS_MOST 16

struct buttons {
	int fds[BUTTONS_MOST];
	char names[BUTTONS_MOST][16];
	int count;
};

// Open the input devices that have a power key and are not open yet; `added` is called with each new descriptor.
void power_scan(struct buttons *buttons, void (*added)(int fd, void *context), void *context);
// Read what a button says: true when it was pressed. A device that went away is closed and forgotten.
bool power_pressed(struct buttons *buttons, int fd);

enum end { END_POWER_OFF, END_RESTART };
// Stop the machine; what is not on the disk yet is lost. Does not return when this is PID 1.
void power_end(enum end end);
