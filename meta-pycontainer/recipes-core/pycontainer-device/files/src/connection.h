// SPDX-License-Identifier: MIT
// One client of the control sockets: its lines, its request at work, its answer.
#pragma once
#include "error.h"
#include "lines.h"
#include "text.h"
#include "verbs.h"
#include "work.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONNECTION_READER_MS 30000	// for a reader that does not read
#define STREAM_REOPEN_MS 1000

struct control;
struct connection;

enum origin { ORIGIN_HOST, ORIGIN_CONTAINER, ORIGIN_STREAM };

struct request {
	const json_t *arguments;	// checked against the table of verbs
	enum verb verb;
	enum origin origin;
	const char *who;		// "host", the name of a container or of a stream
	void *context;			// control_init's
	// Of connection.c:
	struct control *control;
	struct connection *connection;
};

// Each handler calls exactly one of the four below.
typedef void handler(struct request *request);

struct handlers {
	handler *of[VERB_COUNT];
};

// The name of a verb without a handler, or NULL.
const char *handlers_missing(const struct handlers *handlers);

// Answer at once. The object is freed and may be NULL; it gets its "ok".
void control_answer(struct request *request, json_t *answer);
void control_refuse(struct request *request, const struct error *err);
// Answer later, by control_answer_held with this number.
uint64_t control_hold(struct request *request);
// Have it answered by a process of its own, which is refused here when there can be none.
void control_work(struct request *request, work_run *run, void *context);

enum connection_state {
	CONNECTION_FREE,	// no connection
	CONNECTION_IDLE,	// a request may come, or a part of one came
	CONNECTION_HELD,	// it will be answered by process 1
	CONNECTION_WORKING	// a worker has the descriptor
};

struct connection {
	enum connection_state state;
	enum origin origin;
	char name[NAME_SIZE];
	verb_set allowed;
	struct lines lines;
	struct shared *shared;	// its input
	json_t *id;		// of the request, or NULL
	uint64_t session;	// of the request, 0: none
	enum verb verb;
	pid_t worker;
	uint64_t since_ms;	// when it was last heard
	uint64_t deadline_ms;	// for a reader that does not read, UINT64_MAX: none
	bool terminal;		// a stream that, once hung up, must be opened anew
	bool closing;		// once all is written
	bool more;		// there is more to do without being told
	bool watched;		// by epoll
	uint32_t events;	// for which
	uint32_t generation;	// so that an event of its forerunner is not taken for its own
};

// Between control.c, connection.c and answer.c:
int connection_open(struct control *control, struct connection *connection, int fd, enum origin origin,
		    const char *name, verb_set allowed, struct error *err);
void connection_close(struct control *control, struct connection *connection);
void connection_event(struct control *control, struct connection *connection, uint32_t events);
void connection_act(struct control *control, struct connection *connection, uint64_t now);
// End it: at once, or, with a worker, when that has ended.
void connection_end(struct control *control, struct connection *connection);
void connection_finish(struct connection *connection, json_t *answer, const struct error *err);
void connection_forget(struct connection *connection);
void connection_worker_ended(struct control *control, struct connection *connection, int status);
