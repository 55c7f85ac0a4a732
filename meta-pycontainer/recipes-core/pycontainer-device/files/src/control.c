// SPDX-License-Identifier: MIT
#include "control.h"

#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

_Static_assert(SLOTS <= LISTENER_FIRST && LISTENER_FIRST + LISTENERS_MOST <= INDEX_MASK + 1, "an index has eight bits");

const char *handlers_missing(const struct handlers *handlers)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (handlers->of[i] == NULL)
			return verbs[i].name;
	return NULL;
}

int control_init(struct control *control, const char *root, int epoll_fd, uint64_t tag, const struct handlers *handlers,
		 void *context, struct error *err)
{
	const char *missing = handlers_missing(handlers);

	if (missing != NULL)
		return fail(err, "control: the verb %s has no handler", missing);
	memset(control, 0, sizeof *control);
	control->epoll = epoll_fd;
	control->tag = tag;
	control->handlers = handlers;
	control->context = context;
	control->root = root;
	control->reopen_ms = UINT64_MAX;
	for (size_t i = 0; i < LISTENERS_MOST; i++)
		control->listeners[i] = (struct listener){.fd = -1, .again_ms = UINT64_MAX};
	for (size_t i = 0; i < SLOTS; i++)
		control->connections[i].deadline_ms = UINT64_MAX;
	return 0;
}

// Bytes as they are; no echo, which would be read by us again; no signal characters; no wait for a modem.
static int make_raw(int fd, struct error *err)
{
	struct termios mode;

	if (tcgetattr(fd, &mode) < 0)
		return fail_errno(err, "terminal");
	cfmakeraw(&mode);
	mode.c_cflag |= CLOCAL | CREAD;
	mode.c_iflag |= IGNBRK;
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &mode) < 0 ? fail_errno(err, "terminal") : 0;
}

int control_add_stream(struct control *control, int fd, const char *name, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);
	bool terminal = isatty(fd);
	struct connection *slot = NULL;

	for (size_t i = CONNECTIONS_MOST; i < SLOTS && slot == NULL; i++)
		if (control->connections[i].state == CONNECTION_FREE)
			slot = &control->connections[i];
	if (control_has_stream(control, name))
		fail(err, "it is in use");
	else if (slot == NULL)
		fail(err, "more than %d streams", STREAMS_MOST);
	else if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		fail_errno(err, "flags");
	else if ((!terminal || make_raw(fd, err) == 0) &&
		 connection_open(control, slot, fd, ORIGIN_STREAM, name, VERBS_ALL, err) == 0) {
		slot->terminal = terminal;
		return 0;
	}
	close(fd);
	return fail_in(err, "stream %s", name);
}

bool control_has_stream(const struct control *control, const char *name)
{
	for (size_t i = CONNECTIONS_MOST; i < SLOTS; i++)
		if (control->connections[i].state != CONNECTION_FREE && strcmp(control->connections[i].name, name) == 0)
			return true;
	return false;
}

bool control_reopen(struct control *control, uint64_t now)
{
	if (now < control->reopen_ms)
		return false;
	control->reopen_ms = UINT64_MAX;
	return true;
}

void control_event(struct control *control, uint32_t number, uint32_t events)
{
	uint32_t index = number & INDEX_MASK;

	if (index >= LISTENER_FIRST) {
		struct listener *listener = &control->listeners[index - LISTENER_FIRST];
		if (index - LISTENER_FIRST < LISTENERS_MOST && listener->fd >= 0)
			listener_accept(control, listener);
		return;
	}
	if (index >= SLOTS)
		return;
	struct connection *c = &control->connections[index];
	if (c->state != CONNECTION_FREE && c->generation == number >> GENERATION_SHIFT)
		connection_event(control, c, events);
}

uint64_t control_deadline(const struct control *control)
{
	uint64_t first = control->reopen_ms;

	for (size_t i = 0; i < SLOTS; i++) {
		uint64_t next = control->connections[i].more ? 0 : control->connections[i].deadline_ms;
		first = next < first ? next : first;
	}
	for (size_t i = 0; i < LISTENERS_MOST; i++)
		first = control->listeners[i].again_ms < first ? control->listeners[i].again_ms : first;
	return first;
}

void control_act(struct control *control, uint64_t now)
{
	for (size_t i = 0; i < SLOTS; i++)
		connection_act(control, &control->connections[i], now);
	for (size_t i = 0; i < LISTENERS_MOST; i++)
		if (control->listeners[i].again_ms <= now)
			listener_accept(control, &control->listeners[i]);
}

void control_end(struct control *control)
{
	for (size_t i = 0; i < LISTENERS_MOST; i++)
		if (control->listeners[i].fd >= 0)
			listener_close(control, &control->listeners[i]);
	for (size_t i = 0; i < SLOTS; i++)
		if (control->connections[i].state != CONNECTION_FREE)
			connection_end(control, &control->connections[i]);
}

static struct connection *find_held(struct control *control, uint64_t session)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (control->connections[i].state == CONNECTION_HELD && control->connections[i].session == session)
			return &control->connections[i];
	return NULL;
}

bool control_answer_held(struct control *control, uint64_t session, json_t *answer)
{
	struct connection *c = find_held(control, session);

	if (c == NULL)
		json_decref(answer);
	else
		connection_finish(c, answer, NULL);
	return c != NULL;
}

bool control_refuse_held(struct control *control, uint64_t session, const struct error *err)
{
	struct connection *c = find_held(control, session);

	if (c != NULL)
		connection_finish(c, NULL, err);
	return c != NULL;
}

bool control_worker_ended(struct control *control, pid_t process, int status)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (control->connections[i].worker != 0 && control->connections[i].worker == process) {
			connection_worker_ended(control, &control->connections[i], status);
			return true;
		}
	return false;
}
