// SPDX-License-Identifier: MIT
#include "volume.h"
#include "file.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

// Make parent/name with owner and mode. An existing folder keeps what the product gave it at first, its content and
// its owner: a container may have changed them on purpose.
static int make(const char *parent, const struct volume *volume, struct error *err)
{
	int folder = -1, made = -1, result = -1;

	if (folder_make(parent, 0711, err) < 0)
		return -1;
	folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail_errno(err, "%s", parent);
	// A hidden name until owner and mode are right: a power cut leaves no folder that belongs to the wrong user.
	char hidden[NAME_SIZE + 8];
	snprintf(hidden, sizeof hidden, ".%s.new", volume->name);
	struct stat status;
	if (fstatat(folder, volume->name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		result = S_ISDIR(status.st_mode) ? 0 : fail(err, "%s/%s: not a folder", parent, volume->name);
	} else if (mkdirat(folder, hidden, 0700) < 0 && errno != EEXIST) {
		fail_errno(err, "%s/%s", parent, hidden);
	} else {
		made = openat(folder, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (made < 0 || fchown(made, volume->uid, volume->gid) < 0 || fchmod(made, volume->mode) < 0 ||
		    fsync(made) < 0 || renameat(folder, hidden, folder, volume->name) < 0 || fsync(folder) < 0)
			fail_errno(err, "%s/%s", parent, volume->name);
		else
			result = 0;
	}
	if (made >= 0)
		close(made);
	close(folder);
	return result;
}

static int mount_one(const struct revision *revision, const struct layer *layer, const struct volume *volume,
		     struct error *err)
{
	char parent[PATH_MAX], source[PATH_MAX + NAME_SIZE + 1], target[PATH_MAX];

	if (volume->kind == VOLUME_PERMANENT)
		snprintf(parent, sizeof parent, STORAGE "/volumes/%s", layer->name);
	else if (volume->kind == VOLUME_REVISION)
		snprintf(parent, sizeof parent, STORAGE "/revisions/%s/volumes/%s", revision->id, layer->name);
	else
		snprintf(parent, sizeof parent, "/run/pycontainer/boot-volumes/%s", layer->name);
	if (make(parent, volume, err) < 0)
		return -1;
	snprintf(source, sizeof source, "%s/%s", parent, volume->name);
	snprintf(target, sizeof target, "/run/pycontainer/volumes/%s/%s", layer->name, volume->name);
	if (folder_make(target, 0711, err) < 0)
		return -1;
	// Storage itself is mounted without execution; a volume may hold programs, but no devices and no set-uid ones.
	if (mount(source, target, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOATIME, NULL) < 0)
		return fail_errno(err, "mounting %s", target);
	return 0;
}

int volume_mount_all(const struct revision *revision, const struct layer *layer, struct error *err)
{
	for (size_t i = 0; i < layer->volume_count; i++)
		if (mount_one(revision, layer, &layer->volumes[i], err) < 0)
			return fail_in(err, "volume %s", layer->volumes[i].name);
	return 0;
}
