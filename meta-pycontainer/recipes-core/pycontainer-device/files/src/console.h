// SPDX-License-Identifier: MIT
// The kernel console: one line a step.
#pragma once
#include <stdint.h>

// Make /dev/console the standard input, output and error; without it the lines go to whatever is open.
void console_open(void);
// Write "pycontainer[   2.345] <text>\n" in one write; control characters in the text become '?'.
void console_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Milliseconds since the kernel started, sleep included.
uint64_t clock_ms(void);
