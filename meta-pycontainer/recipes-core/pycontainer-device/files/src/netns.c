// SPDX-License-Identifier: MIT
#include "netns.h"
#include "file.h"
#include "netlink.h"
#include "program.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE (sizeof NETNS + NAME_SIZE)
// What a child does takes milliseconds, unless the kernel loads modules meanwhile.
#define CHILD_MS 20000
#define KILL_MS 5000

// Run something in a short-lived process; what went wrong there comes back as this process's error.
static int in_child(int (*run)(void *context, struct error *err), void *context, struct error *err)
{
	struct error told = {""};
	int report[2], status;

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail_errno(err, "pipe");
	pid_t child = fork();
	if (child == 0) {
		if (run(context, &told) == 0)
			_exit(0);
		_exit(write(report[1], &told, sizeof told) == (ssize_t)sizeof told ? 1 : 2);
	}
	close(report[1]);
	int result = -1;
	if (child < 0) {
		fail_errno(err, "fork");
	} else if (!program_wait(child, &status, CHILD_MS)) {
		kill(child, SIGKILL);
		program_wait(child, &status, KILL_MS);
		fail(err, "the kernel does not answer");
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		result = 0;
	} else if (read(report[0], &told, sizeof told) == (ssize_t)sizeof told) {
		*err = told;
	} else {
		fail(err, "the process for it ended early");
	}
	close(report[0]);
	return result;
}

// In a child: /proc/sys/net shows the settings of the reader's own network namespace.
static int make(void *context, struct error *err)
{
	const char *path = context;

	if (unshare(CLONE_NEWNET) < 0)
		return fail_errno(err, "new network namespace");
	// No IPv6 address for what comes later; loopback keeps ::1, which programs are used to.
	if (file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", err) < 0 && errno != ENOENT)
		return -1;
	// Containers have no capabilities, so nobody could serve on port 80; here it is nobody else's port.
	if (file_put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", err) < 0)
		return -1;
	if (netlink_up("lo", err) < 0)
		return -1;
	// Last: a name means a namespace that is whole.
	return mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0 ? fail_errno(err, "mounting it") : 0;
}

static int netns_path(char path[PATH_SIZE], const char *layer, struct error *err)
{
	if (!text_is_name(layer))
		return fail(err, "network namespace: %.60s: no layer's name", layer);
	snprintf(path, PATH_SIZE, NETNS "/%s", layer);
	return 0;
}

int netns_open(const char *layer, struct error *err)
{
	char path[PATH_SIZE];

	if (netns_path(path, layer, err) < 0 || folder_make(NETNS, 0700, err) < 0)
		return -1;
	for (bool made = false;; made = true) {
		struct statfs status;
		int fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 || fstatfs(fd, &status) < 0) {
			fail_errno(err, "%s", path);
			if (fd >= 0)
				close(fd);
			return -1;
		}
		if (status.f_type == NSFS_MAGIC)
			return fd;
		// An empty file, new or left by one who failed half-way.
		close(fd);
		if (made)
			return fail(err, "%s: is no network namespace", path);
		if (in_child(make, path, err) < 0)
			return fail_in(err, "%s", path);
	}
}

struct visit {
	int netns;
	int (*run)(void *context, struct error *err);
	void *context;
};

static int enter(void *context, struct error *err)
{
	const struct visit *visit = context;

	if (setns(visit->netns, CLONE_NEWNET) < 0)
		return fail_errno(err, "entering the network namespace");
	return visit->run(visit->context, err);
}

int netns_run(int netns, int (*run)(void *context, struct error *err), void *context, struct error *err)
{
	struct visit visit = {netns, run, context};

	return in_child(enter, &visit, err);
}

int netns_remove(const char *layer, struct error *err)
{
	char path[PATH_SIZE];

	if (netns_path(path, layer, err) < 0)
		return -1;
	// Not mounted on: EINVAL.
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return fail_errno(err, "%s", path);
	return unlink(path) < 0 && errno != ENOENT ? fail_errno(err, "%s", path) : 0;
}
