// SPDX-License-Identifier: MIT
#include "lxc.h"
#include "file.h"
#include "json.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const files[] = {"config", "seccomp", "args"};

// A text without zero bytes and carriage returns: what LXC would read otherwise than we.
static char *parse_text(const json_t *object, const char *key, struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return NULL;
	if (json_string_length(json_object_get(object, key)) != strlen(text) || strlen(text) > LXC_TEXT_LIMIT ||
	    strchr(text, '\r') != NULL) {
		fail(err, "%s: not a plain text of at most %u bytes", key, LXC_TEXT_LIMIT);
		return NULL;
	}
	char *copy = strdup(text);
	if (copy == NULL)
		fail_errno(err, "%s", key);
	return copy;
}

static int parse_args(struct lxc_config *out, const json_t *object, struct error *err)
{
	const json_t *words = json_get_array(object, "args", LXC_WORDS_MOST, err);
	size_t index;
	json_t *word;

	if (words == NULL)
		return -1;
	json_array_foreach(words, index, word) {
		if (!json_is_string(word) || json_string_length(word) != strlen(json_string_value(word)))
			return fail(err, "args[%zu]: not a plain text", index);
		out->args_length += json_string_length(word) + 1;
	}
	if (json_array_size(words) == 0 || json_string_length(json_array_get(words, 0)) == 0)
		return fail(err, "args: names no program");
	if (out->args_length > LXC_TEXT_LIMIT)
		return fail(err, "args: more than %u bytes", LXC_TEXT_LIMIT);
	char *end = out->args = malloc(out->args_length);
	if (end == NULL)
		return fail_errno(err, "args");
	json_array_foreach(words, index, word) {
		memcpy(end, json_string_value(word), json_string_length(word) + 1);
		end += json_string_length(word) + 1;
	}
	return 0;
}

int lxc_config_parse(struct lxc_config *out, const char *text, size_t length, struct error *err)
{
	*out = (struct lxc_config){0};
	json_t *object = json_object_parse(text, length, err);

	if (object == NULL)
		return -1;
	int result = json_object_size(object) == 3 ? 0 : fail(err, "other members than args, config and seccomp");
	if (result == 0 && ((out->config = parse_text(object, "config", err)) == NULL ||
			    (out->seccomp = parse_text(object, "seccomp", err)) == NULL))
		result = -1;
	if (result == 0)
		result = parse_args(out, object, err);
	json_decref(object);
	return result;
}

void lxc_config_free(struct lxc_config *config)
{
	free(config->config);
	free(config->seccomp);
	free(config->args);
	*config = (struct lxc_config){0};
}

int lxc_config_write(const struct lxc_config *config, const char *folder, struct error *err)
{
	const char *const texts[] = {config->config, config->seccomp, config->args};
	const size_t lengths[] = {strlen(config->config), strlen(config->seccomp), config->args_length};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		if (file_make(path, texts[i], lengths[i], 0600, err) < 0)
			return -1;
	}
	return 0;
}

void lxc_config_remove(const char *folder)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		unlink(path);
	}
}
