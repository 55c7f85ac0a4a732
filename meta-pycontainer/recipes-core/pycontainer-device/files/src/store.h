// SPDX-License-Identifier: MIT
// The store on the device: revisions and blobs under /storage, and the proof that they are what was signed.
#pragma once
#include "error.h"
#include "facts.h"
#include "fs.h"
#include "revision.h"

// Load the revision with this id: manifest, signature, config, all checked. Returns the number of keys that signed, or
// -1; revision_free in both cases. `root` is the mount point of storage.
int store_load(struct revision *out, const char *root, const char *id, const struct facts *facts, struct error *err);
int store_load_from(struct revision *out, struct fs *fs, const char *id, const struct facts *facts, struct error *err);
// Read the manifest of a revision, whose digest is checked and its signature not. Returns 1; 0 with an error when there is
// none or it is damaged; -1 when it cannot be read. revision_free in all cases.
int store_manifest(struct revision *out, struct fs *fs, const char *id, struct error *err);
// Read a small blob (a blob_reader of a struct fs; its digest is not checked).
char *store_reader(void *fs, const char *digest, size_t limit, size_t *length, struct error *err);
// The digest of the blob that a link in a revision's folder names; and of a link's text.
bool store_target(const char *target, char digest[HEX_SIZE]);
int store_link(struct fs *fs, const char *path, char digest[HEX_SIZE], struct error *err);

struct seal_counts {
	unsigned sealed, newly, hashed;	// measured; sealed now; hashed in full
	const char *unsealed;		// why some were hashed in full, or NULL
	bool hashed_before;		// given: what fs-verity cannot tell was hashed by another process just now
};

// Open a blob by its digest and prove its content: by fs-verity, or by a full hash where there is none. Returns a
// descriptor or -1.
int store_open(const char *root, const struct blob *blob, struct seal_counts *counts, struct error *err);
// The same proof for a blob that is open. Returns 1; 0 with an error when it is not what was signed; -1 when that cannot
// be told.
int store_prove(struct fs *fs, const struct blob *blob, int fd, struct seal_counts *counts, struct error *err);
// Read all of a small blob that store_open opened, and check that these very bytes have its digest. Returns a
// zero-terminated buffer to free, or NULL.
char *store_read(const struct blob *blob, int fd, size_t *length, struct error *err);
