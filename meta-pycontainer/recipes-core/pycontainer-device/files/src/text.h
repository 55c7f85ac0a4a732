// SPDX-License-Identifier: MIT
// Strict forms of names and digests.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

#define NAME_SIZE 64	// [a-z0-9][a-z0-9._-]{0,62} and the terminating zero
#define HEX_SIZE 65	// 64 hexadecimal digits and the terminating zero

bool text_is_hex_digit(char c);
bool text_is_hex64(const char *text);
bool text_is_name(const char *text);
// Copy the 64 digits out of "sha256:<64 lower-case hex digits>".
int text_digest(char out[HEX_SIZE], const char *text, struct error *err);
// Bytes to lower-case hexadecimal; out has room for 2 * length + 1.
void text_to_hex(char *out, const unsigned char *bytes, size_t length);
// Copy a printable text that must fit, terminating zero included.
int text_copy(char *out, size_t size, const char *text, struct error *err);
