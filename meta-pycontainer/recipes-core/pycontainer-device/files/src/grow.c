// SPDX-License-Identifier: MIT
#include "grow.h"
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Documentation/filesystems/ext4: the number of blocks that the file system shall have.
#define RESIZE_FS _IOW('f', 16, uint64_t)
// Less than this at the end may be too little for a block group's own tables, and would be tried again at every boot.
#define LEAST (16u << 20)
#define SUPER 1024
#define INCOMPAT_64BIT 0x80

static uint64_t get(const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

uint64_t grow_blocks(const unsigned char *start, size_t length, uint64_t partition, uint32_t *block, uint64_t *now)
{
	const unsigned char *super = start + SUPER;

	*block = 0;
	*now = 0;
	if (length < SUPER + 1024 || get(super + 0x38, 2) != 0xef53 || get(super + 0x18, 4) > 6)
		return 0;
	bool wide = (get(super + 0x60, 4) & INCOMPAT_64BIT) != 0;
	uint64_t blocks = get(super + 0x4, 4) | (wide ? get(super + 0x150, 4) << 32 : 0);
	*block = 1024u << get(super + 0x18, 4);
	*now = blocks;
	// However much that is: beyond what the group descriptors have room for, the kernel puts them elsewhere (meta_bg), and
	// GRUB finds them there since 2.04.
	uint64_t wanted = partition / *block;
	return wanted > blocks && (wanted - blocks) * *block >= LEAST ? wanted : 0;
}

// The kernel learns the new end while the partition is in use; asked again, it is content.
static int tell_kernel(struct disk *disk, unsigned number, struct error *err)
{
	struct gpt gpt;
	uint64_t first, last;

	if (disk_read_gpt(disk, &gpt, 1, err) < 0)
		return -1;
	if (gpt_span(&gpt, number, &first, &last) < 0)
		return fail(err, "the partition table has no partition %u", number);
	struct blkpg_partition partition = {.start = (long long)(first * GPT_SECTOR),
					    .length = (long long)((last - first + 1) * GPT_SECTOR), .pno = (int)number};
	struct blkpg_ioctl_arg argument = {.op = BLKPG_RESIZE_PARTITION, .datalen = sizeof partition, .data = &partition};
	return ioctl(disk->fd, BLKPG, &argument) < 0 ? fail_errno(err, "resizing partition %u", number) : 0;
}

static int grow_partition(const char *name, struct error *err)
{
	char disk_name[64], path[80];
	unsigned number;
	uint64_t size;
	struct disk disk;
	int result = disk_of_partition(disk_name, &number, name, err);

	if (result <= 0)
		return result;
	snprintf(path, sizeof path, "/dev/%s", disk_name);
	if (disk_open(&disk, path, true, err) < 0)
		return -1;
	result = disk_grow(&disk, number, &size, err);
	if (result > 0)
		result = tell_kernel(&disk, number, err);
	disk_close(&disk);
	return result < 0 ? fail_in(err, "%s", path) : 0;
}

static int grow_file_system(int device, const char *mounted, struct grown *out, struct error *err)
{
	unsigned char start[SUPER + 1024];
	uint64_t size, now;
	uint32_t block;

	if (ioctl(device, BLKGETSIZE64, &size) < 0 || pread(device, start, sizeof start, 0) != (ssize_t)sizeof start)
		return fail_errno(err, "its size");
	uint64_t blocks = grow_blocks(start, sizeof start, size, &block, &now);
	out->before = out->after = now * block;
	if (blocks == 0)
		return 0;
	int folder = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail_errno(err, "%s", mounted);
	int result = ioctl(folder, RESIZE_FS, &blocks);
	if (result < 0)
		fail_errno(err, "resizing the file system to %" PRIu64 " blocks", blocks);
	close(folder);
	if (result < 0)
		return -1;
	// The kernel rounds down to what a block group can be made of.
	if (pread(device, start, sizeof start, 0) == (ssize_t)sizeof start) {
		grow_blocks(start, sizeof start, size, &block, &now);
		out->after = now * block;
	}
	return out->after > out->before;
}

int grow_storage(const char *device, const char *mounted, struct grown *out, struct error *err)
{
	const char *slash = strrchr(device, '/');

	memset(out, 0, sizeof *out);
	if (grow_partition(slash == NULL ? device : slash + 1, err) < 0)
		return -1;
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "%s", device);
	int result = grow_file_system(fd, mounted, out, err);
	close(fd);
	return result < 0 ? fail_in(err, "%s", device) : result;
}
