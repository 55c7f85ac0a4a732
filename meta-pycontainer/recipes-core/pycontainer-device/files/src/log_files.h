// SPDX-License-Identifier: MIT
// The files that log.c writes and rotates, seen by a reader: <folder>/<name>.log, .log.1 (older) and so on.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FILES_MOST 100

struct log_files {
	const char *folder, *name;
};

struct log_list {
	size_t count;
	struct {
		int fd;
		uint64_t size, device, inode;
	} each[LOG_FILES_MOST];		// the newest first
};

struct log_place {
	size_t index;
	uint64_t offset;
};

// Open all there are. A rotation meanwhile does no harm.
void log_files_open(const struct log_files *files, struct log_list *list);
// Where the last so many lines begin; the end of the newest file for 0. With no file at all, index 0 is not there.
int log_files_find(const struct log_list *list, uint64_t lines, struct log_place *place, struct error *err);
// Is this open file the one that is written to?
bool log_files_is_current(const struct log_files *files, int fd);
// Open the file that comes after this one, or, when this one is gone or -1, the oldest. -1: not there, or not yet.
int log_files_open_next(const struct log_files *files, int fd);
