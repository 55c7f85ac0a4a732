// SPDX-License-Identifier: MIT
// The file operations that an update is made of. Whatever changes storage or the boot record goes through this table, so
// that a test can fail each single call, and cut the power at it.
#pragma once
#include "error.h"
#include "text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fs_open {
	FS_READ,	// read only
	FS_APPEND,	// made when missing (0600), to be written at its end
	FS_OVERWRITE	// an existing file in place, never truncated
};

struct fs;

// Paths are relative to the root; "" is the root itself. No link is followed anywhere in them. All return -1 with errno.
struct fs_calls {
	// A regular file; anything else is refused, a folder with EISDIR, a link with ELOOP.
	int (*open)(struct fs *fs, const char *path, enum fs_open how);
	// May do less than asked; 0 at the end.
	ssize_t (*read)(struct fs *fs, int fd, void *bytes, size_t length, uint64_t at);
	ssize_t (*write)(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at);
	int (*size)(struct fs *fs, int fd, uint64_t *size);
	int (*truncate)(struct fs *fs, int fd, uint64_t size);
	// Its bytes and its size are on the medium; its times need not be.
	int (*sync)(struct fs *fs, int fd);
	int (*close)(struct fs *fs, int fd);
	// As verity_seal: an enum seal. The descriptor is one of FS_READ, and no other is open for writing.
	int (*seal)(struct fs *fs, int fd, char digest[HEX_SIZE]);
	int (*rename)(struct fs *fs, const char *from, const char *to);
	int (*unlink)(struct fs *fs, const char *path);
	int (*symlink)(struct fs *fs, const char *target, const char *path);
	// Another name for a file or for a symbolic link itself.
	int (*link)(struct fs *fs, const char *from, const char *to);
	// Whether both are names of one file, 1 or 0.
	int (*same)(struct fs *fs, const char *path, const char *other);
	// Zero-terminated; returns the length. EINVAL: there, and not a link.
	ssize_t (*readlink)(struct fs *fs, const char *path, char *target, size_t size);
	int (*mkdir)(struct fs *fs, const char *path, unsigned mode);
	int (*rmdir)(struct fs *fs, const char *path);
	// Calls `each` for every name in a folder; what is not 0 ends it and is returned.
	int (*list)(struct fs *fs, const char *path, int (*each)(void *context, const char *name), void *context);
	int (*sync_folder)(struct fs *fs, const char *path);
	// Everything is on the medium: bytes, seals and names.
	int (*sync_all)(struct fs *fs);
	// That, and the journal is written back: a reader that does not replay it sees all.
	int (*checkpoint)(struct fs *fs);
	// Bytes that are free for us.
	int (*room)(struct fs *fs, uint64_t *bytes);
};

struct fs {
	const struct fs_calls *calls;
	const char *root;
	void *context;
};

// The real file system below a folder, which must outlive it.
void fs_real(struct fs *fs, const char *root);

// Write a whole file atomically: under a temporary name (<path>.tmp), synced, renamed, the folder synced.
int fs_write_file(struct fs *fs, const char *path, const void *bytes, size_t length, struct error *err);
// Read a file of at most `limit` bytes. Returns a zero-terminated buffer to free, or NULL; *length leaves the zero out.
char *fs_read_file(struct fs *fs, const char *path, size_t limit, size_t *length, struct error *err);
// The same for an open file, from its start.
char *fs_read_open(struct fs *fs, int fd, size_t limit, size_t *length, struct error *err);
// SHA-256 of an open file, read from its start.
int fs_hash(struct fs *fs, int fd, char out[HEX_SIZE], struct error *err);
// Write a part of an existing file in place and sync it.
int fs_overwrite(struct fs *fs, const char *path, const void *bytes, size_t length, uint64_t at, struct error *err);
// Something of that name is there: a file, a folder or a link.
bool fs_exists(struct fs *fs, const char *path);
// Write all of it at an offset of an open file.
int fs_write_all(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at);
// Make a folder unless it is there; only its last name may be missing.
int fs_make_folder(struct fs *fs, const char *path, unsigned mode, struct error *err);
