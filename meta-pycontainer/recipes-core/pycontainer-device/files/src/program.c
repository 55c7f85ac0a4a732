// SPDX-License-Identifier: MIT
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

int program_run(const char *const argv[], char *last, size_t size, struct error *err)
{
	int output[2], status;
	char buffer[512];
	size_t used = 0;
	ssize_t got;

	last[0] = '\0';
	if (pipe2(output, O_CLOEXEC) < 0)
		return fail_errno(err, "pipe");
	pid_t child = program_start(argv, output[1], err);
	close(output[1]);
	while (child > 0 && ((got = read(output[0], buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)))
		for (ssize_t i = 0; i < got; i++) {
			if (buffer[i] == '\n')
				used = 0;
			else if (used + 1 < size) {
				last[used++] = buffer[i];
				last[used] = '\0';
			}
		}
	close(output[0]);
	if (child < 0)
		return -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(err, "waiting for %s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
