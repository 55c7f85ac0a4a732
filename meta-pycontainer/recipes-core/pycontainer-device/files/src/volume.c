// SPDX-License-Identifier: MIT
#include "volume.h"
#include "file.h"
#include "idmap.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A link on the way could lead to another container's volume or to the host's own files; none was put there by us.
static int open_folder(const char *path, struct error *err)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

	return fd < 0 ? fail_errno(err, "%s", path) : fd;
}

// Make a folder with owner and mode.
static int make(int parent, const struct volume *volume, struct error *err)
{
	// A hidden name until owner and mode are right: a power cut leaves no folder that belongs to the wrong user.
	char hidden[NAME_SIZE + 8];

	snprintf(hidden, sizeof hidden, ".%s.new", volume->name);
	if (mkdirat(parent, hidden, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "%s", hidden);
	int made = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (made < 0)
		return fail_errno(err, "%s", hidden);
	int result = 0;
	if (fchown(made, volume->uid, volume->gid) < 0 || fchmod(made, volume->mode) < 0 || fsync(made) < 0 ||
	    renameat(parent, hidden, parent, volume->name) < 0 || fsync(parent) < 0)
		result = fail_errno(err, "%s", volume->name);
	close(made);
	return result;
}

// Open parent/name, made when missing. An existing folder keeps what the product gave it at first, its content and its
// owner: a container may have changed them on purpose.
static int open_volume(const char *parent, const struct volume *volume, struct error *err)
{
	enum { flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

	if (folder_make(parent, 0711, err) < 0)
		return -1;
	int folder = open_folder(parent, err);
	if (folder < 0)
		return -1;
	int fd = openat(folder, volume->name, flags);
	if (fd < 0 && errno != ENOENT)
		fail_errno(err, "%s/%s", parent, volume->name);
	else if (fd < 0 && make(folder, volume, err) < 0)
		fail_in(err, "%s", parent);
	else if (fd < 0 && (fd = openat(folder, volume->name, flags)) < 0)
		fail_errno(err, "%s/%s", parent, volume->name);
	close(folder);
	return fd;
}

static int mount_one(const struct revision *revision, const struct layer *layer, const struct volume *volume,
		     struct error *err)
{
	char parent[PATH_MAX], source[64], target[PATH_MAX];

	if (volume->kind == VOLUME_PERMANENT)
		snprintf(parent, sizeof parent, STORAGE "/volumes/%s", layer->name);
	else if (volume->kind == VOLUME_REVISION)
		snprintf(parent, sizeof parent, STORAGE "/revisions/%s/volumes/%s", revision->id, layer->name);
	else
		snprintf(parent, sizeof parent, "/run/pycontainer/boot-volumes/%s", layer->name);
	snprintf(target, sizeof target, "/run/pycontainer/volumes/%s/%s", layer->name, volume->name);
	if (folder_make(target, 0711, err) < 0)
		return -1;
	int fd = open_volume(parent, volume, err);
	if (fd < 0)
		return -1;
	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	// Storage itself is mounted without execution; a volume may hold programs, but no devices and no set-uid ones.
	int result = 0;
	if (mount(source, target, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOATIME, NULL) < 0)
		result = fail_errno(err, "mounting %s", target);
	close(fd);
	return result < 0 ? -1 : idmap_mount(layer, target, err);
}

int volume_mount_all(const struct revision *revision, const struct layer *layer, struct error *err)
{
	for (size_t i = 0; i < layer->volume_count; i++)
		if (mount_one(revision, layer, &layer->volumes[i], err) < 0)
			return fail_in(err, "volume %s", layer->volumes[i].name);
	return 0;
}

void volume_unmount_all(const struct layer *layer)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < layer->volume_count; i++) {
		snprintf(target, sizeof target, "/run/pycontainer/volumes/%s/%s", layer->name, layer->volumes[i].name);
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
}
