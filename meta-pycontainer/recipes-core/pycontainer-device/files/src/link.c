// SPDX-License-Identifier: MIT
#include "link.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int link_open(struct link *link, const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return fail(err, "%.40s...: path too long for a socket", path);
	strcpy(address.sun_path, path);
	struct input *input = malloc(sizeof *input);
	int fd = input == NULL ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fail_errno(err, "%s", path);
		free(input);
		return -1;
	}
	lines_init(&link->lines, fd, input);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return 0;
	fail_errno(err, "%s", path);
	link_close(link);
	return -1;
}

void link_close(struct link *link)
{
	close(link->lines.fd);
	lines_drop_output(&link->lines);
	free(link->lines.input);
}

static void flush(struct link *link)
{
	// A server that hung up may have said why before.
	if (lines_flush(&link->lines) < 0)
		lines_drop_output(&link->lines);
}

int link_put(struct link *link, json_t *object, struct error *err)
{
	int result = object == NULL ? fail(err, "no memory for a request") : lines_put(&link->lines, object, err);

	json_decref(object);
	if (result == 0)
		flush(link);
	return result;
}

int link_next(struct link *link, json_t **object, struct error *err)
{
	const char *line;
	size_t length;
	int got;

	*object = NULL;
	do
		got = lines_next(&link->lines, &line, &length);
	while (got == 1 && length == 0);
	if (got < 0)
		return fail(err, "the device sent a line that is too long");
	if (got == 1 && (*object = json_object_parse(line, length, err)) == NULL)
		return fail_in(err, "the device sent a line that is");
	return 0;
}

int link_read(struct link *link, struct error *err)
{
	switch (lines_receive(&link->lines)) {
	case RECEIVED_END:
		return fail(err, "the device ended the connection");
	case RECEIVED_BROKEN:
		return fail_errno(err, "the connection broke");
	default:
		return 0;
	}
}

short link_events(const struct link *link)
{
	return (short)(POLLIN | (link->lines.queued > 0 ? POLLOUT : 0));
}

int link_wait(struct link *link, struct error *err)
{
	struct pollfd server = {.fd = link->lines.fd, .events = link_events(link)};

	if (poll(&server, 1, -1) < 0)
		return errno == EINTR ? 0 : fail_errno(err, "poll");
	if ((server.revents & POLLOUT) != 0)
		flush(link);
	return (server.revents & ~POLLOUT) != 0 ? link_read(link, err) : 0;
}

bool link_is_final(const json_t *object)
{
	return json_object_get(object, "ok") != NULL || json_object_get(object, "error") != NULL;
}
