// SPDX-License-Identifier: MIT
// How fast a container may read and write: the kernel limits whole disks, whose numbers only the device knows.
#pragma once
#include "error.h"
#include "revision.h"
#include <stddef.h>
#include <sys/types.h>

#define DISK_SIZE 24	// "<major>:<minor>"
#define IO_MAX_SIZE 96

// The disk that holds a block device (a partition, or the disk itself), as sysfs under `sys` tells.
int io_limit_disk(char out[DISK_SIZE], const char *sys, dev_t device, struct error *err);
// The line for io.max.
void io_limit_format(char out[IO_MAX_SIZE], const char *disk, const struct io_limits *io);
// Limit a container that was just started; nothing is done for one without limits.
int io_limit_apply(const struct layer *layer, struct error *err);
// A container runs on as one of another revision: limits that are gone are taken back.
int io_limit_change(const struct layer *before, const struct layer *after, struct error *err);
