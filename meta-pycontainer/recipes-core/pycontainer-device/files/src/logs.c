// SPDX-License-Identifier: MIT
#include "logs.h"
#include "log_files.h"
#include "storage.h"
#include "utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LINES_GIVEN 100
#define BLOCK 65536

struct reading {
	struct work *work;
	struct log_files files;
	logs_object *make;
	int fd;				// of the file that is read, -1: none yet
	char piece[LOGS_PIECE];		// of a line that has no end yet
	size_t used;
};

static int send_piece(struct reading *r, size_t length, bool more, struct error *err)
{
	json_t *object = r->make(r->piece, length, more);

	r->used -= length;
	memmove(r->piece, r->piece + length, r->used);
	return object == NULL ? 0 : work_line(r->work, object, err);
}

static json_t *line_object(const char *text, size_t length, bool more)
{
	json_t *line = utf8_json(text, length);

	return more ? json_pack("{s:o, s:b}", "line", line, "more", 1) : json_pack("{s:o}", "line", line);
}

static int feed(struct reading *r, const char *bytes, size_t length, struct error *err)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			if (send_piece(r, r->used, false, err) < 0)
				return -1;
			continue;
		}
		if (r->used == sizeof r->piece &&
		    send_piece(r, utf8_cut(r->piece, r->used, sizeof r->piece - 1), true, err) < 0)
			return -1;
		r->piece[r->used++] = bytes[i];
	}
	return 0;
}

// Read once. Returns the number of bytes, 0 at the end of the file.
static ssize_t read_some(struct reading *r, struct error *err)
{
	static char block[BLOCK];
	ssize_t got;

	do
		got = read(r->fd, block, sizeof block);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return fail_errno(err, "%s.log", r->files.name);
	return got > 0 && feed(r, block, (size_t)got, err) < 0 ? -1 : got;
}

static void take(struct reading *r, int fd)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
}

// Go on by one step: more bytes, or the next file. Returns 0 when there is nothing to do now.
static int follow_once(struct reading *r, struct error *err)
{
	ssize_t got = r->fd < 0 ? 0 : read_some(r, err);

	if (got != 0)
		return got < 0 ? -1 : 1;
	if (r->fd >= 0 && log_files_is_current(&r->files, r->fd))
		return 0;
	// Its writer has left it: what came since the last look is the last of it.
	got = r->fd < 0 ? 0 : read_some(r, err);
	if (got != 0)
		return got < 0 ? -1 : 1;
	int next = log_files_open_next(&r->files, r->fd);
	if (next < 0)
		return 0;
	take(r, next);
	return 1;
}

static int follow(struct reading *readings, size_t count, int notify, struct error *err)
{
	struct work *work = readings->work;
	static unsigned char ignored[WORK_DATA_MOST];
	char events[4096];
	size_t length;

	for (;;) {
		// Before one looks: what is told afterwards is waited for.
		while (read(notify, events, sizeof events) > 0)
			;
		int some = 0, one;
		for (size_t i = 0; i < count; i++) {
			if ((one = follow_once(&readings[i], err)) < 0)
				return -1;
			some |= one;
		}
		while (work_next(work, ignored, &length, err) == WORK_DATA)
			;
		// The end of what it sends is not the end of what it reads.
		if (work->ended || work->gone)
			return 0;
		struct pollfd polls[] = {{.fd = work->lines.fd, .events = work_events(work)},
					 {.fd = notify, .events = POLLIN}};
		if (poll(polls, 2, some ? 0 : -1) > 0)
			work_receive(work, polls[0].revents);
	}
}

// Everything from there on that was written when one began. `on`: more will follow, maybe of the last line too.
static int read_kept(struct reading *r, struct log_list *list, const struct log_place *place, bool on, struct error *err)
{
	for (size_t i = list->count == 0 ? 0 : place->index + 1; i-- > 0;) {
		uint64_t left = list->each[i].size - (i == place->index ? place->offset : 0);
		take(r, list->each[i].fd);
		list->each[i].fd = -1;
		if (i == place->index && lseek(r->fd, (off_t)place->offset, SEEK_SET) < 0)
			return fail_errno(err, "%s.log", r->files.name);
		// The newest one is still written to; a reader that does not follow must come to an end.
		for (ssize_t got = 1; got > 0 && left > 0; left -= (uint64_t)got < left ? (uint64_t)got : left)
			if ((got = read_some(r, err)) < 0)
				return -1;
	}
	return r->used > 0 && !on ? send_piece(r, r->used, false, err) : 0;
}

static int open_notify(const char *folder, struct error *err)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE) < 0)
		return fail_errno(err, "following %s", folder);
	return fd;
}

json_t *logs_serve(struct work *work, const char *folder, const char *const names[], size_t count, logs_object *make,
		   struct error *err)
{
	static struct log_list list;
	const json_t *lines = json_object_get(work->arguments, "lines");
	uint64_t wanted = lines == NULL ? LINES_GIVEN : (uint64_t)json_integer_value(lines);
	struct reading *readings = calloc(count + 1, sizeof *readings);
	struct log_place place;
	int notify = -1;

	if (readings == NULL) {
		fail_errno(err, "logs");
		return NULL;
	}
	readings->work = work;
	// Before the files are opened, so that nothing goes unnoticed.
	if (json_is_true(json_object_get(work->arguments, "follow")) && (notify = open_notify(folder, err)) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct reading *r = &readings[i];
		*r = (struct reading){.work = work, .files = {folder, names[i]}, .make = make, .fd = -1};
		list.count = 0;
		log_files_open(&r->files, &list);
		if (log_files_find(&list, wanted, &place, err) < 0 || read_kept(r, &list, &place, notify >= 0, err) < 0)
			return NULL;
	}
	// This process ends with its answer, and all it has with it.
	return notify >= 0 && follow(readings, count, notify, err) < 0 ? NULL : json_object();
}

json_t *logs_run(struct work *work, void *folder, struct error *err)
{
	const char *name = json_string_value(json_object_get(work->arguments, "container"));

	return logs_serve(work, folder == NULL ? STORAGE "/logs" : folder, &name, 1, line_object, err);
}
