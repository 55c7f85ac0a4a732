// SPDX-License-Identifier: MIT
#include "serve.h"
#include "log.h"
#include "log_files.h"

static void say(struct log *log, const char *text)
{
	struct error err;

	check(log_write(log, text, strlen(text), &err) == 0);
}

static void ask(struct client *c, const char *more)
{
	char line[128];

	snprintf(line, sizeof line, "{\"verb\":\"logs\",\"container\":\"web\"%s}\n", more);
	client_send(c, line);
}

static void test_tail(void)
{
	struct client *c = client_open("control.sock");
	struct log log;

	// None at all.
	ask(c, "");
	expect(c, "{\"ok\":true}");
	log_init(&log, root, "web", 16, 3);
	say(&log, "one 5678\ntwo 5678\n3\n4\n5\nsix 56789\n7");
	// Over three files, the last line without an end.
	ask(c, "");
	static const char *const all[] = {"one 5678", "two 5678", "3", "4", "5", "six 56789", "7"};
	for (size_t i = 0; i < 7; i++) {
		char wanted[64];
		snprintf(wanted, sizeof wanted, "{\"line\":\"%s\"}", all[i]);
		expect(c, wanted);
	}
	expect(c, "{\"ok\":true}");
	for (size_t last = 0; last <= 7; last++) {
		char more[32], wanted[64];
		snprintf(more, sizeof more, ",\"lines\":%zu", last);
		ask(c, more);
		for (size_t i = 7 - last; i < 7; i++) {
			snprintf(wanted, sizeof wanted, "{\"line\":\"%s\"}", all[i]);
			expect(c, wanted);
		}
		expect(c, "{\"ok\":true}");
	}
	say(&log, "\n");
	ask(c, ",\"lines\":1");
	expect(c, "{\"line\":\"7\"}");
	expect(c, "{\"ok\":true}");
	log_close(&log);
	// Any bytes become valid text; a line of any length comes in pieces, none cut amidst a character.
	log_init(&log, root, "any", 1 << 20, 2);
	struct error err;
	check(log_write(&log, "a\0b\xff\x1b[31m\"\\\n", 12, &err) == 0);
	char *text = malloc(40001);
	for (size_t i = 0; i < 40000; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	check(log_write(&log, "x", 1, &err) == 0 && log_write(&log, text, 40000, &err) == 0 && log_write(&log, "\n", 1, &err) == 0);
	client_send(c, "{\"verb\":\"logs\",\"container\":\"any\"}\n");
	expect(c, "{\"line\":\"a\xef\xbf\xbd" "b\xef\xbf\xbd\\u001B[31m\\\"\\\\\"}");
	size_t length = 0;
	for (bool more = true; more;) {
		json_t *object = json_loads(client_line(c), 0, NULL);
		const json_t *line = json_object_get(object, "line");
		more = json_is_true(json_object_get(object, "more"));
		check(json_string_length(line) > 0 && json_string_length(line) <= LOGS_PIECE);
		check(strstr(json_string_length(line) > 0 ? json_string_value(line) : "", "\xef\xbf\xbd") == NULL);
		length += json_string_length(line);
		json_decref(object);
	}
	check(length == 40001);
	expect(c, "{\"ok\":true}");
	free(text);
	log_close(&log);
	client_close(c);
	serve_until(serve_connections() == 0);
}

// A writer that rotates as fast as it can, and a reader that must see every line once and in order.
static void test_follow_rotation(void)
{
	struct client *c = client_open("control.sock");
	struct log log;
	char line[64];

	log_init(&log, root, "fast", 200, 100);
	say(&log, "begin\n");
	client_send(c, "{\"verb\":\"logs\",\"container\":\"fast\",\"lines\":1,\"follow\":true}\n");
	expect(c, "{\"line\":\"begin\"}");
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		say(&log, line);
		if (i % 500 == 499)
			// The files hold some 2000 lines: it may not be further behind.
			for (int k = i - 499; k <= i; k++) {
				snprintf(line, sizeof line, "{\"line\":\"line %d\"}", k);
				expect(c, line);
			}
	}
	client_send(c, "{\"end\":true}\n");
	expect(c, "{\"ok\":true}");
	log_close(&log);
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_follow(void)
{
	struct client *c = client_open("control.sock");
	struct log log;
	unsigned before = workers_ended;

	// One file only, which is made anew; older files of a longer row are not read again.
	log_init(&log, root, "one.log.1", 1000, 1);
	say(&log, "stale\n");
	log_close(&log);
	char from[128], to[128];
	snprintf(from, sizeof from, "%s/one.log.1.log", root);
	snprintf(to, sizeof to, "%s/one.log.1", root);
	check(rename(from, to) == 0);
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	check(utimensat(AT_FDCWD, to, old, 0) == 0);
	log_init(&log, root, "one", 16, 1);
	say(&log, "first\n");
	client_send(c, "{\"verb\":\"logs\",\"container\":\"one\",\"lines\":1,\"follow\":true}\n");
	expect(c, "{\"line\":\"first\"}");
	say(&log, "sec");
	say(&log, "ond\n");
	expect(c, "{\"line\":\"second\"}");
	say(&log, "in a new one\n");
	expect(c, "{\"line\":\"in a new one\"}");
	say(&log, "and another\n");
	expect(c, "{\"line\":\"and another\"}");
	// The half that it sends ends, the half that it reads does not.
	shutdown(c->fd, SHUT_WR);
	for (int i = 0; i < 20; i++)
		serve_step(1);
	check(workers_ended == before);
	say(&log, "still here\n");
	expect(c, "{\"line\":\"still here\"}");
	// It goes away while nothing is written.
	client_close(c);
	serve_until(workers_ended == before + 1 && serve_connections() == 0);
	// Before the first line, and until the next request.
	c = client_open("control.sock");
	client_send(c, "{\"verb\":\"logs\",\"container\":\"new\",\"follow\":true}\n");
	for (int i = 0; i < 20; i++)
		serve_step(1);
	log_close(&log);
	log_init(&log, root, "new", 1000, 2);
	say(&log, "begun\n");
	expect(c, "{\"line\":\"begun\"}");
	client_send(c, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ok\":true}");
	expect(c, "{\"ok\":true}");
	log_close(&log);
	client_close(c);
	serve_until(serve_connections() == 0);
}

int main(void)
{
	serve_begin();
	test_tail();
	test_follow();
	test_follow_rotation();
	serve_end();
	return check_result("logs");
}
