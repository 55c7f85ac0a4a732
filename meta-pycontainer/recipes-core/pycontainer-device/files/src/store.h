// SPDX-License-Identifier: MIT
// The store on the device: revisions and blobs under /storage, and the proof that they are what was signed.
#pragma once
#include "error.h"
#include "facts.h"
#include "revision.h"

// Load the revision with this id: manifest, signature, config, all checked. Returns the number of keys that signed, or
// -1; revision_free in both cases. `root` is the mount point of storage.
int store_load(struct revision *out, const char *root, const char *id, const struct facts *facts, struct error *err);

struct seal_counts {
	unsigned sealed, newly, hashed;	// measured; sealed now; hashed in full
	const char *unsealed;		// why some were hashed in full, or NULL
};

// Open a blob by its digest and prove its content: by fs-verity, or by a full hash where there is none. Returns a
// descriptor or -1.
int store_open(const char *root, const struct blob *blob, struct seal_counts *counts, struct error *err);
// Read all of a small blob that store_open opened, and check that these very bytes have its digest. Returns a
// zero-terminated buffer to free, or NULL.
char *store_read(const struct blob *blob, int fd, size_t *length, struct error *err);
