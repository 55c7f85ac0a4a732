// SPDX-License-Identifier: MIT
#include "serve.h"

#include <sys/resource.h>

static const char version_host[] = "{\"protocol\":1,\"who\":\"host\",\"origin\":0,\"ok\":true}";

static void test_requests(void)
{
	struct client *c = client_open("control.sock");
	struct stat status;
	char path[96];

	snprintf(path, sizeof path, "%s/control.sock", root);
	check(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
	// Byte by byte, then two at once, with empty lines.
	for (const char *next = "{\"verb\":\"version\"}\n"; *next != '\0'; next++) {
		check(write(c->fd, next, 1) == 1);
		serve_step(0);
	}
	expect(c, version_host);
	client_send(c, "\n\r\n{\"verb\":\"version\"}\r\n{\"verb\":\"try\",\"revision\":\"abcd\",\"id\":\"7\"}\n");
	expect(c, version_host);
	expect(c, "{\"ok\":true,\"id\":\"7\"}");
	// What is wrong is said, and the connection lives on.
	client_send(c, "hello\n");
	check(strstr(client_line(c), "{\"error\":\"not valid JSON") != NULL);
	client_send(c, "{\"verb\":\"fly\",\"id\":\"x\"}\n{\"ok\":true}\n");
	expect(c, "{\"error\":\"no such verb: fly\",\"id\":\"x\"}");
	expect(c, "{\"error\":\"verb: missing or not a text\"}");
	client_send(c, "{\"verb\":\"stop\",\"container\":\"web\"}\n");
	expect(c, "{\"error\":\"no such container: web\xef\xbf\xbd\"}");
	client_send(c, "{\"verb\":\"restart\",\"container\":\"web\"}\n{\"verb\":\"identity\"}\n");
	expect(c, "{\"error\":\"not answered\"}");
	expect(c, "{\"error\":\"longer than a line may be\"}");
	// Input of a request that has ended is no request.
	client_send(c, "{\"data\":\"AAAA\"}\n{\"copy\":{}}\n{\"end\":true}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ok\":true}");
	// A half closed connection still gets its answer.
	client_send(c, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	shutdown(c->fd, SHUT_WR);
	expect(c, "{\"ok\":true}");
	expect(c, "");
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_too_long(void)
{
	struct client *c = client_open("control.sock");
	static char block[LINE_MOST + 1];
	size_t sent = 0;

	memset(block, 'x', sizeof block);
	while (sent < sizeof block) {
		ssize_t wrote = write(c->fd, block + sent, sizeof block - sent);
		sent += wrote > 0 ? (size_t)wrote : 0;
		serve_step(0);
		if (wrote < 0 && errno != EAGAIN)
			break;
	}
	expect(c, "{\"error\":\"a line is longer than 131072 bytes\"}");
	expect(c, "");
	client_close(c);
}

static void test_held(void)
{
	struct client *c = client_open("control.sock"), *gone = client_open("control.sock");
	struct error err;

	held = 0;
	client_send(c, "{\"verb\":\"start\",\"container\":\"web\",\"id\":\"s\"}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	serve_until(held != 0);
	uint64_t first = held;
	for (int i = 0; i < 20; i++)
		serve_step(0);
	// The next request waits for the answer to this one.
	check(lines_receive(&c->lines) == RECEIVED_NONE);
	check(!control_answer_held(&control, first + 1000, json_object()));
	check(control_answer_held(&control, first, json_pack("{s:i}", "pid", 5)));
	check(!control_answer_held(&control, first, NULL));
	expect(c, "{\"pid\":5,\"ok\":true,\"id\":\"s\"}");
	expect(c, "{\"ok\":true}");
	client_send(c, "{\"verb\":\"start\",\"container\":\"web\"}\n");
	serve_until(held != first);
	fail(&err, "it failed");
	check(control_refuse_held(&control, held, &err));
	expect(c, "{\"error\":\"it failed\"}");
	// Who asked is gone: nobody is told, nobody else gets the answer.
	first = held;
	client_send(gone, "{\"verb\":\"start\",\"container\":\"web\"}\n");
	serve_until(held != first);
	client_close(gone);
	serve_until(serve_connections() == 1);
	check(!control_refuse_held(&control, held, &err));
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_slow_reader(void)
{
	struct client *slow = client_open("control.sock"), *c = client_open("control.sock");

	for (int i = 0; i < 30; i++)
		client_send(slow, "{\"verb\":\"reboot\"}\n");
	for (int i = 0; i < 100; i++)
		serve_step(0);
	// What waits for it is bounded, it does not keep the loop busy, and others are served.
	size_t queued = 0;
	for (size_t i = 0; i < SLOTS; i++)
		queued += control.connections[i].lines.queued - control.connections[i].lines.sent;
	check(queued > 0 && queued <= OUTPUT_MOST);
	check(serve_step(0) == 0 && control_deadline(&control) > clock_ms());
	client_send(c, "{\"verb\":\"version\"}\n");
	expect(c, version_host);
	// When it reads after all, it gets everything.
	for (int i = 0; i < 30; i++)
		check(strlen(client_line(slow)) == 100000 + strlen("{\"text\":\"\",\"ok\":true}"));
	for (int i = 0; i < 30; i++)
		client_send(slow, "{\"verb\":\"reboot\"}\n");
	for (int i = 0; i < 100; i++)
		serve_step(0);
	// When it does not, it is dropped; the time is ours to choose.
	control_act(&control, clock_ms() + CONNECTION_READER_MS + 1);
	check(serve_connections() == 1);
	client_close(slow);
	client_close(c);
	serve_until(serve_connections() == 0);
}

static bool stays(const void *context, const char *name)
{
	return strncmp(name, "app", 3) != 0 || strcmp(name, context) == 0;
}

// The sockets of layers that are gone make room, however many there were.
static void test_gone_layers(void)
{
	char name[16] = "app", path[128];
	struct error err = {""};
	struct stat status;

	for (int i = 0; i < 2 * LISTENERS_MOST; i++) {
		control_keep_containers(&control, stays, name);
		snprintf(name, sizeof name, "app%d", i);
		check(control_listen_container(&control, name, VERBS_ALL, &err) == 0);
	}
	snprintf(path, sizeof path, "%s/control/%s/control.sock", root, name);
	struct client *c = client_open(path + strlen(root) + 1);
	client_send(c, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(c, "{\"ok\":true}");
	control_keep_containers(&control, stays, "");
	expect(c, "");
	check(stat(path, &status) < 0 && errno == ENOENT);
	client_close(c);
	snprintf(path, sizeof path, "%s/control.sock", root);
	check(stat(path, &status) == 0);
	serve_until(serve_connections() == 0);
}

static void test_rights(void)
{
	struct error err = {""};
	struct stat status;
	char path[96];

	check(control_listen_container(&control, "web", verb_bit(VERB_VERSION) | verb_bit(VERB_START), &err) == 0);
	check(control_listen_container(&control, "db", verb_bit(VERB_TRY), &err) == 0);
	snprintf(path, sizeof path, "%s/control/web/control.sock", root);
	check(stat(path, &status) == 0 && (status.st_mode & 07777) == 0666);
	snprintf(path, sizeof path, "%s/control", root);
	check(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
	struct client *web = client_open("control/web/control.sock"), *db = client_open("control/db/control.sock");
	client_send(web, "{\"verb\":\"version\"}\n");
	expect(web, "{\"protocol\":1,\"who\":\"web\",\"origin\":1,\"ok\":true}");
	client_send(db, "{\"verb\":\"version\"}\n");
	expect(db, "{\"error\":\"db may not use version\"}");
	// Every verb but the two, by name, whatever its arguments.
	for (int verb = 0; verb < VERB_COUNT; verb++) {
		char line[64], wanted[96];
		if (verb == VERB_VERSION || verb == VERB_START)
			continue;
		snprintf(line, sizeof line, "{\"verb\":\"%s\"}\n", verbs[verb].name);
		snprintf(wanted, sizeof wanted, "{\"error\":\"web may not use %s\"}", verbs[verb].name);
		client_send(web, line);
		expect(web, wanted);
	}
	// Other rights from now on, for connections that are open too.
	check(control_listen_container(&control, "web", verb_bit(VERB_TRY), &err) == 0);
	client_send(web, "{\"verb\":\"version\"}\n{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(web, "{\"error\":\"web may not use version\"}");
	expect(web, "{\"ok\":true}");
	check(control_listen_container(&control, "../x", VERBS_ALL, &err) == -1 && strstr(err.text, "not a name") != NULL);
	control_close_container(&control, "web");
	expect(web, "");
	client_send(db, "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(db, "{\"ok\":true}");
	snprintf(path, sizeof path, "%s/control/web/control.sock", root);
	check(stat(path, &status) < 0 && errno == ENOENT);
	// The folder is still there, for a container that runs and for the next start.
	check(control_listen_container(&control, "web", verb_bit(VERB_VERSION), &err) == 0 && stat(path, &status) == 0);
	client_close(web);
	client_close(db);
	serve_until(serve_connections() == 0);
}

// Another user, even with a socket that he can open.
static void test_peer(void)
{
	char path[96];
	unsigned before = others_ended;

	snprintf(path, sizeof path, "%s/control.sock", root);
	if (geteuid() != 0)
		return;
	check(chmod(path, 0666) == 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		struct client *c = client_open("control.sock");
		fcntl(c->fd, F_SETFL, 0);
		if (write(c->fd, "{\"verb\":\"version\"}\n", 19) < 0)
			_exit(0);
		_exit(read(c->fd, &byte, 1) <= 0 ? 0 : 1);
	}
	serve_until(others_ended > before);
	check(WIFEXITED(other_status) && WEXITSTATUS(other_status) == 0 && chmod(path, 0600) == 0);
}

static void test_many(void)
{
	struct client *clients[CONNECTIONS_MOST + 1], *container[CONTAINER_MOST + 1];
	struct error err;

	for (int i = 0; i < CONNECTIONS_MOST; i++) {
		clients[i] = client_open("control.sock");
		client_send(clients[i], "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
		expect(clients[i], "{\"ok\":true}");
		usleep(1100);
	}
	check(serve_connections() == CONNECTIONS_MOST);
	// The first is not the one heard longest ago.
	client_send(clients[0], "{\"verb\":\"try\",\"revision\":\"abcd\"}\n");
	expect(clients[0], "{\"ok\":true}");
	clients[CONNECTIONS_MOST] = client_open("control.sock");
	client_send(clients[CONNECTIONS_MOST], "{\"verb\":\"version\"}\n");
	expect(clients[CONNECTIONS_MOST], version_host);
	expect(clients[1], "");
	check(serve_connections() == CONNECTIONS_MOST);
	// A container does not push out the host.
	struct client *web = client_open("control/web/control.sock");
	check(strstr(client_line(web), "too many connections are at work") != NULL);
	client_close(web);
	// All at work: one more is refused, and none of them is hurt.
	client_close(clients[1]);
	for (int i = 0; i <= CONNECTIONS_MOST; i++)
		if (i != 1) {
			uint64_t before = held;
			client_send(clients[i], "{\"verb\":\"start\",\"container\":\"web\"}\n");
			serve_until(held != before);
		}
	struct client *late = client_open("control.sock");
	check(strstr(client_line(late), "too many connections are at work") != NULL);
	expect(late, "");
	client_close(late);
	uint64_t last = held;
	for (uint64_t session = last - CONNECTIONS_MOST + 1; session <= last; session++)
		check(control_answer_held(&control, session, NULL));
	for (int i = 0; i <= CONNECTIONS_MOST; i++)
		if (i != 1) {
			expect(clients[i], "{\"ok\":true}");
			client_close(clients[i]);
		}
	serve_until(serve_connections() == 0);
	// One container has few, and its own idle ones go first.
	check(control_listen_container(&control, "web", verb_bit(VERB_VERSION), &err) == 0);
	for (int i = 0; i <= CONTAINER_MOST; i++) {
		container[i] = client_open("control/web/control.sock");
		client_send(container[i], "{\"verb\":\"version\"}\n");
		check(strstr(client_line(container[i]), "\"ok\":true") != NULL);
		usleep(1100);
	}
	check(serve_connections() == CONTAINER_MOST);
	expect(container[0], "");
	for (int i = 0; i <= CONTAINER_MOST; i++)
		client_close(container[i]);
	serve_until(serve_connections() == 0);
}

// Without a descriptor for it, a connection waits until there is one, and the loop is not kept busy.
static void test_no_descriptors(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), spare = dup(0);
	struct rlimit limit, none;

	snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", root);
	check(spare >= 0 && close(spare) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	none = (struct rlimit){(rlim_t)spare, limit.rlim_max};
	check(setrlimit(RLIMIT_NOFILE, &none) == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	check(serve_step(0) == 1 && serve_step(0) == 0 && serve_connections() == 0 && control_deadline(&control) != UINT64_MAX);
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	control_act(&control, control_deadline(&control));
	check(serve_connections() == 1);
	struct client *c = client_of(fd);
	client_send(c, "{\"verb\":\"version\"}\n");
	expect(c, version_host);
	client_close(c);
	serve_until(serve_connections() == 0);
}

static void test_stream(void)
{
	int ends[2];
	struct error err;
	static char noise[LINE_MOST + 100];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	check(control_add_stream(&control, ends[0], "port", &err) == 0 && control_has_stream(&control, "port"));
	struct client *c = client_of(ends[1]);
	// Half a line, noise, an echo of an answer, a line without end: none of it is answered.
	client_send(c, "\xff\x01 login: {\"verb\"");
	serve_step(0);
	client_send(c, "\n{\"ok\":true}\n{\"error\":\"x\"}\n");
	client_send(c, "\n{\"verb\":\"version\"}\n");
	expect(c, "{\"protocol\":1,\"who\":\"port\",\"origin\":2,\"ok\":true}");
	memset(noise, 'x', sizeof noise - 1);
	for (size_t sent = 0; sent < sizeof noise - 1;) {
		ssize_t wrote = write(c->fd, noise + sent, sizeof noise - 1 - sent);
		sent += wrote > 0 ? (size_t)wrote : 0;
		serve_step(0);
	}
	client_send(c, "\n{\"verb\":\"fly\"}\n");
	expect(c, "{\"error\":\"no such verb: fly\"}");
	int again = dup(0);
	check(control_add_stream(&control, again, "port", &err) == -1 && strstr(err.text, "stream port: it is in use") != NULL);
	// Many requests at once: each has its answer, however many turns that takes.
	unsigned before = asked;
	for (int i = 0; i < 200; i++)
		client_send(c, "{\"verb\":\"version\"}\n");
	for (int i = 0; i < 200; i++)
		check(strstr(client_line(c), "\"who\":\"port\"") != NULL);
	check(asked == before + 200);
	client_close(c);
	serve_until(!control_has_stream(&control, "port") || serve_step(0) == 0);
}

// A pipe without a writer hangs up without end, like a virtio port without a host, and like it comes back.
static void test_hang_up(void)
{
	char path[96];
	struct error err;
	unsigned before = asked;

	snprintf(path, sizeof path, "%s/port", root);
	check(mkfifo(path, 0600) == 0);
	check(control_add_stream(&control, open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), "fifo", &err) == 0);
	for (unsigned round = 1; round <= 3; round++) {
		for (int i = 0; i < 10; i++)
			serve_step(0);
		int wakeups = 0;
		for (int i = 0; i < 50; i++)
			wakeups += serve_step(0);
		check(wakeups == 0 && control_deadline(&control) > clock_ms());
		int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		check(writer >= 0 && write(writer, "{\"verb\":\"version\"}\n{\"verb\"", 26) == 26);
		serve_until(asked == before + round);
		check(control_has_stream(&control, "fifo"));
		// What this one left half said is not the start of what the next one says.
		close(writer);
	}
	for (int i = 0; i < 10; i++)
		serve_step(0);
	// Also amidst a request.
	int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t session = held;
	check(write(writer, "{\"verb\":\"start\",\"container\":\"web\"}\n", 35) == 35);
	serve_until(held != session);
	close(writer);
	for (int i = 0; i < 10; i++)
		serve_step(0);
	check(serve_step(0) == 0 && !control_answer_held(&control, held, NULL) && control_has_stream(&control, "fifo"));
}

static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct error err;

	check(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int device = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	check(control_add_stream(&control, device, "tty", &err) == 0);
	struct client *c = client_of(master);
	// No echo, no carriage returns, and bytes that a terminal would act upon are bytes.
	client_send(c, "\x03\x04\x13\n\n{\"verb\":\"try\",\"revision\":\"abcd\"}\r\n");
	expect(c, "{\"ok\":true}");
	client_send(c, "\n{\"verb\":\"version\"}\n");
	expect(c, "{\"protocol\":1,\"who\":\"tty\",\"origin\":2,\"ok\":true}");
	// Its other side is gone for good. It is tried again, once, after a moment.
	check(!control_reopen(&control, UINT64_MAX - 1));
	client_close(c);
	serve_until(!control_has_stream(&control, "tty"));
	uint64_t when = control.reopen_ms;
	check(when < UINT64_MAX && control_deadline(&control) <= when && !control_reopen(&control, when - 1));
	check(control_reopen(&control, when) && !control_reopen(&control, when) && control_deadline(&control) == UINT64_MAX);
}

static void test_missing_handler(void)
{
	static struct control other;
	struct handlers some = handlers;
	struct error err;

	check(handlers_missing(&handlers) == NULL);
	some.of[VERB_GC] = NULL;
	check(control_init(&other, root, epoll_fd, TAG, &some, NULL, &err) == -1 && strstr(err.text, "the verb gc has no handler") != NULL);
}

int main(void)
{
	serve_begin();
	test_requests();
	test_too_long();
	test_held();
	test_slow_reader();
	test_rights();
	test_gone_layers();
	test_peer();
	test_many();
	test_no_descriptors();
	test_stream();
	test_hang_up();
	test_terminal();
	test_missing_handler();
	serve_end();
	return check_result("control");
}
