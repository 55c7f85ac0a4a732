// SPDX-License-Identifier: MIT
#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lines_init(struct lines *lines, int fd, struct input *input)
{
	*lines = (struct lines){.fd = fd, .input = input};
	lines_drop_input(lines);
}

void lines_drop_output(struct lines *lines)
{
	free(lines->output);
	lines->output = NULL;
	lines->sent = lines->queued = lines->room = 0;
}

void lines_drop_input(struct lines *lines)
{
	struct input *input = lines->input;

	input->start = input->scanned = input->used = 0;
	input->skipping = false;
}

enum received lines_receive(struct lines *lines)
{
	struct input *input = lines->input;

	if (input->start > 0) {
		memmove(input->bytes, input->bytes + input->start, input->used - input->start);
		input->used -= input->start;
		input->scanned -= input->start;
		input->start = 0;
	}
	if (input->used == sizeof input->bytes)
		return RECEIVED_SOME;
	ssize_t got;
	do
		got = read(lines->fd, input->bytes + input->used, sizeof input->bytes - input->used);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? RECEIVED_NONE : RECEIVED_BROKEN;
	input->used += (size_t)got;
	return got == 0 ? RECEIVED_END : RECEIVED_SOME;
}

int lines_next(struct lines *lines, const char **line, size_t *length)
{
	struct input *input = lines->input;

	for (;;) {
		char *end = memchr(input->bytes + input->scanned, '\n', input->used - input->scanned);
		if (end == NULL)
			break;
		*line = input->bytes + input->start;
		*length = (size_t)(end - *line);
		input->start = input->scanned = (size_t)(end - input->bytes) + 1;
		if (!input->skipping)
			return 1;
		input->skipping = false;
	}
	input->scanned = input->used;
	if (input->skipping) {
		input->start = input->used;
		return 0;
	}
	if (input->used - input->start < sizeof input->bytes)
		return 0;
	input->skipping = true;
	input->start = input->used;
	return -1;
}

void lines_unread(struct lines *lines, const char *line)
{
	lines->input->start = lines->input->scanned = (size_t)(line - lines->input->bytes);
}

static int make_room(struct lines *lines, size_t length, struct error *err)
{
	if (lines->sent > 0) {
		memmove(lines->output, lines->output + lines->sent, lines->queued - lines->sent);
		lines->queued -= lines->sent;
		lines->sent = 0;
	}
	if (length > OUTPUT_MOST - lines->queued)
		return fail(err, "the reader does not read");
	if (lines->room - lines->queued >= length)
		return 0;
	char *larger = realloc(lines->output, lines->queued + length);
	if (larger == NULL)
		return fail_errno(err, "output");
	lines->output = larger;
	lines->room = lines->queued + length;
	return 0;
}

int lines_put(struct lines *lines, const json_t *object, struct error *err)
{
	size_t length = json_dumpb(object, NULL, 0, JSON_COMPACT);

	if (length == 0)
		return fail(err, "not an object that can be written");
	if (length >= LINE_MOST)
		return fail(err, "longer than a line may be");
	if (make_room(lines, length + 1, err) < 0)
		return -1;
	if (json_dumpb(object, lines->output + lines->queued, length, JSON_COMPACT) != length)
		return fail(err, "not an object that can be written");
	lines->queued += length;
	lines->output[lines->queued++] = '\n';
	return 0;
}

int lines_put_newline(struct lines *lines, struct error *err)
{
	if (make_room(lines, 1, err) < 0)
		return -1;
	lines->output[lines->queued++] = '\n';
	return 0;
}

int lines_flush(struct lines *lines)
{
	while (lines->sent < lines->queued) {
		ssize_t wrote = write(lines->fd, lines->output + lines->sent, lines->queued - lines->sent);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno == EAGAIN)
			return 0;
		if (wrote <= 0)
			return -1;
		lines->sent += (size_t)wrote;
	}
	lines_drop_output(lines);
	return 1;
}

bool input_valid(const struct input *input)
{
	return input->start <= input->scanned && input->scanned <= input->used && input->used <= sizeof input->bytes;
}
