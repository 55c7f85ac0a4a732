// SPDX-License-Identifier: MIT
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void log_init(struct log *log, const char *folder, const char *name, uint64_t limit, unsigned files)
{
	memset(log, 0, sizeof *log);
	snprintf(log->path, sizeof log->path, "%s/%s.log", folder, name);
	log->fd = -1;
	log->limit = limit;
	log->files = files;
}

void log_limit(struct log *log, uint64_t limit, unsigned files)
{
	char path[sizeof log->path + 16];

	// What is beyond the number now would stay for ever. One that cannot be removed costs its room.
	for (unsigned i = files; i < log->files; i++) {
		snprintf(path, sizeof path, "%s.%u", log->path, i);
		unlink(path);
	}
	log->limit = limit;
	log->files = files;
}

static int open_current(struct log *log)
{
	struct stat status;

	log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log->fd < 0)
		return -1;
	log->size = fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
	return 0;
}

// name.log -> name.log.1 -> name.log.2 ...; the oldest is overwritten by the rename. With a single file it starts anew.
static int rotate(struct log *log)
{
	char from[sizeof log->path + 16], to[sizeof log->path + 16];

	log_close(log);
	if (log->files == 1 && unlink(log->path) < 0 && errno != ENOENT)
		return -1;
	for (unsigned i = log->files - 1; i > 0; i--) {
		if (i == 1)
			snprintf(from, sizeof from, "%s", log->path);
		else
			snprintf(from, sizeof from, "%s.%u", log->path, i - 1);
		snprintf(to, sizeof to, "%s.%u", log->path, i);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -1;
	}
	return open_current(log);
}

static void remember_lines(struct log *log, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (log->line_used + 1 < sizeof log->line)
				log->line[log->line_used++] = bytes[i];
			continue;
		}
		log->line[log->line_used] = '\0';
		if (log->line_used > 0)
			memcpy(log->last, log->line, log->line_used + 1);
		log->line_used = 0;
	}
}

static int lose(struct log *log, size_t length, struct error *err)
{
	uint64_t before = log->lost;

	fail_errno(err, "%s", log->path);
	log->lost += length;
	log_close(log);
	return before == 0 ? -1 : 0;
}

// How many of the bytes go into the current file: rather a shorter file than a line cut in two.
static size_t fitting(const struct log *log, const char *bytes, size_t length)
{
	uint64_t room = log->limit > log->size ? log->limit - log->size : 0;

	if (length <= room)
		return length;
	const char *end = memrchr(bytes, '\n', (size_t)room);
	if (end != NULL)
		return (size_t)(end - bytes) + 1;
	return log->size > 0 ? 0 : (size_t)room;
}

int log_write(struct log *log, const char *bytes, size_t length, struct error *err)
{
	remember_lines(log, bytes, length);
	if (log->fd < 0 && open_current(log) < 0)
		return lose(log, length, err);
	while (length > 0) {
		size_t part = fitting(log, bytes, length);
		if (part == 0) {
			if (rotate(log) < 0)
				return lose(log, length, err);
			continue;
		}
		ssize_t wrote = write(log->fd, bytes, part);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return lose(log, length, err);
		log->size += (uint64_t)wrote;
		bytes += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

void log_close(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}
