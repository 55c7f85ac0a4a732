// SPDX-License-Identifier: MIT
#include "health_config.h"
#include "container_config.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 256

// The words that are run; an argument may be empty, the program may not.
static int parse_command(struct health_check *health, const json_t *object, struct error *err)
{
	const json_t *words = json_get_array(object, "command", WORDS_MOST, err);

	if (words == NULL)
		return -1;
	health->command = calloc(json_array_size(words) + 1, sizeof *health->command);
	if (health->command == NULL)
		return fail_errno(err, "command");
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));
		if (word == NULL)
			return fail(err, "command[%zu]: not a text", i);
		health->command[i] = strdup(word);
		if (health->command[i] == NULL)
			return fail_errno(err, "command");
	}
	return health->command[0] == NULL || health->command[0][0] == '\0' ? fail(err, "command: names no program") : 0;
}

// A path that stands as it is in a request's first line.
static int parse_http(struct health_check *health, const json_t *object, uint64_t *port, struct error *err)
{
	const json_t *http = json_get_object(object, "http", err);

	if (http == NULL)
		return -1;
	const char *path = json_get_text(http, "path", err);
	if (path == NULL || json_get_number(http, "port", 1, UINT16_MAX, port, err) < 0)
		return fail_in(err, "http");
	size_t length = strlen(path);
	if (path[0] != '/' || length > PATH_MOST)
		return fail(err, "http: path: not 1 to %d characters that begin with /", PATH_MOST);
	for (size_t i = 0; i < length; i++)
		if (path[i] <= ' ' || path[i] > '~')
			return fail(err, "http: path: a character that a request cannot hold");
	health->path = strdup(path);
	return health->path == NULL ? fail_errno(err, "http") : 0;
}

int health_config_parse(struct health_check *health, const json_t *layer, struct error *err)
{
	uint64_t port = 0;
	int result = 0;

	if (!json_present(layer, "health"))
		return 0;
	const json_t *object = json_get_object(layer, "health", err);
	if (object == NULL)
		return -1;
	bool command = json_object_get(object, "command") != NULL, tcp = json_object_get(object, "tcp") != NULL,
	     http = json_object_get(object, "http") != NULL;
	if (command + tcp + http != 1)
		return fail(err, "not exactly one of command, tcp and http");
	health->kind = command ? HEALTH_COMMAND : tcp ? HEALTH_TCP : HEALTH_HTTP;
	if (command)
		result = parse_command(health, object, err);
	else if (tcp)
		result = json_get_number(object, "tcp", 1, UINT16_MAX, &port, err);
	else
		result = parse_http(health, object, &port, err);
	health->port = (unsigned)port;
	if (result < 0 || json_get_number_or(object, "startPeriodMs", 0, NATURAL_MOST, 0, &health->start_period_ms, err) < 0 ||
	    json_get_number_or(object, "intervalMs", 1, NATURAL_MOST, 30000, &health->interval_ms, err) < 0 ||
	    json_get_number_or(object, "timeoutMs", 1, NATURAL_MOST, 30000, &health->timeout_ms, err) < 0)
		return -1;
	return json_get_number_or(object, "retries", 1, NATURAL_MOST, 3, &health->retries, err);
}

void health_config_free(struct health_check *health)
{
	for (char **word = health->command; word != NULL && *word != NULL; word++)
		free(*word);
	free(health->command);
	free(health->path);
}
