// SPDX-License-Identifier: MIT
// What the kernel tells of a container, whose texts that container chose.
#include "observed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char *paths[] = {"/bin/sh", "/tmp/"};
	static struct peer peers[] = {{.prefix = 3}, {.prefix = 128, .port = 53}};
	static const struct layer layer = {.name = "web", .user_base = 100000, .user_count = 65536, .observe = {
		.exec = WATCH_STOP, .programs = {2, paths}, .files = {2, paths}, .volumes = {1, paths}, .peer_count = 2, .peers = peers}};
	struct observed what;
	struct error err;
	char text[64];

	if (observed_parse(&what, data, size, &err) < 0)
		return 0;
	bool declared = observed_is_declared(&layer.observe, &what);
	if (declared && what.head.kind != OBSERVED_CONNECT && (what.path[0] != '/' || strstr(what.path, "/../") != NULL))
		__builtin_trap();
	observed_is_own(&layer.observe, &what);
	observed_text(&what, text, sizeof text);
	json_t *line = observed_json(&layer, &what, declared, 1767225600000);
	char *bytes = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
	// A line of the record is one line.
	if (bytes == NULL || strchr(bytes, '\n') != NULL)
		__builtin_trap();
	free(bytes);
	json_decref(line);
	return 0;
}
