// SPDX-License-Identifier: MIT
#include "request.h"
#include "json.h"

#include <string.h>

#define TEXT_MOST 4095
#define TEXTS_MOST 256
#define DIGITS_LEAST 4

static const char *digits_of(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
}

static int check_revision(const char *name, const char *text, struct error *err)
{
	const char *digits = digits_of(text);
	size_t count = 0;

	while (count <= 64 && text_is_hex_digit(digits[count]))
		count++;
	if (digits[count] == '\0' && count >= DIGITS_LEAST && count <= 64)
		return 0;
	return fail(err, "%s: not a revision (sha256:<64 hex digits>, or at least the first %d of them): %.80s", name,
		    DIGITS_LEAST, text);
}

static int check_text(const char *name, const json_t *value, struct error *err)
{
	char copy[TEXT_MOST + 1];

	if (!json_is_string(value))
		return fail(err, "%s: not a text", name);
	return text_copy(copy, sizeof copy, json_string_value(value), err) < 0 ? fail_in(err, "%s", name) : 0;
}

// The words of a command line: any text will do, an empty one too, but not as the program.
static int check_texts(const char *name, const json_t *value, struct error *err)
{
	size_t count = json_array_size(value);

	if (!json_is_array(value) || count < 1 || count > TEXTS_MOST)
		return fail(err, "%s: not an array of 1 to %d texts", name, TEXTS_MOST);
	for (size_t i = 0; i < count; i++)
		if (!json_is_string(json_array_get(value, i)))
			return fail(err, "%s: entry %zu is not a text", name, i);
	return json_string_length(json_array_get(value, 0)) > 0 ? 0 : fail(err, "%s: the program is an empty text", name);
}

static int check_argument(const json_t *object, const struct argument *argument, struct error *err)
{
	const json_t *value = json_object_get(object, argument->name);
	char name[NAME_SIZE], hex[HEX_SIZE];
	uint64_t number;

	if (value == NULL)
		return argument->use == USE_NEEDED ? fail(err, "%s: missing", argument->name) : 0;
	switch (argument->form) {
	case FORM_NAME:
		return json_get_name(object, argument->name, name, err);
	case FORM_TEXT:
		return check_text(argument->name, value, err);
	case FORM_TEXTS:
		return check_texts(argument->name, value, err);
	case FORM_NUMBER:
		return json_get_number(object, argument->name, 0, argument->most, &number, err);
	case FORM_FLAG:
		return json_is_boolean(value) ? 0 : fail(err, "%s: neither true nor false", argument->name);
	case FORM_DIGEST:
		return json_get_digest(object, argument->name, hex, err);
	case FORM_REVISION:
		return json_is_string(value) ? check_revision(argument->name, json_string_value(value), err)
					     : fail(err, "%s: not a text", argument->name);
	}
	return fail(err, "%s: of no known form", argument->name);
}

static bool is_argument(const struct verb_entry *entry, const char *key)
{
	for (size_t i = 0; i < ARGUMENTS_MOST && entry->arguments[i].name != NULL; i++)
		if (strcmp(entry->arguments[i].name, key) == 0)
			return true;
	return false;
}

int request_check(const json_t *object, enum verb verb, struct error *err)
{
	const struct verb_entry *entry = &verbs[verb];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		if (strcmp(key, "verb") != 0 && strcmp(key, "id") != 0 && !is_argument(entry, key))
			return fail(err, "%s: no argument of %s", key, entry->name);
	for (size_t i = 0; i < ARGUMENTS_MOST && entry->arguments[i].name != NULL; i++)
		if (check_argument(object, &entry->arguments[i], err) < 0)
			return -1;
	return 0;
}

const json_t *request_id(const json_t *object)
{
	const json_t *id = json_object_get(object, "id");

	return json_is_string(id) && json_string_length(id) <= ID_MOST ? id : NULL;
}

enum parsed request_parse(const char *line, size_t length, enum verb *verb, json_t **object, struct error *err)
{
	*verb = VERB_COUNT;
	*object = json_object_parse(line, length, err);
	if (*object == NULL)
		return PARSED_OTHER;
	const json_t *name = json_object_get(*object, "verb");
	if (name == NULL && (json_object_get(*object, "data") != NULL || json_object_get(*object, "end") != NULL ||
			     json_object_get(*object, "copy") != NULL))
		return PARSED_INPUT;
	if (!json_is_string(name)) {
		fail(err, "verb: missing or not a text");
		json_decref(*object);
		*object = NULL;
		return PARSED_OTHER;
	}
	*verb = verb_find(json_string_value(name));
	if (*verb == VERB_COUNT) {
		fail(err, "no such verb: %.64s", json_string_value(name));
		return PARSED_WRONG;
	}
	if (json_object_get(*object, "id") != NULL && request_id(*object) == NULL) {
		fail(err, "id: not a text of at most %d bytes", ID_MOST);
		return PARSED_WRONG;
	}
	return request_check(*object, *verb, err) < 0 ? PARSED_WRONG : PARSED_REQUEST;
}

void request_revision(const json_t *arguments, const char *name, char out[HEX_SIZE])
{
	const char *text = json_string_value(json_object_get(arguments, name));
	const char *digits = text == NULL ? "" : digits_of(text);
	size_t length = strlen(digits);

	// The form was checked; a length of a text from elsewhere is not relied on.
	if (length >= HEX_SIZE)
		length = HEX_SIZE - 1;
	memcpy(out, digits, length);
	out[length] = '\0';
}
