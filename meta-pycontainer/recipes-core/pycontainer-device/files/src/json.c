// SPDX-License-Identifier: MIT
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

json_t *json_object_parse(const char *text, size_t length, struct error *err)
{
	json_error_t problem;
	json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);

	if (value == NULL) {
		fail(err, "not valid JSON: %s at line %d, column %d", problem.text, problem.line, problem.column);
		return NULL;
	}
	if (!json_is_object(value)) {
		fail(err, "not a JSON object");
		json_decref(value);
		return NULL;
	}
	return value;
}

const char *json_get_text(const json_t *object, const char *key, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value)) {
		fail(err, "%s: missing or not a text", key);
		return NULL;
	}
	return json_string_value(value);
}

int json_get_number(const json_t *object, const char *key, uint64_t low, uint64_t high, uint64_t *out, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return fail(err, "%s: missing or not an integer", key);
	json_int_t number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < low || (uint64_t)number > high)
		return fail(err, "%s: not within %" PRIu64 " to %" PRIu64, key, low, high);
	*out = (uint64_t)number;
	return 0;
}

int json_get_number_or(const json_t *object, const char *key, uint64_t low, uint64_t high, uint64_t fallback,
		       uint64_t *out, struct error *err)
{
	if (json_object_get(object, key) == NULL) {
		*out = fallback;
		return 0;
	}
	return json_get_number(object, key, low, high, out, err);
}

bool json_present(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL && !json_is_null(value);
}

int json_get_flag(const json_t *object, const char *key, bool *out, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (value != NULL && !json_is_boolean(value))
		return fail(err, "%s: neither true nor false", key);
	*out = json_is_true(value);
	return 0;
}

int json_get_choice(const json_t *object, const char *key, const char *const words[], struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return -1;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return fail(err, "%s: unknown: %.60s", key, text);
}

json_t *json_get_object(const json_t *object, const char *key, struct error *err)
{
	json_t *value = json_object_get(object, key);

	if (json_is_object(value))
		return value;
	fail(err, "%s: missing or not an object", key);
	return NULL;
}

json_t *json_get_array(const json_t *object, const char *key, size_t most, struct error *err)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_array(value)) {
		fail(err, "%s: missing or not an array", key);
		return NULL;
	}
	if (json_array_size(value) > most) {
		fail(err, "%s: more than %zu entries", key, most);
		return NULL;
	}
	return value;
}

int json_get_name(const json_t *object, const char *key, char *out, struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return -1;
	if (!text_is_name(text))
		return fail(err, "%s: not a name ([a-z0-9][a-z0-9._-]*, at most 63 characters): %.80s", key, text);
	strcpy(out, text);
	return 0;
}

int json_get_digest(const json_t *object, const char *key, char *out, struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return -1;
	return text_digest(out, text, err) < 0 ? fail_in(err, "%s", key) : 0;
}

int json_expect_text(const json_t *object, const char *key, const char *wanted, struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return -1;
	return strcmp(text, wanted) == 0 ? 0 : fail(err, "%s is %.100s and not %s", key, text, wanted);
}
