// SPDX-License-Identifier: MIT
#include "fs.h"
#include "checkpoint.h"
#include "verity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

// What an update leaves free for logs, state and the file system's own growth.
#define RESERVE (UINT64_C(4) << 20)

static int close_keeping_errno(int fd, int result)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return result;
}

// Open a path below the root that no link on the way, nor at its end, leads anywhere else.
static int open_below(struct fs *fs, const char *path, int flags, mode_t mode)
{
	struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .mode = mode,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int root = open(fs->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -1;
	int fd;
	do
		fd = (int)syscall(SYS_openat2, root, path[0] == '\0' ? "." : path, &how, sizeof how);
	while (fd < 0 && errno == EINTR);
	return close_keeping_errno(root, fd);
}

// Open the folder that a path lies in; *name is its last part.
static int open_parent(struct fs *fs, const char *path, const char **name)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int length = slash == NULL ? 0 : (int)(slash - path);

	*name = slash == NULL ? path : slash + 1;
	if ((*name)[0] == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0 || (size_t)length >= sizeof folder) {
		errno = EINVAL;
		return -1;
	}
	snprintf(folder, sizeof folder, "%.*s", length, path);
	return open_below(fs, folder, O_PATH | O_DIRECTORY, 0);
}

static int real_open(struct fs *fs, const char *path, enum fs_open how)
{
	// Non-blocking: in the place of a file, a named pipe must not hold up process 1.
	static const int flags[] = {[FS_READ] = O_RDONLY | O_NONBLOCK,
				    [FS_APPEND] = O_WRONLY | O_CREAT | O_NONBLOCK,
				    [FS_OVERWRITE] = O_WRONLY | O_NONBLOCK};
	struct stat status;
	int fd = open_below(fs, path, flags[how], how == FS_APPEND ? 0600 : 0);

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) < 0)
		return close_keeping_errno(fd, -1);
	if (S_ISREG(status.st_mode))
		return fd;
	errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	return close_keeping_errno(fd, -1);
}

static ssize_t real_read(struct fs *fs, int fd, void *bytes, size_t length, uint64_t at)
{
	ssize_t got;

	(void)fs;
	do
		got = pread(fd, bytes, length, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t real_write(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at)
{
	ssize_t wrote;

	(void)fs;
	do
		wrote = pwrite(fd, bytes, length, (off_t)at);
	while (wrote < 0 && errno == EINTR);
	return wrote;
}

static int real_size(struct fs *fs, int fd, uint64_t *size)
{
	struct stat status;

	(void)fs;
	if (fstat(fd, &status) < 0)
		return -1;
	*size = (uint64_t)status.st_size;
	return 0;
}

static int real_truncate(struct fs *fs, int fd, uint64_t size)
{
	(void)fs;
	return ftruncate(fd, (off_t)size);
}

static int real_sync(struct fs *fs, int fd)
{
	(void)fs;
	// Not fsync(2): the time of a change in place would cost a commit of the journal.
	return fdatasync(fd);
}

static int real_close(struct fs *fs, int fd)
{
	(void)fs;
	return close(fd);
}

static int real_seal(struct fs *fs, int fd, char digest[HEX_SIZE])
{
	struct error err;

	(void)fs;
	return verity_seal(digest, fd, &err);
}

// Call rename, link or the like, given as they take folders, with the folders of both paths.
static int with_both(struct fs *fs, const char *from, const char *to,
		     int (*act)(int from_folder, const char *from, int to_folder, const char *to))
{
	const char *from_name, *to_name;
	int from_folder = open_parent(fs, from, &from_name);

	if (from_folder < 0)
		return -1;
	int to_folder = open_parent(fs, to, &to_name);
	if (to_folder < 0)
		return close_keeping_errno(from_folder, -1);
	int result = act(from_folder, from_name, to_folder, to_name);
	return close_keeping_errno(from_folder, close_keeping_errno(to_folder, result));
}

static int real_rename(struct fs *fs, const char *from, const char *to)
{
	return with_both(fs, from, to, renameat);
}

static int remove_name(struct fs *fs, const char *path, int flags)
{
	const char *name;
	int folder = open_parent(fs, path, &name);

	return folder < 0 ? -1 : close_keeping_errno(folder, unlinkat(folder, name, flags));
}

static int real_unlink(struct fs *fs, const char *path)
{
	return remove_name(fs, path, 0);
}

static int real_rmdir(struct fs *fs, const char *path)
{
	return remove_name(fs, path, AT_REMOVEDIR);
}

static int real_symlink(struct fs *fs, const char *target, const char *path)
{
	const char *name;
	int folder = open_parent(fs, path, &name);

	return folder < 0 ? -1 : close_keeping_errno(folder, symlinkat(target, folder, name));
}

static int link_in(int from_folder, const char *from, int to_folder, const char *to)
{
	return linkat(from_folder, from, to_folder, to, 0);
}

static int real_link(struct fs *fs, const char *from, const char *to)
{
	return with_both(fs, from, to, link_in);
}

static int same_in(int folder, const char *name, int other_folder, const char *other)
{
	struct stat one, two;

	if (fstatat(folder, name, &one, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(other_folder, other, &two, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

static int real_same(struct fs *fs, const char *path, const char *other)
{
	return with_both(fs, path, other, same_in);
}

static ssize_t real_readlink(struct fs *fs, const char *path, char *target, size_t size)
{
	const char *name;
	int folder = open_parent(fs, path, &name);

	if (folder < 0)
		return -1;
	ssize_t length = readlinkat(folder, name, target, size);
	close_keeping_errno(folder, 0);
	if (length >= 0 && (size_t)length >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (length >= 0)
		target[length] = '\0';
	return length;
}

static int real_mkdir(struct fs *fs, const char *path, unsigned mode)
{
	const char *name;
	int folder = open_parent(fs, path, &name);

	return folder < 0 ? -1 : close_keeping_errno(folder, mkdirat(folder, name, mode));
}

static int real_list(struct fs *fs, const char *path, int (*each)(void *context, const char *name), void *context)
{
	int fd = open_below(fs, path, O_RDONLY | O_DIRECTORY, 0), result = 0;
	const struct dirent *entry;

	if (fd < 0)
		return -1;
	DIR *entries = fdopendir(fd);
	if (entries == NULL)
		return close_keeping_errno(fd, -1);
	while (result == 0 && (errno = 0, entry = readdir(entries)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = each(context, entry->d_name);
	int saved = errno;
	if (result == 0 && saved != 0)
		result = -1;
	closedir(entries);
	errno = saved;
	return result;
}

static int real_sync_folder(struct fs *fs, const char *path)
{
	int fd = open_below(fs, path, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? -1 : close_keeping_errno(fd, fsync(fd));
}

static int real_sync_all(struct fs *fs)
{
	int fd = open_below(fs, "", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? -1 : close_keeping_errno(fd, syncfs(fd));
}

static int real_checkpoint(struct fs *fs)
{
	int fd = open_below(fs, "", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? -1 : close_keeping_errno(fd, checkpoint(fd));
}

static int real_room(struct fs *fs, uint64_t *bytes)
{
	struct statvfs status;
	int fd = open_below(fs, "", O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return -1;
	if (close_keeping_errno(fd, fstatvfs(fd, &status)) < 0)
		return -1;
	uint64_t available = (uint64_t)status.f_bavail * status.f_frsize;
	*bytes = available > RESERVE ? available - RESERVE : 0;
	return 0;
}

void fs_real(struct fs *fs, const char *root)
{
	static const struct fs_calls calls = {
		real_open, real_read, real_write, real_size, real_truncate, real_sync, real_close, real_seal, real_rename,
		real_unlink, real_symlink, real_link, real_same, real_readlink, real_mkdir, real_rmdir, real_list,
		real_sync_folder, real_sync_all, real_checkpoint, real_room,
	};

	*fs = (struct fs){.calls = &calls, .root = root};
}
