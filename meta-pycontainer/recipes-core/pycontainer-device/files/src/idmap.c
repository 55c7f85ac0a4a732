// SPDX-License-Identifier: MIT
#include "idmap.h"
#include "file.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

// What the child does takes no time at all.
#define CHILD_MS 20000
// linux/mount.h and sys/mount.h cannot both be included, and this is of the latter.
#define DETACH 2

// A child in a user namespace of its own, until `hold` is closed.
static pid_t hold_namespace(int *hold, struct error *err)
{
	int ready[2], held[2];
	char byte = 0;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return fail_errno(err, "pipe");
	if (pipe2(held, O_CLOEXEC) < 0) {
		fail_errno(err, "pipe");
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	pid_t child = fork();
	if (child == 0) {
		close(held[1]);
		if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], &byte, 1) == 1)
			_exit(read(held[0], &byte, 1) == 0 ? 0 : 1);
		_exit(1);
	}
	close(ready[1]);
	close(held[0]);
	if (child < 0)
		fail_errno(err, "fork");
	else if (read(ready[0], &byte, 1) != 1)
		fail(err, "the kernel makes no user namespace");
	close(ready[0]);
	*hold = held[1];
	if (child < 0 || err->text[0] != '\0') {
		close(held[1]);
		*hold = -1;
	}
	return child;
}

static int write_map(pid_t child, const char *file, const struct layer *layer, struct error *err)
{
	char path[64], line[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)child, file);
	snprintf(line, sizeof line, "0 %u %u\n", layer->user_base, layer->user_count);
	return file_put(path, line, err);
}

// Open a user namespace that maps as the layer's does; it needs no process once it is open.
static int open_namespace(const struct layer *layer, struct error *err)
{
	char path[64];
	int hold = -1, space = -1, status;

	err->text[0] = '\0';
	pid_t child = hold_namespace(&hold, err);
	if (hold >= 0 && write_map(child, "uid_map", layer, err) == 0 && write_map(child, "gid_map", layer, err) == 0) {
		snprintf(path, sizeof path, "/proc/%d/ns/user", (int)child);
		space = open(path, O_RDONLY | O_CLOEXEC);
		if (space < 0)
			fail_errno(err, "%s", path);
	}
	if (hold >= 0)
		close(hold);
	if (child > 0 && !program_wait(child, &status, CHILD_MS))
		kill(child, SIGKILL);
	return space;
}

int idmap_mount(const struct layer *layer, const char *path, struct error *err)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP};

	if (layer->user_count == 0)
		return 0;
	int space = open_namespace(layer, err);
	if (space < 0)
		return fail_in(err, "user namespace");
	attributes.userns_fd = (unsigned)space;
	int result = -1;
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
		fail_errno(err, "mapping the owners of %s", path);
	else if (syscall(SYS_umount2, path, DETACH) < 0 ||
		 syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail_errno(err, "mounting %s", path);
	else
		result = 0;
	if (tree >= 0)
		close(tree);
	close(space);
	return result;
}
