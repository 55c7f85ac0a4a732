// SPDX-License-Identifier: MIT
// A bundle: an OCI image layout as a folder or as one uncompressed tar archive, on a medium that may go away at any time.
#pragma once
#include "error.h"
#include "fs.h"
#include "layout.h"
#include "tar.h"

struct bundle {
	struct fs *fs;
	char path[256];
	int archive;		// the open archive; -1: a folder
	struct tar tar;
	struct layout layout;	// what its index lists
};

// Open the bundle at a path of `fs`, "" being the root itself. After a failure and at the end: bundle_close.
int bundle_open(struct bundle *out, struct fs *fs, const char *path, struct error *err);
void bundle_close(struct bundle *bundle);
// Open a blob. It is the `size` bytes at `offset` of *fd, which is closed by bundle_close_blob.
int bundle_open_blob(struct bundle *bundle, const char *hex, int *fd, uint64_t *offset, uint64_t *size, struct error *err);
void bundle_close_blob(struct bundle *bundle, int fd);
// Read a small blob and check its digest. Returns a zero-terminated buffer to free, or NULL.
char *bundle_read(struct bundle *bundle, const char *hex, size_t limit, size_t *length, struct error *err);
