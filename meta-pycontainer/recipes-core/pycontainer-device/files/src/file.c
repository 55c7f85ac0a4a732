// SPDX-License-Identifier: MIT
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *file_read_fd(int fd, size_t limit, size_t *length, struct error *err)
{
	size_t size = 4096, used = 0;
	char *buffer = malloc(size);

	if (buffer == NULL) {
		fail_errno(err, "reading");
		return NULL;
	}
	for (;;) {
		ssize_t got = read(fd, buffer + used, size - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail_errno(err, "reading");
			break;
		}
		if (got == 0) {
			buffer[used] = '\0';
			*length = used;
			return buffer;
		}
		used += (size_t)got;
		if (used > limit) {
			fail(err, "larger than %zu bytes", limit);
			break;
		}
		if (size - used < 2) {
			char *larger = realloc(buffer, size * 2);
			if (larger == NULL) {
				fail_errno(err, "reading");
				break;
			}
			buffer = larger;
			size *= 2;
		}
	}
	free(buffer);
	return NULL;
}

char *file_read(int folder, const char *name, size_t limit, size_t *length, struct error *err)
{
	// Non-blocking: in the place of a file, a named pipe must not hold up process 1.
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0) {
		fail_errno(err, "%s", name);
		return NULL;
	}
	char *buffer = file_read_fd(fd, limit, length, err);
	close(fd);
	if (buffer == NULL)
		fail_in(err, "%s", name);
	return buffer;
}

int file_put(const char *path, const char *text, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	size_t length = strlen(text);
	ssize_t wrote = write(fd, text, length);
	if (wrote < 0)
		fail_errno(err, "%s", path);
	else if ((size_t)wrote != length)
		fail(err, "%s: short write", path);
	close(fd);
	return wrote >= 0 && (size_t)wrote == length ? 0 : -1;
}

int file_make(const char *path, const char *bytes, size_t length, mode_t mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	while (length > 0) {
		ssize_t wrote = write(fd, bytes, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			fail_errno(err, "%s", path);
			close(fd);
			return -1;
		}
		bytes += wrote;
		length -= (size_t)wrote;
	}
	return close(fd) < 0 ? fail_errno(err, "%s", path) : 0;
}

int folder_make(const char *path, mode_t mode, struct error *err)
{
	char part[PATH_MAX];
	int length = snprintf(part, sizeof part, "%s", path);

	if (length < 0 || (size_t)length >= sizeof part)
		return fail(err, "%.64s...: path too long", path);
	for (char *slash = part + 1;; slash++) {
		slash += strcspn(slash, "/");
		char kept = *slash;
		*slash = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return fail_errno(err, "%s", part);
		*slash = kept;
		if (kept == '\0')
			return 0;
	}
}
