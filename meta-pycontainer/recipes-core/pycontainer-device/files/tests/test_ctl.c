// SPDX-License-Identifier: MIT
// pycontainerctl as a process, against a server of this process.
#include "serve.h"
#include "ctl.h"
#include "file.h"

#include <stdarg.h>

static char socket_path[96];
static char *out, *errors;
static size_t out_length;

static char *content(const char *name, size_t *length)
{
	struct error err;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return file_read(AT_FDCWD, path, 64 << 20, length, &err);
}

static void redirect(const char *name, int flags, int target)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, target) < 0)
		_exit(90);
}

// Run it with these words, standard input from a file of the test's folder, and serve it. Returns its exit status.
static int ctl(const char *input, ...)
{
	char *argv[16] = {(char *)"pycontainerctl", (char *)"--socket", socket_path}, *word;
	int argc = 3;
	unsigned before = others_ended;
	size_t length;
	va_list words;

	va_start(words, input);
	while ((word = va_arg(words, char *)) != NULL)
		argv[argc++] = word;
	va_end(words);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		redirect(input, O_RDONLY, 0);
		redirect("out", O_WRONLY | O_CREAT | O_TRUNC, 1);
		redirect("err", O_WRONLY | O_CREAT | O_TRUNC, 2);
		exit(ctl_main(argc, argv));
	}
	serve_until(others_ended == before + 1);
	free(out);
	free(errors);
	out = content("out", &out_length);
	errors = content("err", &length);
	return WIFEXITED(other_status) ? WEXITSTATUS(other_status) : 128 + WTERMSIG(other_status);
}

#define expect_text(text, wanted)                                                                                      \
	do {                                                                                                           \
		checked++;                                                                                             \
		if (strcmp(text, wanted) != 0) {                                                                       \
			failed++;                                                                                      \
			printf("%s:%d: got \"%s\"\n", __FILE__, __LINE__, text);                                       \
		}                                                                                                      \
	} while (0)

static void test_tables(void)
{
	check(ctl("empty", "ps", NULL) == 0);
	expect_text(out, "NAME  KIND  STATE    HEALTH  PID  RESTARTS  RUNNING  MEMORY   CPU  PROCESSES  VERSION\n"
			 "web   app   running  -       12   0         5.4 s    2.0 KiB  -    -          -\n"
			 "db\xc3\xa9   app   failed   bad     -    -         -        -        -    -          -\n");
	check(ctl("empty", "status", NULL) == 0);
	expect_text(out, "product      demo\n"
			 "version      1.0?[2J\n"
			 "revision     sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
			 "state        trying\n"
			 "trial        001122334455 from ff1122334455 live since 1 min 1 s of 5 min 0 s\n"
			 "waits for    web is not healthy\n"
			 "outcome      -\n"
			 "floor        3\n"
			 "record       -\n"
			 "storage      free 1.5 MiB of 1.0 GiB\n"
			 "up           1 d 2 h\n"
			 "watchdog     yes\n");
	check(ctl("empty", "revisions", NULL) == 0);
	expect_text(out, "REVISION      VERSION  RUNNING  CONFIRMED  PREVIOUS  COMPLETE  SIZE\n"
			 "001122334455  1.0      yes      -          -         no        1.5 KiB\n");
	check(ctl("empty", "volumes", NULL) == 0);
	expect_text(out, "LAYER  NAME  KIND  USED  PATH\n");
	check(ctl("empty", "gc", NULL) == 0);
	expect_text(out, "revisions    1\nblobs        2\nfreed        4.0 KiB\n");
	check(ctl("empty", "try", "abcd", NULL) == 0);
	expect_text(out, "");
	check(ctl("empty", "--json", "version", NULL) == 0);
	expect_text(out, "{\"protocol\":1,\"who\":\"host\",\"origin\":0,\"ok\":true}\n");
}

static void test_usage(void)
{
	check(ctl("empty", "help", NULL) == 0);
	for (int verb = 0; verb < VERB_COUNT; verb++)
		check(strstr(out, verbs[verb].name) != NULL && strstr(out, verbs[verb].help) != NULL);
	check(strstr(out, "  exec CONTAINER COMMAND...\n") != NULL && strstr(out, "  logs CONTAINER [--lines LINES] [--follow]\n") != NULL);
	check(strstr(out, "  put FILE\n") != NULL && strstr(out, "  relay\n") != NULL);
	check(ctl("empty", NULL) == 2 && ctl("empty", "fly", NULL) == 2 && ctl("empty", "--fly", "ps", NULL) == 2);
	check(ctl("empty", "start", NULL) == 2 && strstr(errors, "start: container: missing") != NULL);
	check(ctl("empty", "start", "web", "db", NULL) == 2 && strstr(errors, "one word too many: db") != NULL);
	check(ctl("empty", "start", "../web", NULL) == 2 && ctl("empty", "logs", "web", "-n", "x", NULL) == 2);
	check(ctl("empty", "logs", "web", "-n", NULL) == 2 && ctl("empty", "logs", "-n", "1", "-n", "2", "web", NULL) == 2);
	check(ctl("empty", "put", "/nonexistent", NULL) == 2 && ctl("empty", "try", "xyz", NULL) == 2);
	check(ctl("empty", "relay", "x", NULL) == 2);
	check(ctl("empty", "stop", "web", NULL) == 5);
	expect_text(errors, "pycontainerctl: stop: no such container: web\xef\xbf\xbd\n");
	check(ctl("empty", "confirm", NULL) == 5 && strstr(errors, "ended early, by signal 9") != NULL);
	check(ctl("empty", "--json", "stop", "web", NULL) == 5);
	expect_text(out, "{\"error\":\"no such container: web\xef\xbf\xbd\"}\n");
	// A later --socket counts.
	check(ctl("empty", "--socket", "/nonexistent/socket", "ps", NULL) == 75 && strstr(errors, "No such file") != NULL);
	check(ctl("empty", "--socket", "/nonexistent/socket", "relay", NULL) == 75);
}

static void make(const char *name, const void *bytes, size_t length)
{
	struct error err;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	check(file_make(path, bytes, length, 0600, &err) == 0);
}

static void test_exec(unsigned char *large, size_t size)
{
	check(ctl("empty", "exec", "web", "sh", "-c", "echo out; echo err >&2; exit 7", NULL) == 7);
	check(strcmp(out, "out\n") == 0 && strcmp(errors, "err\n") == 0);
	check(ctl("empty", "exec", "web", "--", "printf", "%s", "-n", NULL) == 0 && strcmp(out, "-n") == 0);
	check(ctl("empty", "exec", "web", "printf", "--", NULL) != 2);
	// Everything in and out, far more than anything between holds.
	check(ctl("large", "exec", "web", "cat", NULL) == 0);
	check(out_length == size && memcmp(out, large, size) == 0);
	check(ctl("large", "exec", "web", "sh", "-c", "sleep 0.2; wc -c", NULL) == 0 && (size_t)atol(out) == size);
	check(ctl("large", "exec", "web", "true", NULL) == 0);
	check(ctl("empty", "--json", "exec", "web", "echo", "x", NULL) == 0);
	expect_text(out, "{\"out\":\"eAo=\"}\n{\"status\":0,\"ok\":true}\n");
}

static void test_put(unsigned char *large, size_t size)
{
	char path[128];
	size_t length;

	snprintf(path, sizeof path, "%s/large", root);
	check(ctl("empty", "put", path, NULL) == 0);
	char *got = content("put", &length);
	check(got != NULL && length == size && memcmp(got, large, size) == 0);
	free(got);
	// Standard input, as a file and as a pipe.
	check(ctl("large", "put", "-", NULL) == 0 && ctl("empty", "put", "-", NULL) == 0);
	check(ctl("fifo", "put", "-", NULL) == 0);
	got = content("put", &length);
	check(got != NULL && length == 6 && memcmp(got, "piped\n", 6) == 0);
	free(got);
}

static void test_lines(void)
{
	check(ctl("empty", "logs", "web", NULL) == 0);
	expect_text(out, "one\ntwo \033[1m\nthree\n");
	check(ctl("empty", "logs", "-n", "1", "web", NULL) == 0);
	expect_text(out, "three\n");
	check(ctl("empty", "--json", "logs", "--lines", "1", "web", NULL) == 0);
	expect_text(out, "{\"line\":\"three\"}\n{\"ok\":true}\n");
	check(ctl("empty", "install", "/some/path", NULL) == 0);
	expect_text(out, "installed sha256:abcd (4 blobs, 3.0 MiB)\n");
	expect_text(errors, "");
	check(ctl("empty", "install", "--revision", "abcd", "--signature",
		  "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL) == 0);
	expect_text(out, "DIGEST     SIZE  OFFSET\nsha256:aa  5     2\n");
	check(ctl("empty", "--json", "install", "--label", "stick", NULL) == 0);
	check(strncmp(out, "{\"progress\":{\"step\":\"copy\"", 26) == 0 && strstr(out, "\n{\"revision\":") != NULL);
}

static void test_relay(void)
{
	check(ctl("requests", "relay", NULL) == 0);
	expect_text(out, "{\"ok\":true,\"id\":\"1\"}\n{\"error\":\"no such verb: fly\"}\n{\"out\":\"eAo=\"}\n{\"status\":0,\"ok\":true}\n");
}

// On a terminal nothing of the device steers it, and progress is shown.
static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *logs[] = {(char *)"pycontainerctl", (char *)"--socket", socket_path, (char *)"logs", (char *)"web", NULL};
	char *install[] = {(char *)"pycontainerctl", (char *)"--socket", socket_path, (char *)"install", NULL};
	static char text[4096];
	size_t used = 0;

	check(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	for (int run = 0; run < 2; run++) {
		unsigned before = others_ended;
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			dup2(terminal, 1);
			dup2(terminal, 2);
			exit(run == 0 ? ctl_main(5, logs) : ctl_main(4, install));
		}
		serve_until(others_ended == before + 1);
		check(WIFEXITED(other_status) && WEXITSTATUS(other_status) == 0);
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	for (ssize_t got; (got = read(master, text + used, sizeof text - 1 - used)) > 0;)
		used += (size_t)got;
	check(strstr(text, "one\r\ntwo ?[1m\r\nthree\r\n") == text);
	check(strstr(text, "copy 1000 B of 1000 B") != NULL && strstr(text, "installed sha256:abcd") != NULL);
	close(terminal);
	close(master);
}

int main(void)
{
	static const char requests[] = "\n{\"verb\":\"try\",\"revision\":\"abcd\",\"id\":\"1\"}\n{\"verb\":\"fly\"}\n"
				       "{\"verb\":\"exec\",\"container\":\"web\",\"command\":[\"echo\",\"x\"]}";
	const size_t size = 5 << 20;
	unsigned char *large = malloc(size);
	char path[128];

	serve_begin();
	snprintf(socket_path, sizeof socket_path, "%s/control.sock", root);
	randombytes_buf_deterministic(large, size, (const unsigned char *)"0123456789abcdef0123456789abcdef");
	make("empty", "", 0);
	make("large", large, size);
	make("web.log", "one\ntwo \033[1m\nthree\n", 19);
	char *whole = malloc(sizeof requests + 1);
	snprintf(whole, sizeof requests + 1, "%s\n", requests);
	make("requests", whole, strlen(whole));
	free(whole);
	snprintf(path, sizeof path, "%s/fifo", root);
	check(mkfifo(path, 0600) == 0);
	test_tables();
	test_usage();
	test_exec(large, size);
	// A process of nobody's, so that its end is not taken for the client's.
	pid_t writer = fork();
	if (writer == 0 && fork() > 0)
		_exit(0);
	if (writer == 0) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		_exit(write(fd, "piped\n", 6) == 6 ? 0 : 1);
	}
	check(waitpid(writer, NULL, 0) == writer);
	test_put(large, size);
	test_lines();
	test_relay();
	test_terminal();
	free(out);
	free(errors);
	free(large);
	serve_end();
	return check_result("ctl");
}
