// SPDX-License-Identifier: MIT
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char optional[] = "optional";
// Means nothing to LXC, and is as long.
static const char nothing[] = "defaults";
_Static_assert(sizeof optional == sizeof nothing, "one takes the other's place");

// Where it is mounted, read as liblxc reads it.
static bool find_place(const char *entry, char out[PATH_MAX])
{
	char line[PATH_MAX];
	struct mntent parts;
	FILE *lines = fmemopen((void *)(uintptr_t)entry, strlen(entry), "r");
	bool found = lines != NULL && getmntent_r(lines, &parts, line, sizeof line) != NULL;

	if (found)
		snprintf(out, PATH_MAX, "%s", parts.mnt_dir + strspn(parts.mnt_dir, "/"));
	if (lines != NULL)
		fclose(lines);
	return found;
}

// A place that cannot be looked at may be there.
static bool is_there(const char *device, const char *place)
{
	char path[2 * PATH_MAX];
	struct stat status;

	snprintf(path, sizeof path, "%s/%s", device, place);
	return fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool mount_require(char *entry, const char *device)
{
	char place[PATH_MAX];
	bool changed = false;
	char *word = entry + strspn(entry, " \t");

	if (!find_place(entry, place) || (strncmp(place, "proc/", 5) != 0 && strncmp(place, "sys/", 4) != 0) ||
	    !is_there(device, place))
		return false;
	// The fourth field.
	for (int i = 0; i < 3; i++) {
		word += strcspn(word, " \t");
		word += strspn(word, " \t");
	}
	while (*word != '\0' && *word != ' ' && *word != '\t') {
		size_t length = strcspn(word, ", \t");
		if (length == sizeof optional - 1 && memcmp(word, optional, length) == 0) {
			memcpy(word, nothing, length);
			changed = true;
		}
		word += length + (word[length] == ',');
	}
	return changed;
}
