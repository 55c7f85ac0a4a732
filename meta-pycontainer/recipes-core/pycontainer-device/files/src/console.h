// SPDX-License-Identifier: MIT
// The kernel console: one line a step.
#pragma once
#include <stdint.h>

// Make a terminal (/dev/console) the standard input, output and error; /dev/null when it cannot be opened. It never
// stops this program: software flow control is turned off, and a line that it does not take is dropped.
void console_open(const char *path);
// Write "pycontainer[   2.345] <text>\n"; all but printable ASCII in the text becomes '?'.
void console_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Milliseconds since the kernel started, sleep included.
uint64_t clock_ms(void);
