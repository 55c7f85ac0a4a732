// SPDX-License-Identifier: MIT
// A whole conversation of foreign bytes, by a socket or a stream, with handlers that do nothing. Whatever comes in,
// what goes out is lines, each an object with "ok" or "error".
#include "control.h"
#include "json.h"
#include "request.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static uint64_t held;

static void answer(struct request *request)
{
	control_answer(request, json_pack("{s:s}", "verb", verbs[request->verb].name));
}

static void refuse(struct request *request)
{
	struct error err;
	char digits[HEX_SIZE];

	request_revision(request->arguments, "revision", digits);
	fail(&err, "%s of %s", digits, json_string_value(json_object_get(request->arguments, "path")));
	control_refuse(request, &err);
}

static void hold(struct request *request)
{
	held = control_hold(request);
}

static void step(struct control *control)
{
	struct epoll_event events[8];
	int count = epoll_wait(control->epoll, events, 8, 0);

	for (int i = 0; i < count; i++)
		control_event(control, (uint32_t)events[i].data.u64, events[i].events);
	if (held != 0)
		control_answer_held(control, held, NULL);
	held = 0;
	control_act(control, 0);
}

static void take(struct lines *client)
{
	const char *line;
	size_t length;
	int got;

	while (lines_receive(client) == RECEIVED_SOME)
		while ((got = lines_next(client, &line, &length)) != 0) {
			struct error err;
			json_t *object = got == 1 ? json_object_parse(line, length, &err) : NULL;
			if (object == NULL || (json_object_get(object, "ok") == NULL) == (json_object_get(object, "error") == NULL))
				__builtin_trap();
			json_decref(object);
		}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct handlers handlers;
	static struct control control;
	static struct input input;
	struct lines client;
	struct error err;
	int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < VERB_COUNT; i++)
		handlers.of[i] = i == VERB_START ? hold : i == VERB_INSTALL ? refuse : answer;
	if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0 ||
	    control_init(&control, "/nonexistent", epoll, 0, &handlers, NULL, &err) < 0)
		goto done;
	lines_init(&client, ends[1], &input);
	if (((data[0] & 1) != 0 ? control_add_stream(&control, ends[0], "port", &err)
				: control_add_socket(&control, ends[0], ORIGIN_CONTAINER, "web", ~verb_bit(VERB_EXEC), &err)) < 0)
		__builtin_trap();
	// In pieces of one size, or all at once.
	size_t piece = data[0] >> 1 == 0 ? size : (size_t)(data[0] >> 1) * 8;
	for (size_t at = 1; at < size; at += piece) {
		ssize_t wrote = write(ends[1], data + at, piece < size - at ? piece : size - at);
		if (wrote < 0)
			break;
		step(&control);
		take(&client);
	}
	for (int i = 0; i < 4; i++) {
		step(&control);
		take(&client);
	}
	close(ends[1]);
	step(&control);
	control_end(&control);
	for (size_t i = 0; i < SLOTS; i++)
		if (control.connections[i].state != CONNECTION_FREE)
			__builtin_trap();
done:
	close(epoll);
	return 0;
}
