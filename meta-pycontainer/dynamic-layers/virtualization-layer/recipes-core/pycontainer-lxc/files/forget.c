// SPDX-License-Identifier: MIT
#include "common.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CGROUP "/sys/fs/cgroup/"

int forget(const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, CGROUP "pycontainer/%s/cgroup.kill", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t wrote = write(fd, "1", 1);
		(void)wrote;
		close(fd);
	}
	static const char *const groups[] = {"pycontainer/%s/.lxc", "pycontainer/%s", "lxc.monitor/%s"};
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		char group[PATH_SIZE / 2];
		snprintf(group, sizeof group, groups[i], name); // NOLINT: the forms are those above
		snprintf(path, sizeof path, CGROUP "%s", group);
		for (int tries = 0; tries < 100 && rmdir(path) < 0 && errno == EBUSY; tries++)
			usleep(10000);
	}
	snprintf(path, sizeof path, ROOT "/%s", name);
	unlink(path);
	return 0;
}
