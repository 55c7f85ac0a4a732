// SPDX-License-Identifier: MIT
// Storage grows to the end of its disk: partition table, the kernel's view of the partition, file system.
#pragma once
#include "error.h"
#include <stddef.h>
#include <stdint.h>

struct grown {
	uint64_t before, after;	// bytes of the file system
};

// How many blocks the ext4 file system that starts with these bytes (2048 at least) should have in a partition of so
// many bytes; *block gets the size of one, *now how many there are. 0: it is as large as it can be made.
uint64_t grow_blocks(const unsigned char *start, size_t length, uint64_t partition, uint32_t *block, uint64_t *now);

// `device`: the partition's, such as /dev/vda2; `mounted`: where its file system is mounted. Returns 1 when it grew, 0
// when there was nothing to do, and then nothing was written. After a failure or a power cut the next call goes on. On
// a large and slow disk this takes some seconds: a process of its own can do it, the containers may run.
int grow_storage(const char *device, const char *mounted, struct grown *out, struct error *err);
