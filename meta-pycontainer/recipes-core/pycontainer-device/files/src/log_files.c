// SPDX-License-Identifier: MIT
#include "log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
#define TRIES 16

static void path_of(char out[PATH_MAX], const struct log_files *files, size_t index)
{
	char number[32] = "";

	if (index > 0)
		snprintf(number, sizeof number, ".%zu", index);
	snprintf(out, PATH_MAX, "%s/%s.log%s", files->folder, files->name, number);
}

static int open_one(const struct log_files *files, size_t index)
{
	char path[PATH_MAX];

	path_of(path, files, index);
	return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool is_at(const struct log_files *files, size_t index, const struct stat *wanted)
{
	char path[PATH_MAX];
	struct stat found;

	path_of(path, files, index);
	return lstat(path, &found) == 0 && found.st_ino == wanted->st_ino && found.st_dev == wanted->st_dev;
}

// Files only move towards higher numbers, the way we go: none is missed, but one may be met twice.
void log_files_open(const struct log_files *files, struct log_list *list)
{
	struct stat status;

	list->count = 0;
	for (size_t i = 0; i < LOG_FILES_MOST; i++) {
		int fd = open_one(files, i);
		if (fd < 0)
			continue;
		bool known = fstat(fd, &status) < 0;
		for (size_t k = 0; k < list->count && !known; k++)
			known = list->each[k].inode == status.st_ino && list->each[k].device == status.st_dev;
		if (known || !S_ISREG(status.st_mode)) {
			close(fd);
			continue;
		}
		list->each[list->count].fd = fd;
		list->each[list->count].size = (uint64_t)status.st_size;
		list->each[list->count].inode = status.st_ino;
		list->each[list->count++].device = status.st_dev;
	}
}

// Look for the newlines of one file from its end. Returns 1 when the place was found.
static int find_in(int fd, uint64_t size, uint64_t *left, bool *last, uint64_t *offset, struct error *err)
{
	static char block[BLOCK];

	for (uint64_t end = size; end > 0;) {
		size_t length = end < BLOCK ? (size_t)end : BLOCK;
		ssize_t got = pread(fd, block, length, (off_t)(end - length));
		if (got < 0)
			return fail_errno(err, "log");
		if ((size_t)got != length)
			return fail(err, "log: it became shorter");
		end -= length;
		for (size_t i = length; i-- > 0; *last = false)
			// The newline at the very end ends the last line and begins none.
			if (block[i] == '\n' && !*last && --*left == 0) {
				*offset = end + i + 1;
				return 1;
			}
	}
	return 0;
}

int log_files_find(const struct log_list *list, uint64_t lines, struct log_place *place, struct error *err)
{
	bool last = true;
	int found = 0;

	*place = (struct log_place){0, list->count > 0 ? list->each[0].size : 0};
	for (size_t i = 0; i < list->count && lines > 0 && found == 0; i++) {
		*place = (struct log_place){i, 0};
		found = find_in(list->each[i].fd, list->each[i].size, &lines, &last, &place->offset, err);
	}
	return found < 0 ? -1 : 0;
}

bool log_files_is_current(const struct log_files *files, int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && is_at(files, 0, &status);
}

static bool is_older(const struct stat *one, const struct stat *other)
{
	return one->st_mtim.tv_sec != other->st_mtim.tv_sec ? one->st_mtim.tv_sec < other->st_mtim.tv_sec
							    : one->st_mtim.tv_nsec < other->st_mtim.tv_nsec;
}

// The oldest, but none that was left behind by a longer row of files: that was last written to before the one that is
// gone.
static int open_oldest(const struct log_files *files, const struct stat *gone)
{
	struct stat status;

	for (size_t i = LOG_FILES_MOST - 1; i > 0; i--) {
		int fd = open_one(files, i);
		if (fd >= 0 && (gone == NULL || (fstat(fd, &status) == 0 && !is_older(&status, gone))))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return open_one(files, 0);
}

int log_files_open_next(const struct log_files *files, int fd)
{
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return open_oldest(files, NULL);
	for (int try = 0; try < TRIES; try++) {
		size_t index = 1;
		while (index < LOG_FILES_MOST && !is_at(files, index, &status))
			index++;
		if (index == LOG_FILES_MOST)
			return open_oldest(files, &status);
		int next = open_one(files, index - 1);
		// A rotation between the two looks would have made it the one after the next.
		if (next < 0 || is_at(files, index, &status))
			return next;
		close(next);
	}
	return -1;
}
