// SPDX-License-Identifier: MIT
#include "program.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_MS 5000

static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

pid_t program_start(const char *const argv[], int output, struct error *err)
{
	// The other end of this pipe closes on a successful exec; otherwise it carries errno.
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail_errno(err, "pipe");
	pid_t child = fork();
	if (child < 0) {
		fail_errno(err, "fork");
		close(report[0]);
		close(report[1]);
		return -1;
	}
	if (child == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0 && dup2(null, 0) >= 0 && dup2(output < 0 ? null : output, 1) >= 0 && dup2(1, 2) >= 0)
			execve(argv[0], (char *const *)argv, environment);
		int problem = errno;
		ssize_t wrote = write(report[1], &problem, sizeof problem);
		_exit(wrote == (ssize_t)sizeof problem ? 127 : 126);
	}
	close(report[1]);
	int problem = 0;
	ssize_t got;
	do
		got = read(report[0], &problem, sizeof problem);
	while (got < 0 && errno == EINTR);
	close(report[0]);
	if (got == (ssize_t)sizeof problem) {
		waitpid(child, NULL, 0);
		errno = problem;
		return fail_errno(err, "%s", argv[0]);
	}
	return child;
}

// Keep the last line that has a text at its start: programs indent what belongs to the line before.
static void keep_line(char *last, size_t size, size_t *used, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			*used = 0;
		} else if (*used == 0 && (bytes[i] == ' ' || bytes[i] == '\t')) {
			*used = size;
		} else if (*used + 1 < size) {
			last[(*used)++] = bytes[i];
			last[*used] = '\0';
		}
	}
}

// Read the output until its end; false when the time is up before.
static bool read_output(int output, char *last, size_t size, uint64_t end)
{
	char buffer[512];
	size_t used = 0;

	for (;;) {
		struct pollfd wait = {.fd = output, .events = POLLIN};
		uint64_t now = clock_ms();
		if (now >= end)
			return false;
		if (poll(&wait, 1, end - now > INT_MAX ? INT_MAX : (int)(end - now)) <= 0)
			continue;
		ssize_t got = read(output, buffer, sizeof buffer);
		if (got == 0 || (got < 0 && errno != EINTR))
			return true;
		if (got > 0)
			keep_line(last, size, &used, buffer, (size_t)got);
	}
}

bool program_wait(pid_t child, int *status, unsigned timeout_ms)
{
	uint64_t end = clock_ms() + timeout_ms;
	pid_t found;

	while ((found = waitpid(child, status, WNOHANG)) == 0 || (found < 0 && errno == EINTR)) {
		if (clock_ms() >= end)
			return false;
		usleep(2000);
	}
	return found == child;
}

int program_run(const char *const argv[], unsigned timeout_ms, char *last, size_t size, struct error *err)
{
	int output[2], status;

	last[0] = '\0';
	if (pipe2(output, O_CLOEXEC) < 0)
		return fail_errno(err, "pipe");
	pid_t child = program_start(argv, output[1], err);
	close(output[1]);
	uint64_t end = clock_ms() + timeout_ms;
	bool ended = child > 0 && read_output(output[0], last, size, end);
	close(output[0]);
	if (child < 0)
		return -1;
	// It may have closed its output early.
	uint64_t now = clock_ms();
	ended = ended && program_wait(child, &status, now < end ? (unsigned)(end - now) : 0);
	if (!ended) {
		kill(child, SIGKILL);
		// A process that sleeps in the kernel, on a disk that does not answer, does not even end by that.
		bool killed = program_wait(child, &status, KILL_MS);
		return fail(err, "%s took longer than %u s%s; it last said: %s", argv[0], timeout_ms / 1000,
			    killed ? " and was ended" : " and cannot be ended", last[0] == '\0' ? "nothing" : last);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
