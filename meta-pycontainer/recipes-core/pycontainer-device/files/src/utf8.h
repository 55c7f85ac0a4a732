// SPDX-License-Identifier: MIT
// Bytes of any origin as texts that are safe to pass on.
#pragma once
#include <jansson.h>
#include <stddef.h>

// Copy bytes as valid UTF-8: what is none, and zero bytes, become U+FFFD. `out` has room for 3 * length. Returns the
// length.
size_t utf8_clean(char *out, const char *bytes, size_t length);
// How many of the bytes at most `most` can be taken without cutting a character in two.
size_t utf8_cut(const char *bytes, size_t length, size_t most);
// A JSON text of any bytes; NULL only without memory.
json_t *utf8_json(const char *bytes, size_t length);
