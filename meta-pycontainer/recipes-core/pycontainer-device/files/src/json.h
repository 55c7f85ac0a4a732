// SPDX-License-Identifier: MIT
// Strict JSON: no duplicate keys, no trailing bytes, and typed access whose errors name the key.
#pragma once
#include "error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Parse one object; anything else is refused. Free with json_decref.
json_t *json_object_parse(const char *text, size_t length, struct error *err);
const char *json_get_text(const json_t *object, const char *key, struct error *err);
int json_get_number(const json_t *object, const char *key, uint64_t low, uint64_t high, uint64_t *out, struct error *err);
// The same where the key may be absent: then it is `fallback`, which need not be in the range.
int json_get_number_or(const json_t *object, const char *key, uint64_t low, uint64_t high, uint64_t fallback,
		       uint64_t *out, struct error *err);
// Is the key there, and not null?
bool json_present(const json_t *object, const char *key);
// True or false; false when the key is absent.
int json_get_flag(const json_t *object, const char *key, bool *out, struct error *err);
// One of a list of words that NULL ends, as its index.
int json_get_choice(const json_t *object, const char *key, const char *const words[], struct error *err);
json_t *json_get_object(const json_t *object, const char *key, struct error *err);
// An array of at most `most` entries; an absent key is an error.
json_t *json_get_array(const json_t *object, const char *key, size_t most, struct error *err);
// Copy a layer or volume name after checking its form.
int json_get_name(const json_t *object, const char *key, char *out, struct error *err);
// Copy the digits of "sha256:<hex>".
int json_get_digest(const json_t *object, const char *key, char *out, struct error *err);
// The text must be exactly this.
int json_expect_text(const json_t *object, const char *key, const char *wanted, struct error *err);
