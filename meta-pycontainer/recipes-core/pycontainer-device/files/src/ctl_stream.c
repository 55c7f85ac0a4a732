// SPDX-License-Identifier: MIT
// Conversations of the client.
#include "ctl.h"
#include "work.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int write_all(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0) {
		ssize_t wrote = write(fd, next, length);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return -1;
		next += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

static int show(struct ctl *ctl, const json_t *object, struct error *err)
{
	const json_t *progress = json_object_get(object, "progress");

	if (ctl->json) {
		json_dumpf(object, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	} else if (progress != NULL) {
		ctl_show_progress(ctl, progress);
	} else {
		ctl_show_line(ctl, object);
	}
	return fflush(stdout) != 0 ? fail_errno(err, "standard output") : 0;
}

int ctl_converse(struct ctl *ctl, json_t **final, struct error *err)
{
	for (;;) {
		json_t *object;
		if (link_next(&ctl->link, &object, err) < 0)
			return -1;
		if (object == NULL) {
			if (link_wait(&ctl->link, err) < 0)
				return -1;
			continue;
		}
		if (link_is_final(object)) {
			*final = object;
			return 0;
		}
		int result = show(ctl, object, err);
		json_decref(object);
		if (result < 0)
			return -1;
	}
}

static json_t *data_of(const unsigned char *bytes, size_t length)
{
	static char text[sodium_base64_ENCODED_LEN(WORK_CHUNK, sodium_base64_VARIANT_ORIGINAL)];

	sodium_bin2base64(text, sizeof text, bytes, length, sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:s}", "data", text);
}

static int write_output(struct ctl *ctl, const json_t *object, struct error *err)
{
	static unsigned char bytes[WORK_DATA_MOST];
	const json_t *out = json_object_get(object, "out"), *data = out != NULL ? out : json_object_get(object, "err");
	size_t length;

	if (ctl->json)
		return show(ctl, object, err);
	if (!json_is_string(data))
		return 0;
	if (sodium_base642bin(bytes, sizeof bytes, json_string_value(data), json_string_length(data), NULL, &length, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return fail(err, "the device sent bytes that are not base64");
	return write_all(out != NULL ? STDOUT_FILENO : STDERR_FILENO, bytes, length) < 0 ? fail_errno(err, "output") : 0;
}

// Take what came. Returns 1 with the final object.
static int take_output(struct ctl *ctl, json_t **final, struct error *err)
{
	json_t *object;

	while (link_next(&ctl->link, &object, err) == 0) {
		if (object == NULL)
			return 0;
		if (link_is_final(object)) {
			*final = object;
			return 1;
		}
		int result = write_output(ctl, object, err);
		json_decref(object);
		if (result < 0)
			return -1;
	}
	return -1;
}

static int send_input(struct ctl *ctl, bool *open, struct error *err)
{
	static unsigned char bytes[WORK_CHUNK];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got > 0)
		return link_put(&ctl->link, data_of(bytes, (size_t)got), err);
	*open = false;
	return link_put(&ctl->link, json_pack("{s:b}", "end", 1), err);
}

int ctl_exec(struct ctl *ctl, json_t **final, struct error *err)
{
	bool open = true;
	int result;

	while ((result = take_output(ctl, final, err)) == 0) {
		// No more is read than the device takes.
		bool reading = open && ctl->link.lines.queued == 0;
		struct pollfd polls[] = {{.fd = ctl->link.lines.fd, .events = link_events(&ctl->link)},
					 {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN}};
		if (poll(polls, 2, -1) < 0) {
			if (errno != EINTR)
				return fail_errno(err, "poll");
			continue;
		}
		if (polls[0].revents != 0 && link_wait(&ctl->link, err) < 0)
			return -1;
		if (polls[1].revents != 0 && send_input(ctl, &open, err) < 0)
			return -1;
	}
	return result < 0 ? -1 : 0;
}

static void show_sent(const struct ctl *ctl, uint64_t done, uint64_t total)
{
	json_t *progress = json_pack("{s:s, s:I, s:I}", "step", "send", "done", (json_int_t)done, "total", (json_int_t)total);

	if (!ctl->json)
		ctl_show_progress(ctl, progress);
	json_decref(progress);
}

int ctl_put(struct ctl *ctl, int file, json_t **final, struct error *err)
{
	static unsigned char bytes[WORK_CHUNK];
	bool ready = false;
	json_int_t offset = 0, size = lseek(file, 0, SEEK_END);
	json_t *object;

	for (;;) {
		if (link_next(&ctl->link, &object, err) < 0)
			return -1;
		if (object != NULL && link_is_final(object)) {
			*final = object;
			return 0;
		}
		if (object != NULL) {
			const json_t *from = json_object_get(json_object_get(object, "ready"), "offset");
			ready = ready || json_is_integer(from);
			offset = json_is_integer(from) ? json_integer_value(from) : offset;
			int result = ctl->json ? show(ctl, object, err) : 0;
			json_decref(object);
			if (result < 0)
				return -1;
			continue;
		}
		if (!ready || offset >= size || ctl->link.lines.queued > 0) {
			if (link_wait(&ctl->link, err) < 0)
				return -1;
			continue;
		}
		ssize_t got = pread(file, bytes, sizeof bytes, (off_t)offset);
		if (got <= 0)
			return got < 0 ? fail_errno(err, "file") : fail(err, "the file became shorter");
		if (link_put(&ctl->link, data_of(bytes, (size_t)got), err) < 0)
			return -1;
		offset += got;
		show_sent(ctl, (uint64_t)offset, (uint64_t)size);
		// An answer before the end is a refusal.
		struct pollfd server = {.fd = ctl->link.lines.fd, .events = POLLIN};
		if (poll(&server, 1, 0) == 1 && link_read(&ctl->link, err) < 0)
			return -1;
	}
}

struct direction {
	int from, to;
	char bytes[65536];
	size_t sent, used;
	bool ended;
};

// Move what can be moved. -1: the end that is written to is gone.
static int move(struct direction *d, short from, short to)
{
	if (d->sent < d->used) {
		if (to == 0)
			return 0;
		ssize_t wrote = write(d->to, d->bytes + d->sent, d->used - d->sent);
		if (wrote < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		d->sent += (size_t)wrote;
		return 0;
	}
	if ((to & (POLLERR | POLLHUP)) != 0)
		return -1;
	if (from == 0 || d->ended)
		return 0;
	ssize_t got = read(d->from, d->bytes, sizeof d->bytes);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	d->ended = got <= 0;
	d->sent = 0;
	d->used = got > 0 ? (size_t)got : 0;
	return 0;
}

static bool waits(const struct direction *d)
{
	return d->sent < d->used;
}

int ctl_relay(struct ctl *ctl, struct error *err)
{
	static struct direction up, down;
	bool half = false;
	int server = ctl->link.lines.fd;

	up = (struct direction){.from = STDIN_FILENO, .to = server};
	down = (struct direction){.from = server, .to = STDOUT_FILENO};
	while (!down.ended || waits(&down)) {
		short events = (short)((waits(&up) ? POLLOUT : 0) | (waits(&down) || down.ended ? 0 : POLLIN));
		struct pollfd polls[] = {
			{.fd = up.ended ? -1 : STDIN_FILENO, .events = waits(&up) ? 0 : POLLIN},
			// A hang-up is told without end, also while nothing can be done about it.
			{.fd = events == 0 ? -1 : server, .events = events},
			{.fd = STDOUT_FILENO, .events = waits(&down) ? POLLOUT : 0},
		};
		if (poll(polls, 3, -1) < 0) {
			if (errno != EINTR)
				return fail_errno(err, "poll");
			continue;
		}
		if (move(&up, polls[0].revents, polls[1].revents & POLLOUT) < 0) {
			up.sent = up.used;
			up.ended = true;
		}
		if (move(&down, polls[1].revents & ~POLLOUT, polls[2].revents) < 0)
			return 0;
		if (up.ended && !waits(&up) && !half) {
			// What was asked is still answered.
			half = true;
			shutdown(server, SHUT_WR);
		}
	}
	return 0;
}
