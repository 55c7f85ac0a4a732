// SPDX-License-Identifier: MIT
#include "warm.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES_MOST (32u << 20)
#define FIELDS 5	// before the path: addresses, permissions, offset, device, inode

char *warm_path(char *line)
{
	for (int i = 0; i < FIELDS; i++) {
		line += strcspn(line, " \n");
		line += strspn(line, " ");
	}
	line[strcspn(line, "\n")] = '\0';
	return line[0] == '/' ? line : NULL;
}

// A link on the way, or a name that a container made up, leads nowhere outside.
static size_t read_below(int root, const char *path, size_t most)
{
	static unsigned char bytes[65536];
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	struct stat status;
	size_t sum = 0;
	ssize_t got = 1;
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		while (sum < most && (got = read(fd, bytes, sizeof bytes)) > 0)
			sum += (size_t)got;
	if (fd >= 0)
		close(fd);
	return sum;
}

void warm_like(pid_t process, const char *root)
{
	char name[64], *line = NULL, *last = NULL;
	size_t size = 0, left = BYTES_MOST;

	snprintf(name, sizeof name, "/proc/%d/maps", (int)process);
	FILE *maps = fopen(name, "re");
	int folder = maps == NULL ? -1 : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (folder >= 0 && left > 0 && getline(&line, &size, maps) > 0) {
		const char *path = warm_path(line);
		// The parts of a file follow each other.
		if (path == NULL || (last != NULL && strcmp(path, last) == 0))
			continue;
		size_t done = read_below(folder, path, left);
		left -= done < left ? done : left;
		free(last);
		last = strdup(path);
	}
	free(last);
	free(line);
	if (folder >= 0)
		close(folder);
	if (maps != NULL)
		fclose(maps);
}
