// SPDX-License-Identifier: MIT
#include "disk.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int real_read(struct disk *disk, uint64_t sector, void *bytes, size_t count)
{
	size_t size = count * GPT_SECTOR;

	for (size_t done = 0; done < size;) {
		ssize_t got = pread(disk->fd, (char *)bytes + done, size - done, (off_t)(sector * GPT_SECTOR + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

static int real_write(struct disk *disk, uint64_t sector, const void *bytes, size_t count)
{
	size_t size = count * GPT_SECTOR;

	for (size_t done = 0; done < size;) {
		ssize_t wrote = pwrite(disk->fd, (const char *)bytes + done, size - done, (off_t)(sector * GPT_SECTOR + done));
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote == 0)
			errno = EIO;
		if (wrote <= 0)
			return -1;
		done += (size_t)wrote;
	}
	return 0;
}

static int real_sync(struct disk *disk)
{
	return fsync(disk->fd);
}

int disk_open(struct disk *disk, const char *path, bool writable, struct error *err)
{
	struct stat status;
	uint64_t size = 0;
	int block = GPT_SECTOR;

	*disk = (struct disk){.read = real_read, .write = real_write, .sync = real_sync};
	disk->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (disk->fd < 0)
		return fail_errno(err, "%s", path);
	int result = fstat(disk->fd, &status);
	if (result == 0 && S_ISREG(status.st_mode))
		size = (uint64_t)status.st_size;	// an image, in tests
	else if (result == 0)
		result = ioctl(disk->fd, BLKGETSIZE64, &size) < 0 || ioctl(disk->fd, BLKSSZGET, &block) < 0 ? -1 : 0;
	if (result < 0)
		fail_errno(err, "%s: its size", path);
	else if (block != GPT_SECTOR)
		// The table counts in the disk's own sectors; the image was made for 512 bytes and does not start here at all.
		result = fail(err, "%s: sectors of %d bytes", path, block);
	disk->sectors = size / GPT_SECTOR;
	if (result < 0)
		close(disk->fd);
	return result;
}

void disk_close(struct disk *disk)
{
	close(disk->fd);
}

int disk_of_partition(char disk[64], unsigned *number, const char *partition, struct error *err)
{
	char path[128], target[PATH_MAX];
	size_t length;

	// /sys/class/block/vda2 -> ../../devices/.../block/vda/vda2
	snprintf(path, sizeof path, "/sys/class/block/%.64s/partition", partition);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	char *text = file_read(AT_FDCWD, path, 32, &length, err);
	if (text == NULL)
		return -1;
	unsigned long found = strtoul(text, NULL, 10);
	free(text);
	snprintf(path, sizeof path, "/sys/class/block/%.64s", partition);
	ssize_t size = readlink(path, target, sizeof target - 1);
	if (size < 0)
		return fail_errno(err, "%s", path);
	target[size] = '\0';
	char *end = strrchr(target, '/');
	if (end != NULL)
		*end = '\0';
	const char *name = end == NULL ? NULL : strrchr(target, '/');
	if (name == NULL || strlen(name + 1) >= 64 || found < 1 || found > GPT_ENTRIES)
		return fail(err, "%s: not a partition of a table of %d entries", partition, GPT_ENTRIES);
	strcpy(disk, name + 1);
	*number = (unsigned)found;
	return 1;
}

int disk_read_gpt(struct disk *disk, struct gpt *out, uint64_t own, struct error *err)
{
	unsigned char header[GPT_SECTOR], entries[GPT_TABLE_SIZE];
	uint32_t crc;

	if (disk->sectors <= own)
		return fail(err, "no partition table: the disk has %" PRIu64 " sectors", disk->sectors);
	if (disk->read(disk, own, header, 1) < 0)
		return fail_errno(err, "reading the partition table");
	if (gpt_parse_header(out, header, own, disk->sectors, &crc, err) < 0)
		return -1;
	if (disk->read(disk, out->table, entries, GPT_TABLE_SECTORS) < 0)
		return fail_errno(err, "reading the partition table");
	return gpt_parse_entries(out, entries, crc, err);
}
