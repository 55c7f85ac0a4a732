// SPDX-License-Identifier: MIT
#include "plan.h"
#include "blobs.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096
// The revision's folder with its links, growing folders, and the record of it all in the journal.
#define MARGIN (UINT64_C(256) << 10)

// The content itself decides when size or fs-verity digest is not the one that was signed.
static int check_content(struct fs *fs, int fd, const struct wanted *wanted, struct error *err)
{
	char found[HEX_SIZE];

	if (fs_hash(fs, fd, found, err) < 0)
		return -1;
	if (strcmp(found, wanted->digest) != 0)
		return 0;
	return wanted->verity[0] == '\0' ? 1 : fail(err, "the manifest is wrong about its size or fs-verity digest");
}

static int check_open(struct fs *fs, int fd, const struct wanted *wanted, struct error *err)
{
	struct seal_counts counts = {0};
	struct blob blob = {.size = wanted->size};

	if (wanted->verity[0] == '\0')
		return check_content(fs, fd, wanted, err);
	memcpy(blob.digest, wanted->digest, sizeof blob.digest);
	memcpy(blob.verity, wanted->verity, sizeof blob.verity);
	int whole = store_prove(fs, &blob, fd, &counts, err);
	// A full hash has told all.
	return whole != 0 || counts.hashed > 0 ? whole : check_content(fs, fd, wanted, err);
}

int plan_check(struct fs *fs, const struct wanted *wanted, struct error *err)
{
	char path[96];

	snprintf(path, sizeof path, "blobs/sha256/%.64s", wanted->digest);
	int fd = fs->calls->open(fs, path, FS_READ);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "%s", path);
	int whole = check_open(fs, fd, wanted, err);
	fs->calls->close(fs, fd);
	if (whole < 0)
		return fail_in(err, "blob %.12s", wanted->digest);
	// Whoever refers to it is broken already, and under this name it would be taken for received.
	if (whole == 0 && (fs->calls->unlink(fs, path) < 0 || fs->calls->sync_folder(fs, "blobs/sha256") < 0))
		return fail_errno(err, "%s", path);
	return whole;
}

static int add(struct wanted *list, size_t *count, const struct blob *blob, struct error *err)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i].digest, blob->digest) == 0)
			return list[i].size == blob->size && strcmp(list[i].verity, blob->verity) == 0
				       ? 0 : fail(err, "blob %.12s: the manifest describes it in two ways", blob->digest);
	struct wanted *wanted = &list[(*count)++];
	*wanted = (struct wanted){.size = blob->size};
	memcpy(wanted->digest, blob->digest, sizeof wanted->digest);
	memcpy(wanted->verity, blob->verity, sizeof wanted->verity);
	return 0;
}

int plan_missing(struct fs *fs, const struct revision *revision, struct wanted **missing, size_t *count, struct error *err)
{
	struct wanted *list = calloc(revision->blob_count + 1, sizeof *list);
	size_t all = 0;
	int result = list == NULL ? fail_errno(err, "blobs") : 0;

	*missing = NULL;
	*count = 0;
	for (size_t i = 0; i < revision->blob_count && result == 0; i++)
		result = add(list, &all, &revision->blobs[i], err);
	for (size_t i = 0; i < all && result == 0; i++) {
		int there = plan_check(fs, &list[i], err);
		if (there == 0) {
			result = blob_received(fs, list[i].digest, list[i].size, &list[i].offset, err);
			list[(*count)++] = list[i];
		} else if (there < 0) {
			result = -1;
		}
	}
	if (result < 0) {
		free(list);
		*count = 0;
		return -1;
	}
	*missing = list;
	return 0;
}

uint64_t plan_room(const struct wanted *missing, size_t count)
{
	uint64_t room = count == 0 ? 0 : MARGIN;

	for (size_t i = 0; i < count; i++) {
		uint64_t blocks = (missing[i].size + BLOCK - 1) / BLOCK;
		// The tree of fs-verity is a 127th and its descriptor a block; some more for what the file system needs.
		room += (blocks + blocks / 126 + 3) * BLOCK - missing[i].offset / BLOCK * BLOCK;
	}
	return room;
}
