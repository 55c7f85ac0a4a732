// SPDX-License-Identifier: MIT
#include "check.h"
#include "lines.h"
#include "request.h"
#include "utf8.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct input input;
static struct lines lines;
static int other;

static void begin(void)
{
	int ends[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	lines_init(&lines, ends[0], &input);
	other = ends[1];
}

static void end(void)
{
	lines_drop_output(&lines);
	close(lines.fd);
	close(other);
}

static bool next_is(const char *wanted)
{
	const char *line;
	size_t length;

	return lines_next(&lines, &line, &length) == 1 && length == strlen(wanted) && memcmp(line, wanted, length) == 0;
}

static int nothing(void)
{
	const char *line;
	size_t length;

	return lines_next(&lines, &line, &length);
}

// However the bytes come, the lines are the same.
static void test_split(void)
{
	static const char text[] = "one\n\ntwo words\nrest";

	for (size_t cut = 0; cut < sizeof text; cut++) {
		begin();
		check(write(other, text, cut) == (ssize_t)cut);
		if (cut > 0)
			check(lines_receive(&lines) == RECEIVED_SOME);
		check(lines_receive(&lines) == RECEIVED_NONE);
		unsigned got = 0;
		while (cut > 0 && nothing() == 1)
			got++;
		check(got == (cut < 4 ? 0u : cut < 5 ? 1u : cut < 15 ? 2u : 3u));
		check(write(other, text + cut, sizeof text - 1 - cut) == (ssize_t)(sizeof text - 1 - cut));
		lines_receive(&lines);
		static const char *const wanted[] = {"one", "", "two words"};
		for (; got < 3; got++)
			check(next_is(wanted[got]));
		check(nothing() == 0);
		close(other);
		other = -1;
		check(lines_receive(&lines) == RECEIVED_END);
		end();
	}
}

static void put_x(size_t count)
{
	static char block[LINE_MOST];

	memset(block, 'x', sizeof block);
	while (count > 0) {
		ssize_t wrote = write(other, block, count < sizeof block ? count : sizeof block);
		count -= wrote > 0 ? (size_t)wrote : 0;
		lines_receive(&lines);
		check(wrote > 0);
	}
}

static void test_length(void)
{
	const char *line;
	size_t length;

	// Just as long as a line may be, newline included; then one more.
	begin();
	put_x(LINE_MOST - 1);
	check(nothing() == 0 && write(other, "\n", 1) == 1);
	lines_receive(&lines);
	check(lines_next(&lines, &line, &length) == 1 && length == LINE_MOST - 1 && nothing() == 0);
	put_x(LINE_MOST);
	check(nothing() == -1 && nothing() == 0);
	// The rest of it goes too, and after it all is well again.
	put_x(100000);
	check(nothing() == 0);
	check(write(other, "xx\nnext\n", 8) == 8);
	lines_receive(&lines);
	check(next_is("next") && nothing() == 0 && input_valid(&input));
	end();
}

static void test_unread(void)
{
	const char *line;
	size_t length;

	begin();
	check(write(other, "a\nb\nc", 5) == 5);
	lines_receive(&lines);
	check(next_is("a") && lines_next(&lines, &line, &length) == 1);
	lines_unread(&lines, line);
	check(write(other, "d\n", 2) == 2);
	lines_receive(&lines);
	check(next_is("b") && next_is("cd") && nothing() == 0);
	end();
}

static void test_output(void)
{
	struct error err;
	json_t *object = json_pack("{s:s}", "a", "b"), *large = json_object();
	char *text = malloc(LINE_MOST), got[64];
	unsigned queued = 0;

	begin();
	check(lines_put(&lines, object, &err) == 0 && lines_put(&lines, object, &err) == 0 && lines_flush(&lines) == 1);
	check(read(other, got, sizeof got) == 20 && memcmp(got, "{\"a\":\"b\"}\n{\"a\":\"b\"}\n", 20) == 0);
	memset(text, 'y', LINE_MOST - 1);
	text[LINE_MOST - 1] = '\0';
	json_object_set_new(large, "t", json_string(text));
	check(lines_put(&lines, large, &err) == -1 && strstr(err.text, "longer than a line") != NULL);
	text[LINE_MOST - 9] = '\0';
	json_object_set_new(large, "t", json_string(text));
	check(lines_put(&lines, large, &err) == 0);
	// A reader that does not read: the queue is bounded, what was queued comes whole.
	int put = 0;
	for (; queued < 100 && (put = lines_put(&lines, large, &err)) == 0; queued++)
		lines_flush(&lines);
	check(put == -1 && strstr(err.text, "does not read") != NULL && queued < 10);
	check(lines.queued - lines.sent <= OUTPUT_MOST && lines_flush(&lines) == 0);
	size_t taken = 0;
	for (int turn = 0; turn < 10000 && taken < (queued + 1) * (size_t)LINE_MOST; turn++) {
		ssize_t some = read(other, text, LINE_MOST);
		taken += some > 0 ? (size_t)some : 0;
		lines_flush(&lines);
	}
	check(taken == (queued + 1) * (size_t)LINE_MOST);
	close(other);
	other = -1;
	check(lines_put(&lines, object, &err) == 0 && lines_flush(&lines) == -1);
	end();
	free(text);
	json_decref(object);
	json_decref(large);
}

static bool cleaned(const char *bytes, size_t length, const char *wanted)
{
	char out[64];
	size_t got = utf8_clean(out, bytes, length);
	json_t *text = utf8_json(bytes, length);
	bool good = got == strlen(wanted) && memcmp(out, wanted, got) == 0 && json_is_string(text) &&
		    strcmp(json_string_value(text), wanted) == 0;

	json_decref(text);
	return good;
}

static void test_utf8(void)
{
	check(cleaned("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 17, "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
	check(cleaned("\0a", 2, "\xef\xbf\xbd" "a") && cleaned("\xff", 1, "\xef\xbf\xbd") && cleaned("", 0, ""));
	// Overlong, a surrogate, too large, cut off.
	check(cleaned("\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd") && cleaned("\xe0\x80\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	check(cleaned("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	check(cleaned("\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	check(cleaned("a\xe2\x82", 3, "a\xef\xbf\xbd\xef\xbf\xbd") && cleaned("\xe2" "ab", 3, "\xef\xbf\xbd" "ab"));
	// jansson agrees about every pair of bytes.
	for (int pair = 0; pair < 65536; pair++) {
		char bytes[2] = {(char)(pair >> 8), (char)pair}, out[6];
		json_t *theirs = json_stringn(bytes, 2);
		bool valid = utf8_clean(out, bytes, 2) == 2 && memcmp(out, bytes, 2) == 0;
		if (valid != (theirs != NULL && bytes[0] != 0 && bytes[1] != 0))
			check(pair < 0);
		json_decref(theirs);
	}
	check(utf8_cut("abc", 3, 5) == 3 && utf8_cut("abcd", 4, 3) == 3 && utf8_cut("ab\xe2\x82\xac", 5, 4) == 2);
	check(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5) == 5);
}

static enum parsed parse(const char *line, enum verb *verb, struct error *err)
{
	json_t *object;
	enum parsed parsed = request_parse(line, strlen(line), verb, &object, err);

	json_decref(object);
	return parsed;
}

static bool wrong(const char *line, const char *why)
{
	struct error err = {""};
	enum verb verb;
	bool good = parse(line, &verb, &err) == PARSED_WRONG && strstr(err.text, why) != NULL;

	if (!good)
		printf("%s: %s\n", line, err.text);
	return good;
}

static bool right(const char *line, enum verb wanted)
{
	struct error err = {""};
	enum verb verb;
	bool good = parse(line, &verb, &err) == PARSED_REQUEST && verb == wanted;

	if (!good)
		printf("%s: %s\n", line, err.text);
	return good;
}

#define D64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_requests(void)
{
	struct error err;
	enum verb verb;
	char digits[HEX_SIZE];

	for (int i = 0; i < VERB_COUNT; i++)
		check(verbs[i].name != NULL && verbs[i].help != NULL && verb_find(verbs[i].name) == (enum verb)i);
	check(verb_find("nothing") == VERB_COUNT);
	check(right("{\"verb\":\"ps\"}", VERB_PS) && right(" { \"id\" : \"7\", \"verb\" : \"ps\" } ", VERB_PS));
	check(right("{\"verb\":\"logs\",\"container\":\"web\",\"lines\":0,\"follow\":true}", VERB_LOGS));
	check(right("{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"sh\",\"\"]}", VERB_EXEC));
	check(right("{\"verb\":\"try\",\"revision\":\"0123\"}", VERB_TRY) && right("{\"verb\":\"try\",\"revision\":\"sha256:" D64 "\"}", VERB_TRY));
	check(right("{\"verb\":\"install\"}", VERB_INSTALL));
	check(right("{\"verb\":\"put\",\"digest\":\"sha256:" D64 "\",\"size\":9223372036854775807}", VERB_PUT));
	check(wrong("{\"verb\":\"fly\"}", "no such verb: fly") && wrong("{\"verb\":\"ps\",\"x\":1}", "x: no argument of ps"));
	check(wrong("{\"verb\":\"ps\",\"id\":7}", "id: not a text") && wrong("{\"verb\":\"start\"}", "container: missing"));
	check(wrong("{\"verb\":\"start\",\"container\":\"../x\"}", "container: not a name"));
	check(wrong("{\"verb\":\"logs\",\"container\":\"web\",\"lines\":-1}", "lines: not within"));
	check(wrong("{\"verb\":\"logs\",\"container\":\"web\",\"follow\":1}", "follow: neither"));
	check(wrong("{\"verb\":\"exec\",\"container\":\"web\",\"command\":[]}", "command: not an array"));
	check(wrong("{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"\"]}", "command: the program is an empty"));
	check(wrong("{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"a\",1]}", "command: entry 1"));
	check(wrong("{\"verb\":\"try\",\"revision\":\"012\"}", "not a revision") && wrong("{\"verb\":\"try\",\"revision\":\"01AB\"}", "not a revision"));
	check(wrong("{\"verb\":\"try\",\"revision\":\"" D64 "0\"}", "not a revision") && wrong("{\"verb\":\"try\",\"revision\":4}", "not a text"));
	check(wrong("{\"verb\":\"install\",\"path\":\"a\\nb\"}", "control character") && wrong("{\"verb\":\"install\",\"label\":\"\"}", "text of 0"));
	check(wrong("{\"verb\":\"put\",\"digest\":\"" D64 "\",\"size\":1}", "not a digest"));
	check(parse("{\"data\":\"\"}", &verb, &err) == PARSED_INPUT && parse("{\"end\":true}", &verb, &err) == PARSED_INPUT);
	static const char *const others[] = {"", "x", "[]", "{}", "{\"verb\":1}", "{\"verb\":\"ps\"} x", "{\"verb\":\"ps\",\"verb\":\"ps\"}",
					     "{\"ok\":true}", "{\"verb\":\"\\u0000\"}", "\xff"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		check(parse(others[i], &verb, &err) == PARSED_OTHER && verb == VERB_COUNT);
	json_t *object = json_pack("{s:s, s:s}", "a", "sha256:" D64, "b", "abcd");
	request_revision(object, "a", digits);
	check(strcmp(digits, D64) == 0);
	request_revision(object, "b", digits);
	check(strcmp(digits, "abcd") == 0);
	request_revision(object, "c", digits);
	check(digits[0] == '\0');
	json_decref(object);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_split();
	test_length();
	test_unread();
	test_output();
	test_utf8();
	test_requests();
	return check_result("lines");
}
