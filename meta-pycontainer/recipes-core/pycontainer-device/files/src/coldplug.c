// SPDX-License-Identifier: MIT
#include "console.h"
#include "modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The aliases that were looked up already: most devices of a machine share a few.
struct seen {
	char **names;
	size_t count, room;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// True when the name is new; it is kept then.
static bool remember(struct seen *seen, const char *name)
{
	size_t low = 0, high = seen->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(&name, &seen->names[middle]);
		if (order == 0)
			return false;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (seen->count == seen->room) {
		size_t room = seen->room == 0 ? 64 : seen->room * 2;
		char **names = realloc(seen->names, room * sizeof *names);
		if (names == NULL)
			return true;
		seen->names = names;
		seen->room = room;
	}
	char *copy = strdup(name);
	if (copy == NULL)
		return true;
	memmove(seen->names + low + 1, seen->names + low, (seen->count - low) * sizeof *seen->names);
	seen->names[low] = copy;
	seen->count++;
	return true;
}

static int plug(struct modules *index, struct seen *seen, int folder, const char *device)
{
	char alias[512];

	snprintf(alias, sizeof alias, "%s/modalias", device);
	int fd = openat(folder, alias, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t length = read(fd, alias, sizeof alias - 1);
	close(fd);
	if (length <= 0)
		return 0;
	alias[length] = '\0';
	alias[strcspn(alias, "\n")] = '\0';
	if (alias[0] == '\0' || !remember(seen, alias))
		return 0;
	struct error err;
	int loaded = modules_load(index, alias, &err);
	if (loaded < 0)
		console_line("modules: %s", err.text);
	return loaded > 0 ? loaded : 0;
}

static int plug_all(struct modules *index, struct seen *seen, const char *path)
{
	DIR *devices = opendir(path);
	const struct dirent *entry;
	int loaded = 0;

	while (devices != NULL && (entry = readdir(devices)) != NULL)
		if (entry->d_name[0] != '.')
			loaded += plug(index, seen, dirfd(devices), entry->d_name);
	if (devices != NULL)
		closedir(devices);
	return loaded;
}

// Devices that want a driver are on a bus; the machine's own identity and its inputs are classes. (The whole tree
// under /sys/devices holds ten times as many folders.)
static int plug_round(struct modules *index, struct seen *seen)
{
	int loaded = plug_all(index, seen, "/sys/class/dmi") + plug_all(index, seen, "/sys/class/input");
	DIR *buses = opendir("/sys/bus");
	const struct dirent *entry;

	while (buses != NULL && (entry = readdir(buses)) != NULL) {
		char path[300];
		snprintf(path, sizeof path, "/sys/bus/%s/devices", entry->d_name);
		if (entry->d_name[0] != '.')
			loaded += plug_all(index, seen, path);
	}
	if (buses != NULL)
		closedir(buses);
	return loaded;
}

int modules_coldplug(struct modules *index)
{
	struct seen seen = {0};
	int total = 0, loaded;

	// A driver brings new devices (a bus, a partition): again, until a round loads nothing.
	do {
		loaded = plug_round(index, &seen);
		total += loaded;
	} while (loaded > 0);
	for (size_t i = 0; i < seen.count; i++)
		free(seen.names[i]);
	free(seen.names);
	return total;
}
