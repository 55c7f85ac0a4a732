// SPDX-License-Identifier: MIT
// A request that is served by a process of its own: what that process may call. Its client's descriptor stays
// non-blocking, because process 1 shares it: these calls wait where one must.
#pragma once
#include "error.h"
#include "lines.h"
#include "text.h"
#include "verbs.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WORK_DATA_MOST (LINE_MOST / 4 * 3)	// bytes in one line of base64
#define WORK_CHUNK (48u * 1024)			// that one sends at a time
#define WORK_COPY_MOST (16u << 20)		// bytes that one line has copied, at most

// What process 1 and the worker share: never both use it at once.
struct shared {
	struct input input;
	bool half;	// a line was begun and not ended
	bool final;	// the last line was written, or nobody wants it
	bool lost;	// a socket whose other end is gone or reads nothing: there is no more to do with it
};

// Bytes of a blob that is here: what a sender need not send.
struct work_copy {
	char digest[HEX_SIZE];
	uint64_t offset, size;
};

struct work {
	const json_t *arguments;	// checked against the table of verbs
	enum verb verb;
	const char *who;		// asks: "host", the name of a container or of a stream
	bool stream;			// a byte stream, not a socket
	bool gone;			// nobody listens any more
	struct work_copy copy;		// after WORK_COPY
	// Of work.c:
	struct lines lines;
	struct shared *shared;
	const json_t *id;
	bool eof, ended;
	uint64_t told_ms;
	char told[32];
};

// The worker: returns the last object (it gets its "ok"), or NULL with an error.
typedef json_t *work_run(struct work *work, void *context, struct error *err);

// Send an intermediate object, which is freed, NULL included. -1 when nobody listens and the verb ends by that.
int work_line(struct work *work, json_t *object, struct error *err);
// {"progress": ...}, at most a few a second, and none that would have to wait.
int work_progress(struct work *work, const char *step, uint64_t done, uint64_t total, struct error *err);
// Look whether the client went away; true when the work shall end for that.
bool work_gone(struct work *work);

enum work_input {
	WORK_DATA,	// bytes of a {"data": ...} line
	WORK_COPY,	// a {"copy": ...} line, of put only
	WORK_NONE,	// nothing is there yet
	WORK_END,	// {"end": true}, or the client sends no more, or it has another request
	WORK_WRONG	// what it sent is not understood
};

// For a poll of one's own: the events to wait for on work->lines.fd, and what to do with those that came.
short work_events(const struct work *work);
void work_receive(struct work *work, short events);
// The next line that the client sent, `bytes` has room for WORK_DATA_MOST.
enum work_input work_next(struct work *work, unsigned char *bytes, size_t *length, struct error *err);
// The same, but wait for it; WORK_NONE after the time.
enum work_input work_wait(struct work *work, unsigned char *bytes, size_t *length, unsigned timeout_ms,
			  struct error *err);

// In the new process: run to the end. `fd` is the client's.
_Noreturn void work_main(struct work *work, int fd, work_run *run, void *context);
