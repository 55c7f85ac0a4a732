// SPDX-License-Identifier: MIT
#include "esp.h"
#include "disk.h"
#include "file.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

// The number of the partition in a disk's table; 0 when there is none. The kernel writes it to no file before 6.13
// (where a partition's uevent has PARTUUID), so the table is read here: the primary one, or the backup at the disk's
// end.
static unsigned find_number(const char *disk_name, const char *uuid, struct error *err)
{
	char path[80];
	struct disk disk;
	struct gpt gpt;

	snprintf(path, sizeof path, "/dev/%.64s", disk_name);
	if (disk_open(&disk, path, false, err) < 0)
		return 0;
	int result = disk_read_gpt(&disk, &gpt, 1, err);
	if (result < 0)
		result = disk_read_gpt(&disk, &gpt, disk.sectors - 1, err);
	disk_close(&disk);
	unsigned number = result < 0 ? 0 : gpt_find(&gpt, uuid);
	if (result < 0)
		fail_in(err, "%s", path);
	else if (number == 0)
		fail(err, "%s has no partition %s", path, uuid);
	return number;
}

int esp_find(char device[80], const char *uuid, const char *storage, struct error *err)
{
	char wanted[64], disk[64];
	unsigned number, found;
	const char *slash = strrchr(storage, '/');
	int result = disk_of_partition(wanted, &number, slash == NULL ? storage : slash + 1, err);

	if (result <= 0)
		return result < 0 ? -1 : fail(err, "%s is not a partition, so there is no boot loader beside it", storage);
	number = find_number(wanted, uuid, err);
	if (number == 0)
		return -1;
	// A partition's name does not follow from its disk's in one way: vda1, mmcblk0p1.
	DIR *entries = opendir("/sys/class/block");
	const struct dirent *entry;
	struct error none;
	bool there = false;
	while (!there && entries != NULL && (entry = readdir(entries)) != NULL) {
		there = entry->d_name[0] != '.' && strlen(entry->d_name) < 64 &&
			disk_of_partition(disk, &found, entry->d_name, &none) == 1 && found == number && strcmp(disk, wanted) == 0;
		if (there)
			snprintf(device, 80, "/dev/%.64s", entry->d_name);
	}
	if (entries != NULL)
		closedir(entries);
	return there ? 0 : fail(err, "partition %u of %s is not known to the kernel", number, wanted);
}

// No "sync" and no "flush": both make every write slow and neither orders any; each step is synced where it matters,
// and fsync(2) on FAT writes the allocation table too. A mount sets the volume's dirty mark, an unmount takes it away;
// a volume that still has it after a power cut is mounted with a line in the kernel's log and nothing more. On an
// inconsistency the kernel makes it read-only, and the next mount starts anew.
int esp_mount(struct fs *fs, const char *uuid, const char *storage, struct modules *modules, struct error *err)
{
	// Which tables of characters are needed depends on how the kernel was built; what is not there is not needed or missed
	// by mount(2) below.
	static const char *const needed[] = {"fs-vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"};
	char device[80];

	if (esp_find(device, uuid, storage, err) < 0)
		return -1;
	for (size_t i = 0; modules != NULL && i < sizeof needed / sizeof *needed; i++)
		(void)modules_load(modules, needed[i], err);
	if (folder_make(ESP_FOLDER, 0700, err) < 0)
		return -1;
	if (mount(device, ESP_FOLDER, "vfat", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		  "umask=077,errors=remount-ro") < 0)
		return fail_errno(err, "mounting %s", device);
	fs_real(fs, ESP_FOLDER);
	return 0;
}

int esp_unmount(struct error *err)
{
	return umount2(ESP_FOLDER, UMOUNT_NOFOLLOW) < 0 ? fail_errno(err, "unmounting " ESP_FOLDER) : 0;
}
