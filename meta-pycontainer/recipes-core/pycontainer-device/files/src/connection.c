// SPDX-License-Identifier: MIT
#include "connection.h"
#include "console.h"
#include "control.h"
#include "request.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

// Lines and reads in a row before others have their turn.
#define TURN 16

static bool is_stream(const struct connection *c)
{
	return c->origin == ORIGIN_STREAM;
}

static bool has_output(const struct connection *c)
{
	return c->lines.queued > 0;
}

// Tell epoll what to wait for. A stream is watched for edges: a port without a host hangs up without end.
static int watch(struct control *control, struct connection *c, struct error *err)
{
	uint32_t index = (uint32_t)(c - control->connections);
	uint32_t events = has_output(c) ? EPOLLOUT : c->state == CONNECTION_IDLE ? EPOLLIN : 0;
	bool wanted = c->state == CONNECTION_IDLE || c->state == CONNECTION_HELD;
	struct epoll_event event = {.events = events | (is_stream(c) ? (uint32_t)EPOLLET : 0),
				    .data.u64 = control->tag | c->generation << GENERATION_SHIFT | index};

	if (wanted == c->watched && (!wanted || events == c->events))
		return 0;
	int call = !wanted ? EPOLL_CTL_DEL : c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(control->epoll, call, c->lines.fd, &event) < 0 && wanted)
		return fail_errno(err, "epoll");
	c->watched = wanted;
	c->events = events;
	return 0;
}

int connection_open(struct control *control, struct connection *c, int fd, enum origin origin, const char *name,
		    verb_set allowed, struct error *err)
{
	uint32_t generation = (c->generation + 1) & 0xffffff;

	*c = (struct connection){.state = CONNECTION_IDLE, .origin = origin, .allowed = allowed, .generation = generation,
				 .since_ms = clock_ms(), .deadline_ms = UINT64_MAX};
	snprintf(c->name, sizeof c->name, "%s", name);
	c->shared = mmap(NULL, sizeof *c->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->shared == MAP_FAILED) {
		c->state = CONNECTION_FREE;
		return fail_errno(err, "control connection");
	}
	lines_init(&c->lines, fd, &c->shared->input);
	if (watch(control, c, err) == 0)
		return 0;
	munmap(c->shared, sizeof *c->shared);
	c->state = CONNECTION_FREE;
	return -1;
}

void connection_forget(struct connection *c)
{
	json_decref(c->id);
	c->id = NULL;
	c->session = 0;
}

void connection_close(struct control *control, struct connection *c)
{
	if (c->state == CONNECTION_FREE)
		return;
	// Not left to close: a process that was just forked may hold the descriptor for another moment.
	if (c->watched)
		epoll_ctl(control->epoll, EPOLL_CTL_DEL, c->lines.fd, NULL);
	c->watched = false;
	// What the last answer has left; a reader that takes it now gets it.
	lines_flush(&c->lines);
	close(c->lines.fd);
	lines_drop_output(&c->lines);
	munmap(c->shared, sizeof *c->shared);
	connection_forget(c);
	if (is_stream(c))
		control->reopen_ms = clock_ms() + STREAM_REOPEN_MS;
	c->state = CONNECTION_FREE;
	c->more = false;
	c->deadline_ms = UINT64_MAX;
}

// The other end of a stream went away: nothing of what was between us and it is for the next one.
static void reset(struct connection *c)
{
	lines_drop_input(&c->lines);
	lines_drop_output(&c->lines);
	connection_forget(c);
	c->state = CONNECTION_IDLE;
	c->deadline_ms = UINT64_MAX;
}

void connection_end(struct control *control, struct connection *c)
{
	if (c->worker == 0) {
		connection_close(control, c);
		return;
	}
	c->closing = true;
	c->allowed = 0;
	kill(c->worker, SIGTERM);
}

static void dispatch(struct control *control, struct connection *c, enum verb verb, const json_t *object)
{
	struct request request = {.arguments = object, .verb = verb, .origin = c->origin, .who = c->name,
				  .context = control->context, .control = control, .connection = c};
	uint64_t session = ++control->session;

	c->session = session;
	c->verb = verb;
	control->handlers->of[verb](&request);
	// A handler that did nothing would leave its client without an answer for ever.
	if (c->state == CONNECTION_IDLE && c->session == session)
		connection_finish(c, NULL, &(struct error){"not answered"});
}

static void serve(struct control *control, struct connection *c, const char *line, size_t length)
{
	struct error err;
	json_t *object;
	enum verb verb;

	c->since_ms = clock_ms();
	if (length == 0 || (length == 1 && line[0] == '\r'))
		return;
	enum parsed parsed = request_parse(line, length, &verb, &object, &err);
	if (parsed == PARSED_REQUEST || parsed == PARSED_WRONG)
		c->id = json_incref((json_t *)request_id(object));
	if (verb < VERB_COUNT && (c->allowed & verb_bit(verb)) == 0) {
		fail(&err, "%s may not use %s", c->name, verbs[verb].name);
		parsed = PARSED_WRONG;
	}
	// Noise on a serial line, or an echo of our own answers, must not be answered: it could go on for ever.
	if (parsed == PARSED_WRONG || (parsed == PARSED_OTHER && !is_stream(c)))
		connection_finish(c, NULL, &err);
	else if (parsed == PARSED_REQUEST)
		dispatch(control, c, verb, object);
	json_decref(object);
}

static void too_long(struct connection *c)
{
	struct error err;

	if (is_stream(c))
		return;
	fail(&err, "a line is longer than %u bytes", LINE_MOST);
	connection_finish(c, NULL, &err);
	c->closing = true;
}

// Write what waits. False when the connection is no more.
static bool flush(struct control *control, struct connection *c)
{
	size_t before = c->lines.queued - c->lines.sent;
	int done = lines_flush(&c->lines);

	if (done < 0 && is_stream(c)) {
		lines_drop_output(&c->lines);
		done = 1;
	}
	if (done < 0 || (done == 1 && c->closing)) {
		connection_close(control, c);
		return false;
	}
	if (done == 1)
		c->deadline_ms = UINT64_MAX;
	else if (c->lines.queued - c->lines.sent < before || c->deadline_ms == UINT64_MAX)
		c->deadline_ms = clock_ms() + CONNECTION_READER_MS;
	return true;
}

// Read once. False when there is no more now, or no connection any more.
static bool receive(struct control *control, struct connection *c)
{
	switch (lines_receive(&c->lines)) {
	case RECEIVED_SOME:
		return true;
	case RECEIVED_NONE:
		return false;
	case RECEIVED_END:
		if (is_stream(c) && !c->terminal)
			reset(c);
		else
			connection_close(control, c);
		return false;
	case RECEIVED_BROKEN:
		if (is_stream(c))
			console_line("control: %s: %s", c->name, strerror(errno));
		connection_close(control, c);
		return false;
	}
	return false;
}

// All that can be done now, but no more than one's turn.
static void run(struct control *control, struct connection *c)
{
	struct error err;
	const char *line;
	size_t length;
	bool reading = true;
	int turn = 0;

	while (reading && turn++ < TURN && c->state == CONNECTION_IDLE && flush(control, c) && !has_output(c)) {
		int got = lines_next(&c->lines, &line, &length);
		if (got > 0)
			serve(control, c, line, length);
		else if (got < 0)
			too_long(c);
		else
			reading = receive(control, c);
	}
	// The last turn may have left an answer.
	if (c->state == CONNECTION_IDLE)
		flush(control, c);
	c->more = c->state == CONNECTION_IDLE && reading && !has_output(c);
	if (c->state != CONNECTION_FREE && watch(control, c, &err) < 0) {
		console_line("control: %s: %s", c->name, err.text);
		connection_end(control, c);
	}
}

void connection_event(struct control *control, struct connection *c, uint32_t events)
{
	bool lost = (events & (EPOLLHUP | EPOLLERR)) != 0;

	if (c->state == CONNECTION_WORKING)
		return;
	// Whom one waits with an answer for may be gone; what it sent before is not served any more.
	if (lost && (c->state == CONNECTION_HELD || has_output(c))) {
		if (!is_stream(c)) {
			connection_close(control, c);
			return;
		}
		reset(c);
	}
	run(control, c);
}

void connection_act(struct control *control, struct connection *c, uint64_t now)
{
	if (c->state == CONNECTION_IDLE && c->deadline_ms <= now) {
		if (!is_stream(c)) {
			connection_close(control, c);
			return;
		}
		reset(c);
		c->more = true;
	}
	if (c->more)
		run(control, c);
}
