// SPDX-License-Identifier: MIT
#include "ports.h"
#include "file.h"
#include "text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASS "/sys/class/virtio-ports"

// The name that the machine's maker gave a virtio port lies beside it in sysfs, with a newline.
static int has_name(const char *entry, const char *name)
{
	char path[320];
	struct error ignored;
	size_t length;

	snprintf(path, sizeof path, CLASS "/%.200s/name", entry);
	char *text = file_read(AT_FDCWD, path, 256, &length, &ignored);
	if (text == NULL)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	int same = strcmp(text, name) == 0;
	free(text);
	return same;
}

int ports_find(const char *name, char path[64])
{
	DIR *entries = opendir(CLASS);
	const struct dirent *entry;
	int found = -1;

	while (entries != NULL && found < 0 && (entry = readdir(entries)) != NULL)
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < 32 && has_name(entry->d_name, name)) {
			snprintf(path, 64, "/dev/%.31s", entry->d_name);
			found = 0;
		}
	if (entries != NULL)
		closedir(entries);
	if (found == 0 || strncmp(name, "tty", 3) != 0 || strchr(name, '/') != NULL || strlen(name) > 32)
		return found;
	snprintf(path, 64, "/dev/%.32s", name);
	return access(path, F_OK);
}
