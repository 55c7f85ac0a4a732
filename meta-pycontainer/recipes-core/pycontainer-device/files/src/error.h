// SPDX-License-Identifier: MIT
// An error is a text that is passed up to whoever can act on it; every fallible function returns -1 and fills one.
#pragma once
#include <stddef.h>

struct error {
	char text[320];
};

// Set the text; returns -1, so that "return fail(...)" reads well.
int fail(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same with ": " and the text of errno behind it.
int fail_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Put a text and ": " before what is there; returns -1.
int fail_in(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
