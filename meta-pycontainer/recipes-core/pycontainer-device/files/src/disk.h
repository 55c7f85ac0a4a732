// SPDX-License-Identifier: MIT
// A disk in sectors of 512 bytes, and the partition table on it.
#pragma once
#include "error.h"
#include "gpt.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The calls return -1 with errno; a test puts others in their place.
struct disk {
	int (*read)(struct disk *disk, uint64_t sector, void *bytes, size_t count);
	int (*write)(struct disk *disk, uint64_t sector, const void *bytes, size_t count);
	int (*sync)(struct disk *disk);
	uint64_t sectors;
	int fd;
};

// Open a whole disk, such as /dev/vda.
int disk_open(struct disk *disk, const char *path, bool writable, struct error *err);
void disk_close(struct disk *disk);
// The disk's name and the number of a partition: "vda2" is number 2 of "vda". Returns 1, or 0 when the block device is
// no partition.
int disk_of_partition(char disk[64], unsigned *number, const char *partition, struct error *err);

// Read and check the primary partition table, or the one whose header is in sector `own`.
int disk_read_gpt(struct disk *disk, struct gpt *out, uint64_t own, struct error *err);
// Let a partition that ends the disk's table reach to the disk's end, when at least 1 MiB is free behind it. Returns 1
// and the partition's new size in sectors, or 0: nothing to do, nothing written.
int disk_grow(struct disk *disk, unsigned number, uint64_t *size, struct error *err);
