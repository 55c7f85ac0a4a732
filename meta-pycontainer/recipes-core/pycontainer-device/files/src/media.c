// SPDX-License-Identifier: MIT
#include "media.h"
#include "disk.h"
#include "file.h"
#include "storage.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MEDIA "/run/pycontainer/media"
#define DISKS_MOST 64

// A label is padded with blanks or zeros, and may hold anything.
static void take_label(char label[LABEL_SIZE], const unsigned char *from, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length && from[i] != '\0' && used + 1 < LABEL_SIZE; i++)
		label[used++] = isprint(from[i]) ? (char)from[i] : '?';
	while (used > 0 && label[used - 1] == ' ')
		used--;
	label[used] = '\0';
}

// ext4: superblock at 1024, magic 0x38, label 0x78 (Documentation/filesystems/ext4). FAT: "FAT32   " at 82 with the label
// at 71, "FAT1" at 54 with the label at 43 (Microsoft's FAT specification, section 3). exFAT: "EXFAT   " at 3; its label
// lies in the root directory and is not read. ISO 9660: "CD001" at 32769, label 32808 (ECMA-119, 8.4).
const char *media_identify(const unsigned char *start, size_t length, char label[LABEL_SIZE])
{
	label[0] = '\0';
	if (length < MEDIA_START)
		return NULL;
	if (start[1024 + 0x38] == 0x53 && start[1024 + 0x39] == 0xef) {
		take_label(label, start + 1024 + 0x78, 16);
		return "ext4";
	}
	bool sector = start[510] == 0x55 && start[511] == 0xaa;
	if (sector && memcmp(start + 82, "FAT32   ", 8) == 0) {
		take_label(label, start + 71, 11);
		return "vfat";
	}
	if (sector && memcmp(start + 54, "FAT1", 4) == 0) {
		take_label(label, start + 43, 11);
		return "vfat";
	}
	if (sector && memcmp(start + 3, "EXFAT   ", 8) == 0)
		return "exfat";
	if (memcmp(start + 32769, "CD001", 5) == 0) {
		take_label(label, start + 32808, 32);
		return "iso9660";
	}
	return NULL;
}

static const char *identify(const char *device, char label[LABEL_SIZE])
{
	const char *type = NULL;
	unsigned char *start = malloc(MEDIA_START);
	int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (start != NULL && fd >= 0) {
		ssize_t got = pread(fd, start, MEDIA_START, 0);
		type = got < 0 ? NULL : media_identify(start, (size_t)got, label);
	}
	free(start);
	if (fd >= 0)
		close(fd);
	return type;
}

// The device's own storage is no medium, nor is another partition of the same disk: the ESP is one.
static bool is_own(const char *name)
{
	char path[64], target[PATH_MAX], own[64], disk[64];
	struct stat status;
	struct error ignored;
	unsigned number;

	if (stat(STORAGE, &status) < 0)
		return false;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(status.st_dev), minor(status.st_dev));
	ssize_t size = readlink(path, target, sizeof target - 1);
	if (size < 0)
		return false;
	target[size] = '\0';
	const char *slash = strrchr(target, '/'), *storage = slash == NULL ? target : slash + 1;
	if (strcmp(storage, name) == 0)
		return true;
	return disk_of_partition(own, &number, storage, &ignored) > 0 &&
	       disk_of_partition(disk, &number, name, &ignored) > 0 && strcmp(own, disk) == 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static size_t list(char names[DISKS_MOST][32])
{
	DIR *entries = opendir("/sys/class/block");
	const struct dirent *entry;
	size_t count = 0;

	while (entries != NULL && count < DISKS_MOST && (entry = readdir(entries)) != NULL) {
		const char *name = entry->d_name;
		if (name[0] == '.' || strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0 || strlen(name) >= 32)
			continue;
		strcpy(names[count++], name);
	}
	if (entries != NULL)
		closedir(entries);
	qsort(names, count, sizeof *names, compare);
	return count;
}

int media_search(const char *label, int (*each)(void *context, const char *folder, struct error *err), void *context,
		 unsigned *looked, struct error *err)
{
	char names[DISKS_MOST][32], device[64], found[LABEL_SIZE];
	int result = 0;

	*looked = 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail_errno(err, "media");
	if (folder_make(MEDIA, 0700, err) < 0)
		return -1;
	size_t count = list(names);
	for (size_t i = 0; i < count && result == 0; i++) {
		snprintf(device, sizeof device, "/dev/%s", names[i]);
		const char *type = is_own(names[i]) ? NULL : identify(device, found);
		if (type == NULL || (label != NULL && strcmp(label, found) != 0))
			continue;
		// Read-only means for ext4 that its journal is replayed all the same, unless it is told not to.
		const char *options = strcmp(type, "ext4") == 0 ? "noload" : NULL;
		// One that cannot be mounted, for lack of its module or as it is damaged, does not hide the others.
		if (mount(device, MEDIA, type, MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, options) < 0)
			continue;
		(*looked)++;
		result = each(context, MEDIA, err);
		umount2(MEDIA, MNT_DETACH | UMOUNT_NOFOLLOW);
		if (result < 0)
			fail_in(err, "%s", device);
	}
	return result;
}
