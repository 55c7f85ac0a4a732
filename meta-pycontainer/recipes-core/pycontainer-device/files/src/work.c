// SPDX-License-Identifier: MIT
#include "work.h"
#include "console.h"
#include "json.h"
#include "request.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// A client that takes nothing for so long has gone, whatever the kernel says. Work that goes on by itself waits less.
#define READER_MS 60000
#define STEADY_READER_MS 5000
#define PROGRESS_MS 250

static int leave(const struct work *work, struct error *err)
{
	if (verbs[work->verb].place == PLACE_STEADY)
		return 0;
	return fail(err, "the client went away");
}

// Write what waits, however long the reader takes within measure.
static void flush(struct work *work)
{
	int reader_ms = verbs[work->verb].place == PLACE_STEADY ? STEADY_READER_MS : READER_MS, done;

	work->shared->half = true;
	while ((done = lines_flush(&work->lines)) == 0) {
		struct pollfd room = {.fd = work->lines.fd, .events = POLLOUT};
		int ready = poll(&room, 1, reader_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || (room.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
			break;
	}
	if (done == 1) {
		work->shared->half = false;
	} else {
		work->gone = true;
		lines_drop_output(&work->lines);
	}
}

static int put(struct work *work, json_t *object, struct error *err)
{
	int result = 0;

	if (object == NULL)
		return fail(err, "no memory for an answer");
	if (work->id != NULL)
		result = json_object_set(object, "id", (json_t *)work->id);
	if (result < 0)
		fail(err, "no memory for an answer");
	else
		result = lines_put(&work->lines, object, err);
	json_decref(object);
	return result;
}

int work_line(struct work *work, json_t *object, struct error *err)
{
	if (work->gone) {
		json_decref(object);
		return leave(work, err);
	}
	if (put(work, object, err) < 0)
		return -1;
	flush(work);
	return work->gone ? leave(work, err) : 0;
}

int work_progress(struct work *work, const char *step, uint64_t done, uint64_t total, struct error *err)
{
	struct pollfd room = {.fd = work->lines.fd, .events = POLLOUT};
	uint64_t now = clock_ms();
	bool news = strncmp(work->told, step, sizeof work->told - 1) != 0 || done == total;

	if (work_gone(work))
		return leave(work, err);
	if (work->gone || (!news && now - work->told_ms < PROGRESS_MS) || poll(&room, 1, 0) != 1 ||
	    (room.revents & POLLOUT) == 0)
		return 0;
	work->told_ms = now;
	strncpy(work->told, step, sizeof work->told - 1);
	json_t *object = json_pack("{s:{s:s, s:I, s:I}}", "progress", "step", step, "done", (json_int_t)done, "total",
				   (json_int_t)total);
	return work_line(work, object, err);
}

bool work_gone(struct work *work)
{
	struct pollfd client = {.fd = work->lines.fd};

	if (!work->gone && poll(&client, 1, 0) == 1 && (client.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		work->gone = true;
	return work->gone && verbs[work->verb].place != PLACE_STEADY;
}

short work_events(const struct work *work)
{
	// A hang-up is told even when nothing is asked for.
	return work->eof || work->ended ? 0 : POLLIN;
}

void work_receive(struct work *work, short events)
{
	if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		work->gone = true;
	if ((events & POLLIN) == 0 || work->gone)
		return;
	switch (lines_receive(&work->lines)) {
	case RECEIVED_END:
		// A socket may be half closed, its other half being read; a stream has no halves.
		work->eof = true;
		work->gone = work->stream;
		break;
	case RECEIVED_BROKEN:
		work->gone = true;
		break;
	default:
		break;
	}
}

static enum work_input decode_copy(struct work *work, const json_t *copy, struct error *err)
{
	struct work_copy *out = &work->copy;

	if (json_object_size(copy) == 3 && json_get_digest(copy, "digest", out->digest, err) == 0 &&
	    json_get_number(copy, "offset", 0, INT64_MAX, &out->offset, err) == 0 &&
	    json_get_number(copy, "size", 1, WORK_COPY_MOST, &out->size, err) == 0)
		return WORK_COPY;
	fail(err, "copy: not {\"digest\", \"offset\", \"size\"} of 1 to %u bytes", WORK_COPY_MOST);
	return WORK_WRONG;
}

static enum work_input decode(struct work *work, const json_t *object, unsigned char *bytes, size_t *length,
			      struct error *err)
{
	const json_t *data = json_object_get(object, "data"), *copy = json_object_get(object, "copy");

	if (copy != NULL && json_object_size(object) == 1 && work->verb == VERB_PUT)
		return decode_copy(work, copy, err);

	if (json_is_true(json_object_get(object, "end")) && data == NULL)
		return WORK_END;
	if (!json_is_string(data) || json_object_size(object) != 1 ||
	    sodium_base642bin(bytes, WORK_DATA_MOST, json_string_value(data), json_string_length(data), NULL, length, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0) {
		fail(err, "neither {\"data\": <base64>} nor {\"end\": true}");
		return WORK_WRONG;
	}
	return WORK_DATA;
}

// One line; WORK_NONE when it is of no matter.
static enum work_input take(struct work *work, const char *line, size_t length, unsigned char *bytes, size_t *got,
			    struct error *err)
{
	enum work_input input = WORK_NONE;
	enum verb verb;
	json_t *object;

	if (length == 0)
		return WORK_NONE;
	switch (request_parse(line, length, &verb, &object, err)) {
	case PARSED_INPUT:
		input = decode(work, object, bytes, got, err);
		break;
	case PARSED_REQUEST:
	case PARSED_WRONG:
		// Process 1 answers it next. On a stream it comes from somebody else, who does not want our answer.
		lines_unread(&work->lines, line);
		work->gone = work->gone || work->stream;
		input = WORK_END;
		break;
	case PARSED_OTHER:
		input = work->stream ? WORK_NONE : WORK_WRONG;
		break;
	}
	json_decref(object);
	return input;
}

enum work_input work_next(struct work *work, unsigned char *bytes, size_t *length, struct error *err)
{
	enum work_input input = WORK_NONE;
	const char *line;
	size_t size;
	int got = 0;

	while (!work->ended && input == WORK_NONE && (got = lines_next(&work->lines, &line, &size)) == 1)
		input = take(work, line, size, bytes, length, err);
	if (got < 0) {
		fail(err, "a line is longer than %u bytes", LINE_MOST);
		input = WORK_WRONG;
	}
	if (input == WORK_END || input == WORK_WRONG)
		work->ended = true;
	else if (input == WORK_NONE && (work->ended || work->eof || work->gone))
		input = WORK_END;
	return input;
}

enum work_input work_wait(struct work *work, unsigned char *bytes, size_t *length, unsigned timeout_ms,
			  struct error *err)
{
	uint64_t end = clock_ms() + timeout_ms;

	for (;;) {
		enum work_input input = work_next(work, bytes, length, err);
		uint64_t now = clock_ms();
		if (input != WORK_NONE || now >= end)
			return input;
		struct pollfd client = {.fd = work->lines.fd, .events = work_events(work)};
		if (poll(&client, 1, (int)(end - now)) == 1)
			work_receive(work, client.revents);
	}
}

static void finish(struct work *work, json_t *answer, struct error *err)
{
	if (answer != NULL && json_object_set_new(answer, "ok", json_true()) < 0) {
		json_decref(answer);
		answer = NULL;
		fail(err, "no memory for an answer");
	}
	if (work->gone) {
		json_decref(answer);
		return;
	}
	if ((answer == NULL || put(work, answer, err) < 0) &&
	    put(work, json_pack("{s:o}", "error", utf8_json(err->text, strlen(err->text))), err) < 0)
		_exit(1);
	flush(work);
}

void work_main(struct work *work, int fd, work_run *run, void *context)
{
	struct error err = {"failed for no known reason"};
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	// It holds none of our other descriptors: what it holds open, epoll does not forget when we close it.
	if (fd != 3 && dup3(fd, 3, O_CLOEXEC) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	work->lines = (struct lines){.fd = 3, .input = &work->shared->input};
	json_t *answer = run(work, context, &err);
	finish(work, answer, &err);
	work->shared->lost = work->gone && !work->stream;
	work->shared->final = true;
	_exit(0);
}
