// SPDX-License-Identifier: MIT
// fs-verity (Documentation/filesystems/fsverity.rst) and hashes.
#pragma once
#include "error.h"
#include "text.h"
#include <stdbool.h>

// SHA-256 of a short text in memory.
void hash_bytes(char out[HEX_SIZE], const void *bytes, size_t length);

enum seal {
	SEAL_OK,		// it was sealed
	SEAL_NEW,		// it is sealed now; the kernel read all of it once
	SEAL_UNSUPPORTED,	// this kernel or file system cannot
	SEAL_NO_ROOM		// it could, but storage is full or read-only
};

// Measure the fs-verity digest of a file that is open for reading, sealing it first when it is not. Returns an enum
// seal or -1.
int verity_seal(char out[HEX_SIZE], int fd, struct error *err);
