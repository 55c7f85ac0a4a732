// SPDX-License-Identifier: MIT
// Receiving blobs into storage: to blobs/incoming first, resumable after any interruption, and under the blob's own name
// only when it is whole. Nothing is synced blob by blob: an install does so once, for all of them, before it refers to any.
// What a power cut leaves of one before that is found out when it is asked for again, and costs that it is copied anew.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"
#include <sodium.h>

// Any blob up to this size may be sent to a device; larger ones only when a begun install lists them.
#define SMALL_BLOB (1u << 20)

// A blob on its way.
struct receiver {
	struct fs *fs;
	char digest[HEX_SIZE];
	uint64_t size, received;
	bool present;	// it was there already
	bool mismatch;	// all bytes came, and were the wrong ones
	int fd;		// -1: nothing is left to be written
	crypto_hash_sha256_state hash;
};

// How many bytes of a blob are there: all when it was received, else what came before an interruption. The content is not
// looked at.
int blob_received(struct fs *fs, const char *digest, uint64_t size, uint64_t *received, struct error *err);
// Begin or resume. The next byte to append is that at out->received. After success, one of blob_finish and blob_pause.
int blob_begin(struct receiver *out, struct fs *fs, const char *digest, uint64_t size, struct error *err);
int blob_append(struct receiver *receiver, const void *bytes, size_t length, struct error *err);
// Append `size` bytes of another blob that is whole and here, from its byte `at` on. Whether they are the right ones,
// blob_finish tells.
int blob_copy(struct receiver *receiver, const char *digest, uint64_t at, uint64_t size, struct error *err);
// Keep what came so far, to be resumed.
int blob_pause(struct receiver *receiver, struct error *err);
// Check and seal the whole blob and give it its name. `verity` is the fs-verity digest that it must have, "" when nothing
// says; NULL: it is not sealed, being one that is read whole and hashed whenever it is used. Bytes that are wrong are
// removed; what came of an incomplete blob stays.
int blob_finish(struct receiver *receiver, const char *verity, struct error *err);

// How fast a sender is at least, for it holds up whoever else wants to change what is installed: so many bytes in every so
// many milliseconds.
#define PACE_BYTES 16384
#define PACE_MS 60000
struct pace {
	uint64_t since_ms, received;
};
// Before the first byte; then after each that came, or did not come.
void pace_begin(struct pace *pace, uint64_t received, uint64_t now_ms);
int pace_check(struct pace *pace, uint64_t received, uint64_t now_ms, struct error *err);

// Reads at most `length` bytes of the blob from byte `at`; 0 at its end, -1 with errno.
typedef ssize_t (*blob_source)(void *context, void *bytes, size_t length, uint64_t at);
// All of this, from a source that can begin anywhere. Where the bytes from before an interruption prove wrong, it begins
// anew.
int blob_receive(struct fs *fs, const char *digest, uint64_t size, const char *verity, blob_source read, void *context,
		 struct error *err);
