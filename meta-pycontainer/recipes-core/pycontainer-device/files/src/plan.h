// SPDX-License-Identifier: MIT
// What an install still has to bring, and the room that it takes.
#pragma once
#include "error.h"
#include "fs.h"
#include "revision.h"

struct wanted {
	char digest[HEX_SIZE];
	char verity[HEX_SIZE];	// "" when nothing says
	uint64_t size;
	uint64_t offset;	// so many bytes are there already
};

// Is a blob there, with the content that it must have? Returns 1, or 0 after removing one with another content, or -1.
// One with the right content that does not have the fs-verity digest of the manifest is an error: no copy would have.
int plan_check(struct fs *fs, const struct wanted *wanted, struct error *err);
// The blobs of a revision's layers that are not there, each once. *missing is to free.
int plan_missing(struct fs *fs, const struct revision *revision, struct wanted **missing, size_t *count, struct error *err);
// The bytes that storage must have free for them, what is around them included.
uint64_t plan_room(const struct wanted *missing, size_t count);
