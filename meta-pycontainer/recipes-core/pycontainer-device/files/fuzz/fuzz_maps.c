// SPDX-License-Identifier: MIT
// A line of a process's maps: its path is a name that a container chose.
#include "warm.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *line = malloc(size + 1);

	if (line == NULL)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	const char *path = warm_path(line);
	if (path != NULL && (path[0] != '/' || strchr(path, '\n') != NULL))
		__builtin_trap();
	free(line);
	return 0;
}
