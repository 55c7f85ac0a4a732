// SPDX-License-Identifier: MIT
#include "usage.h"
#include "file.h"
#include "text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Digits and a line end.
static bool take(uint64_t *out, const char *text)
{
	uint64_t value = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9'; c++) {
		uint64_t digit = (uint64_t)(*c - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (c == text || *c != '\n')
		return false;
	*out = value;
	return true;
}

bool usage_number(uint64_t *out, const char *text)
{
	return take(out, text) && strchr(text, '\n')[1] == '\0';
}

bool usage_key(uint64_t *out, const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return take(out, line + length + 1);
	return false;
}

static void read_one(uint64_t *out, int folder, const char *file, const char *key)
{
	struct error ignored;
	size_t length;
	char *text = file_read(folder, file, 8192, &length, &ignored);

	*out = 0;
	if (text != NULL && !(key == NULL ? usage_number(out, text) : usage_key(out, text, key)))
		*out = 0;
	free(text);
}

int usage_read(struct usage *out, const char *group, struct error *err)
{
	int folder = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return fail_errno(err, "%s", group);
	read_one(&out->memory, folder, "memory.current", NULL);
	read_one(&out->memory_peak, folder, "memory.peak", NULL);
	read_one(&out->cpu_us, folder, "cpu.stat", "usage_usec");
	read_one(&out->processes, folder, "pids.current", NULL);
	read_one(&out->oom_kills, folder, "memory.events", "oom_kill");
	close(folder);
	return 0;
}

int usage_of(struct usage *out, const char *name, struct error *err)
{
	char group[NAME_SIZE + 64];

	snprintf(group, sizeof group, "/sys/fs/cgroup/pycontainer/%s", name);
	return usage_read(out, group, err);
}
