// SPDX-License-Identifier: MIT
#include "job.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// One write of this size into a pipe is whole or not at all (pipe(7)).
_Static_assert(sizeof(struct job_result) <= PIPE_BUF, "a result is one write");

static void child(int output, int (*run)(void *, struct job_result *, struct error *), void *argument)
{
	struct job_result result = {0};
	struct error err = {""};
	sigset_t none;

	// Of all descriptors only the pipe remains: what this process held open, epoll would not forget when process 1 closes it.
	if (dup2(output, 3) < 0)
		_exit(126);
	close_range(4, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// Memory is found elsewhere: a job that is killed may leave storage frozen. Without the file it has to do so.
	if (file_put("/proc/self/oom_score_adj", "-999", &err) < 0)
		err.text[0] = '\0';
	result.status = run(argument, &result, &err);
	if (result.status < 0)
		snprintf(result.text, sizeof result.text, "%s", err.text);
	_exit(write(3, &result, sizeof result) == (ssize_t)sizeof result ? 0 : 126);
}

int job_start(struct job *job, const char *what, int (*run)(void *, struct job_result *, struct error *), void *argument,
	      void (*done)(void *, const struct job_result *), void *context, struct error *err)
{
	int ends[2];

	if (job->process > 0)
		return fail(err, "%s: %s is at work", what, job->what);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_errno(err, "%s: pipe", what);
	pid_t process = fork();
	if (process == 0)
		child(ends[1], run, argument);
	close(ends[1]);
	if (process < 0) {
		fail_errno(err, "%s: fork", what);
		close(ends[0]);
		return -1;
	}
	*job = (struct job){process, ends[0], what, done, context};
	return 0;
}

bool job_ended(struct job *job, pid_t process, int status)
{
	struct job_result result = {.status = -1};

	if (job->process == 0 || job->process != process)
		return false;
	ssize_t got = read(job->result, &result, sizeof result);
	if (got != (ssize_t)sizeof result) {
		result = (struct job_result){.status = -1};
		snprintf(result.text, sizeof result.text, "%s: ended by %s %d", job->what, WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	result.text[sizeof result.text - 1] = '\0';
	result.id[sizeof result.id - 1] = '\0';
	result.other[sizeof result.other - 1] = '\0';
	close(job->result);
	job->process = 0;
	job->result = -1;
	// It may start the next one.
	if (job->done != NULL)
		job->done(job->context, &result);
	return true;
}

void job_end(struct job *job)
{
	job->done = NULL;
	if (job->process > 0)
		kill(job->process, SIGKILL);
}
