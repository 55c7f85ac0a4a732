// SPDX-License-Identifier: MIT
#include "blobs.h"
#include "verity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (1u << 16)

struct path {
	char text[96];
};

static struct path path_of(const char *folder, const char *digest)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "blobs/%s/%.64s", folder, digest);
	return path;
}

// The size of a file: 1, or 0 when there is none.
static int size_of(struct fs *fs, const char *path, uint64_t *size, struct error *err)
{
	int fd = fs->calls->open(fs, path, FS_READ);

	*size = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "%s", path);
	int result = fs->calls->size(fs, fd, size) < 0 ? fail_errno(err, "%s", path) : 1;
	fs->calls->close(fs, fd);
	return result;
}

int blob_received(struct fs *fs, const char *digest, uint64_t size, uint64_t *received, struct error *err)
{
	int there = size_of(fs, path_of("sha256", digest).text, received, err);

	if (there < 0)
		return -1;
	if (there > 0 && *received == size)
		return 0;
	if (size_of(fs, path_of("incoming", digest).text, received, err) < 0)
		return -1;
	if (*received > size)
		*received = 0;
	return 0;
}

static int make_incoming(struct fs *fs, struct error *err)
{
	return fs_make_folder(fs, "blobs/incoming", 0700, err);
}

// Hash what came before an interruption.
static int hash_received(struct receiver *receiver, const char *path, struct error *err)
{
	struct fs *fs = receiver->fs;
	unsigned char *buffer = malloc(CHUNK);
	int fd = buffer == NULL ? -1 : fs->calls->open(fs, path, FS_READ);
	uint64_t at = 0;
	ssize_t got = fd < 0 ? -1 : 1;

	while (at < receiver->received && got > 0) {
		size_t length = receiver->received - at < CHUNK ? (size_t)(receiver->received - at) : CHUNK;
		got = fs->calls->read(fs, fd, buffer, length, at);
		if (got > 0)
			crypto_hash_sha256_update(&receiver->hash, buffer, (unsigned long long)got);
		at += got > 0 ? (uint64_t)got : 0;
	}
	if (got < 0)
		fail_errno(err, "%s", path);
	else if (got == 0)
		fail(err, "%s: became shorter", path);
	if (fd >= 0)
		fs->calls->close(fs, fd);
	free(buffer);
	return got > 0 ? 0 : -1;
}

// Open for appending, cut to what is resumed.
static int open_incoming(struct receiver *receiver, const char *path, uint64_t there, struct error *err)
{
	struct fs *fs = receiver->fs;

	receiver->fd = fs->calls->open(fs, path, FS_APPEND);
	// It was sealed, so somebody took it for whole, but with another size.
	if (receiver->fd < 0 && errno == EPERM && fs->calls->unlink(fs, path) == 0) {
		there = receiver->received = 0;
		crypto_hash_sha256_init(&receiver->hash);
		receiver->fd = fs->calls->open(fs, path, FS_APPEND);
	}
	if (receiver->fd < 0)
		return fail_errno(err, "%s", path);
	if (there > receiver->received && fs->calls->truncate(fs, receiver->fd, receiver->received) < 0) {
		fail_errno(err, "%s", path);
		fs->calls->close(fs, receiver->fd);
		receiver->fd = -1;
		return -1;
	}
	return 0;
}

// Is a file of the right size under a blob's own name that blob? After a power cut it may be empty, or zeros. Returns 1; 0
// when it was removed; -1.
static int check_present(struct fs *fs, const char *path, const char *digest, struct error *err)
{
	char found[HEX_SIZE];
	int fd = fs->calls->open(fs, path, FS_READ);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	int result = fs_hash(fs, fd, found, err) < 0 ? fail_in(err, "%s", path) : strcmp(found, digest) == 0;
	fs->calls->close(fs, fd);
	if (result == 0 && fs->calls->unlink(fs, path) < 0)
		return fail_errno(err, "%s", path);
	return result;
}

int blob_begin(struct receiver *out, struct fs *fs, const char *digest, uint64_t size, struct error *err)
{
	struct path incoming = path_of("incoming", digest), path = path_of("sha256", digest);
	uint64_t there;

	*out = (struct receiver){.fs = fs, .size = size, .fd = -1};
	memcpy(out->digest, digest, sizeof out->digest);
	crypto_hash_sha256_init(&out->hash);
	int found = size_of(fs, path.text, &there, err);
	if (found > 0)
		found = there == size ? check_present(fs, path.text, digest, err) : 0;
	if (found < 0)
		return -1;
	if (found > 0) {
		out->present = true;
		out->received = size;
		return 0;
	}
	if (make_incoming(fs, err) < 0 || size_of(fs, incoming.text, &there, err) < 0)
		return -1;
	out->received = there <= size ? there : 0;
	if (out->received > 0 && hash_received(out, incoming.text, err) < 0)
		return -1;
	// A whole one may be sealed, and could not be opened for writing.
	if (there == size && size > 0)
		return 0;
	return open_incoming(out, incoming.text, there, err);
}

int blob_append(struct receiver *receiver, const void *bytes, size_t length, struct error *err)
{
	if (length > receiver->size - receiver->received)
		return fail(err, "blob %.12s: more than its %" PRIu64 " bytes", receiver->digest, receiver->size);
	if (length == 0)
		return 0;
	if (fs_write_all(receiver->fs, receiver->fd, bytes, length, receiver->received) < 0)
		return fail_errno(err, "blob %.12s", receiver->digest);
	crypto_hash_sha256_update(&receiver->hash, bytes, length);
	receiver->received += length;
	return 0;
}

int blob_copy(struct receiver *receiver, const char *digest, uint64_t at, uint64_t size, struct error *err)
{
	struct fs *fs = receiver->fs;
	struct path path = path_of("sha256", digest);
	unsigned char *buffer = malloc(CHUNK);
	int fd = buffer == NULL ? -1 : fs->calls->open(fs, path.text, FS_READ), result = 0;

	if (fd < 0)
		result = fail_errno(err, "%s", path.text);
	while (size > 0 && result == 0) {
		ssize_t got = fs->calls->read(fs, fd, buffer, size < CHUNK ? (size_t)size : CHUNK, at);
		if (got <= 0)
			result = got < 0 ? fail_errno(err, "%s", path.text) : fail(err, "%s: it ends before that", path.text);
		else
			result = blob_append(receiver, buffer, (size_t)got, err);
		at += got > 0 ? (uint64_t)got : 0;
		size -= got > 0 ? (uint64_t)got : 0;
	}
	if (fd >= 0)
		fs->calls->close(fs, fd);
	free(buffer);
	return result;
}

static int close_incoming(struct receiver *receiver, bool sync, struct error *err)
{
	struct fs *fs = receiver->fs;
	int result = 0;

	if (receiver->fd < 0)
		return 0;
	if (sync && fs->calls->sync(fs, receiver->fd) < 0)
		result = fail_errno(err, "blob %.12s", receiver->digest);
	if (fs->calls->close(fs, receiver->fd) < 0 && result == 0)
		result = fail_errno(err, "blob %.12s", receiver->digest);
	receiver->fd = -1;
	return result;
}

int blob_pause(struct receiver *receiver, struct error *err)
{
	return close_incoming(receiver, true, err);
}

// Remove what was received: it is not what it should be.
static int refuse(struct receiver *receiver, const char *path, const char *what, struct error *err)
{
	receiver->mismatch = true;
	if (receiver->fs->calls->unlink(receiver->fs, path) < 0)
		return fail_errno(err, "blob %.12s: %s, and it cannot be removed", receiver->digest, what);
	return fail(err, "blob %.12s: %s", receiver->digest, what);
}

// Seal an incoming file and compare.
static int seal(struct receiver *receiver, const char *path, const char *verity, struct error *err)
{
	struct fs *fs = receiver->fs;
	char found[HEX_SIZE];
	int fd = fs->calls->open(fs, path, FS_READ);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	int sealed = fs->calls->seal(fs, fd, found);
	bool wrong = (sealed == SEAL_OK || sealed == SEAL_NEW) && verity[0] != '\0' && strcmp(found, verity) != 0;
	int result = 0;
	if (sealed < 0)
		result = fail_errno(err, "blob %.12s: sealing", receiver->digest);
	else if (sealed == SEAL_NO_ROOM)
		result = fail(err, "blob %.12s: sealing: storage is full or read-only", receiver->digest);
	if (fs->calls->close(fs, fd) < 0 && result == 0)
		result = fail_errno(err, "%s", path);
	if (result < 0)
		return -1;
	return wrong ? refuse(receiver, path, "its fs-verity digest is not the one that was signed", err) : 0;
}

int blob_finish(struct receiver *receiver, const char *verity, struct error *err)
{
	struct fs *fs = receiver->fs;
	struct path incoming = path_of("incoming", receiver->digest), path = path_of("sha256", receiver->digest);
	unsigned char hash[crypto_hash_sha256_BYTES];
	char found[HEX_SIZE];

	if (receiver->present)
		return 0;
	if (receiver->received != receiver->size) {
		uint64_t received = receiver->received;
		if (close_incoming(receiver, true, err) < 0)
			return -1;
		return fail(err, "blob %.12s: %" PRIu64 " of its %" PRIu64 " bytes came", receiver->digest, received,
			    receiver->size);
	}
	if (close_incoming(receiver, false, err) < 0)
		return -1;
	crypto_hash_sha256_final(&receiver->hash, hash);
	text_to_hex(found, hash, sizeof hash);
	if (strcmp(found, receiver->digest) != 0)
		return refuse(receiver, incoming.text, "its bytes do not have this digest", err);
	if (verity != NULL && seal(receiver, incoming.text, verity, err) < 0)
		return -1;
	return fs->calls->rename(fs, incoming.text, path.text) < 0 ? fail_errno(err, "%s", path.text) : 0;
}

void pace_begin(struct pace *pace, uint64_t received, uint64_t now_ms)
{
	*pace = (struct pace){now_ms, received};
}

int pace_check(struct pace *pace, uint64_t received, uint64_t now_ms, struct error *err)
{
	if (now_ms - pace->since_ms < PACE_MS)
		return 0;
	if (received - pace->received < PACE_BYTES)
		return fail(err, "only %" PRIu64 " bytes came in a minute", received - pace->received);
	pace_begin(pace, received, now_ms);
	return 0;
}

static int receive(struct receiver *receiver, const char *verity, blob_source read, void *context, char *buffer,
		   struct error *err)
{
	while (receiver->received < receiver->size) {
		uint64_t left = receiver->size - receiver->received;
		ssize_t got = read(context, buffer, left < CHUNK ? (size_t)left : CHUNK, receiver->received);
		if (got < 0)
			fail_errno(err, "blob %.12s: reading", receiver->digest);
		else if (got == 0)
			fail(err, "blob %.12s: its source ends at byte %" PRIu64, receiver->digest, receiver->received);
		if (got <= 0 || blob_append(receiver, buffer, (size_t)got, err) < 0) {
			struct error second;
			blob_pause(receiver, &second);
			return -1;
		}
	}
	return blob_finish(receiver, verity, err);
}

int blob_receive(struct fs *fs, const char *digest, uint64_t size, const char *verity, blob_source read, void *context,
		 struct error *err)
{
	struct receiver receiver;
	char *buffer = malloc(CHUNK);
	bool resumed;
	int result = -1;

	if (buffer == NULL)
		return fail_errno(err, "blob %.12s", digest);
	do {
		if (blob_begin(&receiver, fs, digest, size, err) < 0)
			break;
		resumed = receiver.received > 0;
		result = receive(&receiver, verity, read, context, buffer, err);
	} while (result < 0 && receiver.mismatch && resumed);
	free(buffer);
	return result;
}
