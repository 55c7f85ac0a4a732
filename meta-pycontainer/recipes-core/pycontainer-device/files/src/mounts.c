// SPDX-License-Identifier: MIT
#include "mounts.h"
#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define ROOM_PART 16
#define ROOM_LEAST (16u << 20)

static const struct {
	const char *source, *target, *type, *options;
	unsigned long flags;
} kernel_mounts[] = {
	{"proc", "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"sysfs", "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"devtmpfs", "/dev", "devtmpfs", "mode=0755", MS_NOSUID | MS_NOEXEC},
	{"devpts", "/dev/pts", "devpts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC},
	{"tmpfs", "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"tmpfs", "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV},
	// Apart from /run, so that a container that fills its volume leaves the runtime its room.
	{"tmpfs", "/run/pycontainer/boot-volumes", "tmpfs", "mode=0711", MS_NOSUID | MS_NODEV},
	{"tmpfs", "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", "nsdelegate", MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

// What containers are made from is passed through by users who are nobody on the device: they may enter, and not look.
static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{"/run/crun", 0700},		    {"/run/pycontainer/layers", 0700},	{"/run/pycontainer/bundles", 0711},
	{"/run/pycontainer/volumes", 0711}, {"/sys/fs/cgroup/pycontainer", 0755},
};

int mounts_move_root(struct error *err)
{
	// The kernel's rootfs has no parent mount, and pivot_root(2) refuses such a root.
	if (mkdir("/.root", 0755) < 0 && errno != EEXIST)
		return fail_errno(err, "/.root");
	if (mount("/", "/.root", NULL, MS_BIND, NULL) < 0 || chdir("/.root") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fail_errno(err, "moving the root mount");
	return 0;
}

static int enable_controllers(const char *group, struct error *err)
{
	// One write each: a kernel without one of them refuses a write that names all.
	static const char *const controllers[] = {"+cpu", "+io", "+memory", "+pids"};
	char path[128];

	snprintf(path, sizeof path, "%s/cgroup.subtree_control", group);
	for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++)
		if (file_put(path, controllers[i], err) < 0 && errno != EINVAL && errno != ENOENT)
			return fail_in(err, "controller %s", controllers[i] + 1);
	return 0;
}

// All containers together leave the host enough to go on. A kernel without the controller has no such limit.
static int leave_room(struct error *err)
{
	struct sysinfo machine;
	char text[32];

	if (sysinfo(&machine) < 0)
		return fail_errno(err, "sysinfo");
	uint64_t all = (uint64_t)machine.totalram * machine.mem_unit;
	uint64_t room = all / ROOM_PART > ROOM_LEAST ? all / ROOM_PART : ROOM_LEAST;
	if (all < 2 * room)
		return 0;
	snprintf(text, sizeof text, "%" PRIu64, all - room);
	return file_put("/sys/fs/cgroup/pycontainer/memory.max", text, err) < 0 && errno != ENOENT ? -1 : 0;
}

int mounts_kernel(struct error *err)
{
	for (size_t i = 0; i < sizeof kernel_mounts / sizeof *kernel_mounts; i++) {
		if (folder_make(kernel_mounts[i].target, 0755, err) < 0)
			return -1;
		if (mount(kernel_mounts[i].source, kernel_mounts[i].target, kernel_mounts[i].type, kernel_mounts[i].flags,
			  kernel_mounts[i].options) < 0 && errno != EBUSY)
			return fail_errno(err, "mounting %s", kernel_mounts[i].target);
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (folder_make(folders[i].path, folders[i].mode, err) < 0)
			return -1;
	if (enable_controllers("/sys/fs/cgroup", err) < 0 || enable_controllers("/sys/fs/cgroup/pycontainer", err) < 0 ||
	    leave_room(err) < 0)
		return -1;
	// A dead PID 1 is a kernel panic: the machine must start again and not stand still.
	return file_put("/proc/sys/kernel/panic", "10", err);
}

// Does /proc/self/mountinfo's octal-escaped mount point lie at or below one of ours?
static int is_ours(const char *path)
{
	static const char *const roots[] = {"/run/pycontainer", "/lib/modules", "/usr/lib/modules", "/lib/firmware",
					    "/usr/lib/firmware", "/storage"};

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		size_t length = strlen(roots[i]);
		if (strncmp(path, roots[i], length) == 0 && (path[length] == '\0' || path[length] == '/'))
			return 1;
	}
	return 0;
}

int mounts_undo(int *busy)
{
	enum { most = 1024 };
	char **points = calloc(most, sizeof *points);
	char line[4096];
	int count = 0;
	FILE *table = fopen("/proc/self/mountinfo", "re");

	*busy = 0;
	while (points != NULL && table != NULL && count < most && fgets(line, sizeof line, table) != NULL) {
		char point[1024];
		if (sscanf(line, "%*s %*s %*s %*s %1023s", point) == 1 && is_ours(point))
			if ((points[count] = strdup(point)) != NULL)
				count++;
	}
	if (table != NULL)
		fclose(table);
	// The table lists mounts in the order they were made, so the reverse never meets a mount that carries another.
	for (int i = count - 1; i >= 0; i--) {
		if (umount2(points[i], UMOUNT_NOFOLLOW) < 0 && errno != EINVAL) {
			(*busy)++;
			mount(NULL, points[i], NULL, MS_REMOUNT | MS_RDONLY, NULL);
			umount2(points[i], MNT_DETACH | UMOUNT_NOFOLLOW);
		}
		free(points[i]);
	}
	free(points);
	return count;
}
