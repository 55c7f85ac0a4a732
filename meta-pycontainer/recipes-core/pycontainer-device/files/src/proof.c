// SPDX-License-Identifier: MIT
#include "proof.h"
#include "store.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WARM_MOST (UINT64_C(32) << 20)

int proof_all(struct fs *storage, const struct revision *revision, struct error *err)
{
	struct seal_counts counts = {0};
	char path[sizeof "blobs/sha256/" + HEX_SIZE];

	for (size_t i = 0; i < revision->blob_count; i++) {
		const struct blob *blob = &revision->blobs[i];
		snprintf(path, sizeof path, "blobs/sha256/%s", blob->digest);
		int fd = storage->calls->open(storage, path, FS_READ);
		if (fd < 0)
			return fail_errno(err, "%s of layer %s", blob->role, blob->layer);
		int proven = store_prove(storage, blob, fd, &counts, err);
		storage->calls->close(storage, fd);
		if (proven <= 0)
			return fail_in(err, "%s of layer %s", blob->role, blob->layer);
	}
	return 0;
}

void proof_warm(struct fs *storage, const struct revision *next, const struct revision *running)
{
	static unsigned char bytes[65536];
	char path[sizeof "blobs/sha256/" + HEX_SIZE];

	for (size_t i = 0; i < next->blob_count; i++) {
		const struct blob *blob = &next->blobs[i];
		bool known = strcmp(blob->role, "rootfs") != 0;
		for (size_t k = 0; k < running->blob_count && !known; k++)
			known = strcmp(running->blobs[k].digest, blob->digest) == 0;
		snprintf(path, sizeof path, "blobs/sha256/%s", blob->digest);
		int fd = known ? -1 : storage->calls->open(storage, path, FS_READ);
		if (fd < 0)
			continue;
		for (uint64_t at = 0; at < blob->size && at < WARM_MOST;) {
			ssize_t got = storage->calls->read(storage, fd, bytes, sizeof bytes, at);
			if (got <= 0)
				break;
			at += (uint64_t)got;
		}
		storage->calls->close(storage, fd);
	}
}
