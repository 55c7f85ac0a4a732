// SPDX-License-Identifier: MIT
// What a container writes: size-limited files that are rotated by rename.
#pragma once
#include "error.h"
#include <stddef.h>
#include <stdint.h>

struct log {
	char path[160];
	int fd;			// -1 until the first write, and after a failure
	uint64_t size, limit;	// of the current file
	unsigned files;		// kept, the current one included
	uint64_t lost;		// bytes that could not be written
	char last[160];		// the last line that is not empty, for messages
	char line[160];
	size_t line_used;
};

// <folder>/<name>.log, <name>.log.1 (older) and so on, each of at most `limit` bytes.
void log_init(struct log *log, const char *folder, const char *name, uint64_t limit, unsigned files);
// Other limits from now on: files that are too many are removed, a current one that is too large ends with the next line.
void log_limit(struct log *log, uint64_t limit, unsigned files);
// Append; bytes that the disk refuses are counted in `lost`. Returns -1 with an error at the first loss only.
int log_write(struct log *log, const char *bytes, size_t length, struct error *err);
void log_close(struct log *log);
