// SPDX-License-Identifier: MIT
#include "probe.h"
#include "console.h"
#include "crun.h"
#include "file.h"
#include "http.h"
#include "program.h"
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_SIZE 256
// For what crun is told and tells.
#ifndef CHECKS
#define CHECKS "/run/pycontainer"
#endif

void probe_kill_left(const char *pid_file, const char *group)
{
	char path[64];
	struct error ignored;
	size_t length, end = strlen(group);
	char *text = file_read(AT_FDCWD, pid_file, 32, &length, &ignored);
	long pid = text == NULL ? 0 : strtol(text, NULL, 10);

	free(text);
	int process = pid > 1 && pid <= INT_MAX ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
	if (process < 0)
		return;
	snprintf(path, sizeof path, "/proc/%ld/cgroup", pid);
	text = file_read(AT_FDCWD, path, 4096, &length, &ignored);
	// The line of the unified hierarchy is the last one where there are others.
	const char *line = text == NULL ? NULL : strstr(text, "0::");
	if (line != NULL && (line == text || line[-1] == '\n') && strncmp(line + 3, group, end) == 0 &&
	    (line[3 + end] == '\n' || line[3 + end] == '/'))
		syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
	free(text);
	close(process);
}

static int ask_command(const struct layer *layer, struct error *err)
{
	char pid_file[NAME_SIZE + 64], process[NAME_SIZE + 64], group[NAME_SIZE + 16], last[160];
	const char *head[CRUN_EXEC_WORDS];
	size_t count = 0;

	while (layer->health.command[count] != NULL)
		count++;
	snprintf(pid_file, sizeof pid_file, CHECKS "/check-%s.pid", layer->name);
	snprintf(process, sizeof process, CHECKS "/check-%s.json", layer->name);
	int head_count = crun_exec_words(head, crun_program(layer), layer->name, pid_file, process,
					 (const char *const *)layer->health.command, err);
	const char **argv = head_count < 0 ? NULL : calloc((size_t)head_count + count + 1, sizeof *argv);
	if (argv == NULL)
		return head_count < 0 ? -1 : fail_errno(err, "check");
	memcpy(argv, head, (size_t)head_count * sizeof *head);
	for (size_t i = 0; i < count; i++)
		argv[(size_t)head_count + i] = layer->health.command[i];
	unlink(pid_file);
	int status = program_run(argv, (unsigned)layer->health.timeout_ms, last, sizeof last, err);
	free(argv);
	unlink(process);
	snprintf(group, sizeof group, "/pycontainer/%s", layer->name);
	if (status < 0)
		probe_kill_left(pid_file, group);
	else if (status > 0)
		return fail(err, "status %d: %s", status, last[0] == '\0' ? "it said nothing" : last);
	return status;
}

// Where a server in the container listens if it does not listen everywhere.
static int connect_local(unsigned port, uint64_t end, struct error *err)
{
	struct error second;
	int fd = tcp_connect("127.0.0.1", port, end, err);

	return fd < 0 ? tcp_connect("::1", port, end, &second) : fd;
}

static int send_all(int fd, const char *text, size_t length, uint64_t end, struct error *err)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			if (tcp_wait(fd, POLLOUT, end, err) < 0)
				return -1;
			continue;
		}
		if (sent < 0 && errno != EINTR)
			return fail_errno(err, "request");
		if (sent > 0) {
			text += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

static int ask_http(const struct health_check *check, int fd, uint64_t end, struct error *err)
{
	char buffer[STATUS_LINE_MOST + 512];
	size_t used = 0;
	int length = snprintf(buffer, sizeof buffer, "GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: pycontainer\r\n"
			      "Accept: */*\r\nConnection: close\r\n\r\n", check->path);

	if (length < 0 || (size_t)length >= sizeof buffer)
		return fail(err, "request: the path is too long");
	if (send_all(fd, buffer, (size_t)length, end, err) < 0)
		return -1;
	int status = 0;
	while (status == 0) {
		if (tcp_wait(fd, POLLIN, end, err) < 0)
			return -1;
		ssize_t got = recv(fd, buffer + used, STATUS_LINE_MOST - used, 0);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return fail_errno(err, "answer");
		if (got == 0)
			return fail(err, "the answer ends before its first line does");
		used += got < 0 ? 0 : (size_t)got;
		status = http_status(buffer, used);
	}
	if (status < 0)
		return fail(err, "the answer is not HTTP/1");
	return status >= 200 && status <= 399 ? 0 : fail(err, "status %d", status);
}

static int ask_network(const struct health_check *check, int network, struct error *err)
{
	uint64_t end = clock_ms() + check->timeout_ms;

	if (network >= 0 && setns(network, CLONE_NEWNET) < 0)
		return fail_errno(err, "entering its network");
	int fd = connect_local(check->port, end, err);
	if (fd < 0)
		return -1;
	int result = 0;
	if (check->kind == HEALTH_HTTP && ask_http(check, fd, end, err) < 0)
		result = fail_in(err, "http port %u", check->port);
	close(fd);
	return result;
}

// The end of the new process.
static _Noreturn void report(int result, int output, const struct error *err)
{
	char line[LINE_SIZE];

	if (result == 0)
		_exit(0);
	int length = snprintf(line, sizeof line - 1, "%s", err->text);
	if (length > (int)sizeof line - 2)
		length = (int)sizeof line - 2;
	for (int i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[length] = '\n';
	// Nobody to hear it is no matter: the status tells.
	_exit(output >= 0 && write(output, line, (size_t)length + 1) < 0 ? 2 : 1);
}

// In the new process: it holds no descriptors but these two, for what it holds open, epoll does not forget when process
// 1 closes it.
static void keep_only(int one, int other)
{
	int kept[] = {one < other ? one : other, one < other ? other : one};
	unsigned from = 3;

	for (int i = 0; i < 2; i++) {
		if (kept[i] < (int)from)
			continue;
		if (kept[i] > (int)from)
			close_range(from, (unsigned)kept[i] - 1, 0);
		from = (unsigned)kept[i] + 1;
	}
	close_range(from, ~0u, 0);
}

pid_t probe_start(const struct layer *layer, pid_t container, int output, struct error *err)
{
	char path[64];
	int network = -1;

	if (container > 0 && layer->health.kind != HEALTH_COMMAND) {
		snprintf(path, sizeof path, "/proc/%d/ns/net", (int)container);
		network = open(path, O_RDONLY | O_CLOEXEC);
		if (network < 0)
			return fail_errno(err, "%s", path);
	}
	pid_t child = fork();
	if (child < 0)
		fail_errno(err, "fork");
	if (child == 0) {
		keep_only(output, network);
		bool command = layer->health.kind == HEALTH_COMMAND;
		report(command ? ask_command(layer, err) : ask_network(&layer->health, network, err), output, err);
	}
	if (network >= 0)
		close(network);
	return child;
}
