// SPDX-License-Identifier: MIT
#include "process.h"
#include "file.h"
#include "json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_LIMIT (4u << 20)

static int set_command(json_t *process, const char *const *command, size_t count, struct error *err)
{
	json_t *words = json_array();

	for (size_t i = 0; words != NULL && i < count; i++)
		if (json_array_append_new(words, json_string(command[i])) < 0) {
			json_decref(words);
			words = NULL;
		}
	if (words == NULL || json_object_set_new(process, "args", words) < 0 ||
	    json_object_set_new(process, "noNewPrivileges", json_true()) < 0)
		return fail(err, "a command that is not UTF-8, or no memory for it");
	return 0;
}

int process_make(const char *config, const char *const *command, size_t count, const char *path, struct error *err)
{
	size_t length;
	char *text = file_read(AT_FDCWD, config, CONFIG_LIMIT, &length, err), *made = NULL;
	int result = -1;

	if (text == NULL)
		return -1;
	json_t *object = json_object_parse(text, length, err);
	json_t *process = object == NULL ? NULL : json_object_get(object, "process");
	if (object != NULL && !json_is_object(process))
		fail(err, "%s: says nothing of a process", config);
	else if (object != NULL && set_command(process, command, count, err) == 0 &&
		 (made = json_dumps(process, JSON_COMPACT)) == NULL)
		fail(err, "%s: no memory", path);
	if (made != NULL) {
		// What an earlier one of this name may have left.
		unlink(path);
		result = file_make(path, made, strlen(made), 0600, err);
	}
	free(made);
	free(text);
	json_decref(object);
	return result;
}
