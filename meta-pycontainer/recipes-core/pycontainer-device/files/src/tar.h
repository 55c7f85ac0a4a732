// SPDX-License-Identifier: MIT
// An OCI image layout in an uncompressed tar archive (POSIX.1-2001 pax interchange format; GNU's long names): where its
// files lie. Nothing is unpacked.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"

#define TAR_BLOBS_MOST 4096

struct tar_file {
	char hex[HEX_SIZE];	// of a blob
	uint64_t offset, size;	// size of a file that is not there: 0
};

struct tar {
	struct tar_file layout, index;	// oci-layout, index.json; not there: offset 0
	size_t blob_count;
	struct tar_file *blobs;		// blobs/sha256/<hex>, sorted
};

// Read all headers of an open archive. Files of other names are passed over. After a failure and at the end: tar_free.
int tar_index(struct tar *out, struct fs *fs, int fd, struct error *err);
void tar_free(struct tar *tar);
const struct tar_file *tar_find(const struct tar *tar, const char *hex);
