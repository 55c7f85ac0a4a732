// SPDX-License-Identifier: MIT
// Probes of real servers on this machine's loopback, and of commands by a script in the place of crun.
#include "check.h"
#include "console.h"
#include "group.h"
#include "probe.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A server in a process of its own.
struct server {
	pid_t process;
	unsigned port;
};

static int listen_on(int family, unsigned *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool new = family == AF_INET6;
	struct sockaddr *address = new ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t size = new ? sizeof v6 : sizeof v4;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, size) < 0 || listen(fd, 8) < 0 || getsockname(fd, address, &size) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(new ? v6.sin6_port : v4.sin_port);
	return fd;
}

// It reads the request, checks it, and sends the pieces of an answer one after another; NULL: it says nothing at all.
static _Noreturn void serve(int listener, const char *const answer[])
{
	static const char wanted[] = "GET /up?a=1 HTTP/1.0\r\nHost: localhost\r\n";
	char request[2048];

	alarm(60);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(1);
		ssize_t got = recv(fd, request, sizeof request, 0);
		bool good = got >= (ssize_t)sizeof wanted && memcmp(request, wanted, sizeof wanted - 1) == 0 &&
			    memcmp(request + got - 4, "\r\n\r\n", 4) == 0;
		if (answer == NULL && got > 0)
			pause();
		for (int i = 0; good && answer[i] != NULL; i++) {
			send(fd, answer[i], strlen(answer[i]), MSG_NOSIGNAL);
			usleep(5000);
		}
		close(fd);
	}
}

static struct server start(int family, const char *const answer[])
{
	struct server server = {0};
	int listener = listen_on(family, &server.port);

	if (listener < 0)
		return server;
	server.process = fork();
	if (server.process == 0)
		serve(listener, answer);
	close(listener);
	return server;
}

static void stop(struct server server)
{
	check(server.process > 0 && kill(server.process, SIGKILL) == 0 && waitpid(server.process, NULL, 0) == server.process);
}

// Its exit status; `why` gets what it said.
static int finish(pid_t probe, int ends[2], char why[256])
{
	int status = -1;

	close(ends[1]);
	check(probe > 0 && waitpid(probe, &status, 0) == probe);
	ssize_t got = read(ends[0], why, 255);
	why[got > 0 ? got : 0] = '\0';
	close(ends[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int probe(const struct layer *layer, pid_t container, char why[256])
{
	struct error err;
	int ends[2] = {-1, -1};

	check(pipe2(ends, O_CLOEXEC) == 0);
	return finish(probe_start(layer, container, ends[1], &err), ends, why);
}

static void test_http(void)
{
	static const struct {
		const char *pieces[4];
		const char *why;	// NULL: it is healthy
	} cases[] = {
		{{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, NULL},
		{{"HTT", "P/1.1 302 Found\r", "\n"}, NULL},
		{{"HTTP/1.1 399\n"}, NULL},
		{{"HTTP/1.1 400 Bad\r\n"}, "status 400\n"},
		{{"HTTP/1.1 199 \r\n"}, "status 199\n"},
		{{"HTTP/1.1 500 Oh\r\n"}, "status 500\n"},
		{{"HTTP/1.1 200 OK"}, "the answer ends before its first line does\n"},
		{{NULL}, "the answer ends before its first line does\n"},
		{{"hello\n"}, "the answer is not HTTP/1\n"},
	};
	struct layer layer = {.name = "web", .health = {.kind = HEALTH_HTTP, .path = "/up?a=1", .timeout_ms = 50000}};
	char why[256];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct server server = start(AF_INET, cases[i].pieces);
		layer.health.port = server.port;
		int status = probe(&layer, 0, why);
		check(status == (cases[i].why == NULL ? 0 : 1));
		check(cases[i].why == NULL ? why[0] == '\0' : strstr(why, cases[i].why) != NULL);
		stop(server);
	}
	// One that never answers.
	struct server silent = start(AF_INET, NULL);
	layer.health.port = silent.port;
	layer.health.timeout_ms = 100;
	check(probe(&layer, 0, why) == 1 && strstr(why, "no answer in time\n") != NULL);
	stop(silent);
}

static void test_tcp(void)
{
	struct layer layer = {.name = "web", .health = {.kind = HEALTH_TCP, .timeout_ms = 50000}};
	struct error none;
	char why[256];
	unsigned unused;
	int listener = listen_on(AF_INET, &layer.health.port);

	// Accepted by the kernel is accepted.
	check(listener >= 0 && probe(&layer, 0, why) == 0 && why[0] == '\0');
	close(listener);
	check(probe(&layer, 0, why) == 1 && strstr(why, "127.0.0.1 port ") == why);
	check(strstr(why, "refused\n") != NULL || strstr(why, "nobody listens\n") != NULL);
	listener = listen_on(AF_INET6, &layer.health.port);
	if (listener >= 0) {
		check(probe(&layer, 0, why) == 0);
		close(listener);
	}
	// The process is gone, and nobody asked why.
	pid_t gone = fork();
	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
	check_error(probe_start(&layer, gone, -1, err), "/ns/net");
	listener = listen_on(AF_INET, &unused);
	close(listener);
	int status = -1;
	layer.health.port = unused;
	pid_t child = probe_start(&layer, 0, -1, &none);
	check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

// A server in a network of its own is reached by way of a process there, and not otherwise.
static void test_other_network(void)
{
	struct layer layer = {.name = "web", .health = {.kind = HEALTH_TCP, .timeout_ms = 50000}};
	int ports[2];
	char why[256];

	check(pipe2(ports, O_CLOEXEC) == 0);
	pid_t inside = fork();
	if (inside == 0) {
		struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
		unsigned port = 0;
		alarm(60);
		if (unshare(CLONE_NEWNET) == 0) {
			int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
			if (ioctl(fd, SIOCSIFFLAGS, &request) < 0 || listen_on(AF_INET, &port) < 0)
				_exit(1);
		}
		if (write(ports[1], &port, sizeof port) != (ssize_t)sizeof port)
			_exit(1);
		pause();
		_exit(0);
	}
	check(inside > 0 && read(ports[0], &layer.health.port, sizeof layer.health.port) == (ssize_t)sizeof(unsigned));
	// Who may not make a network has nothing to enter.
	if (layer.health.port != 0) {
		check(probe(&layer, inside, why) == 0);
		check(probe(&layer, 0, why) == 1);
	}
	kill(inside, SIGKILL);
	waitpid(inside, NULL, 0);
	close(ports[0]);
	close(ports[1]);
}

static int run(const char *script, uint64_t timeout_ms, char why[256])
{
	char *command[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct layer layer = {.name = "web", .health = {.kind = HEALTH_COMMAND, .command = command, .timeout_ms = timeout_ms}};

	return probe(&layer, 1, why);
}

static void test_command(void)
{
	char why[256];

	check(run("test $CONTAINER = web", 50000, why) == 0 && why[0] == '\0');
	check(run("echo all is well; exit 0", 50000, why) == 0 && why[0] == '\0');
	check(run("echo one; printf 'd\\303\\251j\\033[2J' >&2; exit 7", 50000, why) == 1);
	check(strcmp(why, "status 7: d??j?[2J\n") == 0);
	check(run("exit 1", 50000, why) == 1 && strcmp(why, "status 1: it said nothing\n") == 0);
	check(run("echo begun; exec sleep 30", 300, why) == 1 && strstr(why, "longer than 0 s") != NULL);
	// None of our descriptors gets there.
	int ends[2];
	check(pipe(ends) == 0 && dup2(ends[0], 200) == 200);
	char script[64];
	snprintf(script, sizeof script, "test ! -e /proc/$$/fd/%d -a ! -e /proc/$$/fd/200", ends[0]);
	check(run(script, 50000, why) == 0);
	close(200);
	close(ends[0]);
	close(ends[1]);
}

// What a place on the network that a revision must reach is asked by.
static void test_reach(void)
{
	struct error err;
	unsigned port;
	int listener = listen_on(AF_INET, &port);
	int fd = tcp_connect("127.0.0.1", port, clock_ms() + 50000, &err);

	check(listener >= 0 && fd >= 0);
	close(fd);
	close(listener);
	check(tcp_connect("127.0.0.1", port, clock_ms() + 50000, &err) < 0 && err.text[0] != '\0');
	check(tcp_connect("example", port, clock_ms() + 50000, &err) < 0 && strstr(err.text, "not an IP address") != NULL);
}

// A process that is named by a file, in our own control group.
static void test_kill_left(void)
{
	char path[] = "/tmp/pyc-probe-XXXXXX", group[512];
	int status, fd = mkstemp(path);
	// A machine without the unified hierarchy has none.
	bool known = own_group(group);

	pid_t left = fork();
	if (left == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	check(fd >= 0 && dprintf(fd, "%d\n", (int)left) > 0);
	probe_kill_left(path, "/pycontainer/web");
	probe_kill_left("/nonexistent", group);
	probe_kill_left(path, "/x");
	check(waitpid(left, &status, WNOHANG) == 0);
	if (known)
		probe_kill_left(path, group);
	else
		kill(left, SIGTERM);
	check(waitpid(left, &status, 0) == left && WIFSIGNALED(status) && WTERMSIG(status) == (known ? SIGKILL : SIGTERM));
	close(fd);
	unlink(path);
}

int main(void)
{
	test_http();
	test_tcp();
	test_other_network();
	test_command();
	test_reach();
	test_kill_left();
	return check_result("probe");
}
