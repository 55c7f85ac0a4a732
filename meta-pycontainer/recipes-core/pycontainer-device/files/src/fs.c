// SPDX-License-Identifier: MIT
#include "fs.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fs_write_all(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at)
{
	const char *next = bytes;

	while (length > 0) {
		ssize_t wrote = fs->calls->write(fs, fd, next, length, at);
		if (wrote == 0)
			errno = EIO;
		if (wrote <= 0)
			return -1;
		next += wrote;
		at += (uint64_t)wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

// Write and sync an open file, and close it. Returns -1 with errno.
static int write_and_close(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at, bool whole)
{
	int result = whole ? fs->calls->truncate(fs, fd, 0) : 0;

	if (result == 0)
		result = fs_write_all(fs, fd, bytes, length, at);
	if (result == 0)
		result = fs->calls->sync(fs, fd);
	int saved = errno;
	if (fs->calls->close(fs, fd) < 0 && result == 0)
		return -1;
	errno = saved;
	return result;
}

static int sync_parent(struct fs *fs, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 0 : (int)(slash - path), path);
	return fs->calls->sync_folder(fs, folder);
}

int fs_write_file(struct fs *fs, const char *path, const void *bytes, size_t length, struct error *err)
{
	char temporary[PATH_MAX];
	int size = snprintf(temporary, sizeof temporary, "%s.tmp", path);

	if (size < 0 || (size_t)size >= sizeof temporary)
		return fail(err, "%.64s...: path too long", path);
	int fd = fs->calls->open(fs, temporary, FS_APPEND);
	if (fd < 0)
		return fail_errno(err, "%s", temporary);
	if (write_and_close(fs, fd, bytes, length, 0, true) < 0 || fs->calls->rename(fs, temporary, path) < 0) {
		fail_errno(err, "%s", temporary);
		fs->calls->unlink(fs, temporary);
		return -1;
	}
	return sync_parent(fs, path) < 0 ? fail_errno(err, "%s: its folder", path) : 0;
}

int fs_overwrite(struct fs *fs, const char *path, const void *bytes, size_t length, uint64_t at, struct error *err)
{
	int fd = fs->calls->open(fs, path, FS_OVERWRITE);

	if (fd < 0 || write_and_close(fs, fd, bytes, length, at, false) < 0)
		return fail_errno(err, "%s", path);
	return 0;
}

char *fs_read_open(struct fs *fs, int fd, size_t limit, size_t *length, struct error *err)
{
	uint64_t size;
	size_t used = 0;
	ssize_t got = 0;

	if (fs->calls->size(fs, fd, &size) < 0) {
		fail_errno(err, "reading");
		return NULL;
	}
	if (size > limit) {
		fail(err, "larger than %zu bytes", limit);
		return NULL;
	}
	char *buffer = malloc((size_t)size + 1);
	if (buffer == NULL) {
		fail_errno(err, "reading");
		return NULL;
	}
	while (used < size && (got = fs->calls->read(fs, fd, buffer + used, (size_t)size - used, used)) > 0)
		used += (size_t)got;
	if (got < 0) {
		fail_errno(err, "reading");
		free(buffer);
		return NULL;
	}
	buffer[used] = '\0';
	*length = used;
	return buffer;
}

char *fs_read_file(struct fs *fs, const char *path, size_t limit, size_t *length, struct error *err)
{
	int fd = fs->calls->open(fs, path, FS_READ);

	if (fd < 0) {
		fail_errno(err, "%s", path);
		return NULL;
	}
	char *buffer = fs_read_open(fs, fd, limit, length, err);
	fs->calls->close(fs, fd);
	if (buffer == NULL)
		fail_in(err, "%s", path);
	return buffer;
}

int fs_hash(struct fs *fs, int fd, char out[HEX_SIZE], struct error *err)
{
	enum { chunk = 65536 };
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];
	unsigned char *buffer = malloc(chunk);
	uint64_t offset = 0;
	ssize_t got;

	if (buffer == NULL)
		return fail_errno(err, "hashing");
	crypto_hash_sha256_init(&state);
	while ((got = fs->calls->read(fs, fd, buffer, chunk, offset)) > 0) {
		crypto_hash_sha256_update(&state, buffer, (unsigned long long)got);
		offset += (uint64_t)got;
	}
	if (got < 0)
		fail_errno(err, "reading");
	free(buffer);
	if (got < 0)
		return -1;
	crypto_hash_sha256_final(&state, hash);
	text_to_hex(out, hash, sizeof hash);
	return 0;
}

bool fs_exists(struct fs *fs, const char *path)
{
	char target[PATH_MAX];

	// The one call that looks at a name of any kind.
	return fs->calls->readlink(fs, path, target, sizeof target) >= 0 || errno == EINVAL;
}

int fs_make_folder(struct fs *fs, const char *path, unsigned mode, struct error *err)
{
	return fs->calls->mkdir(fs, path, mode) < 0 && errno != EEXIST ? fail_errno(err, "%s", path) : 0;
}
