// SPDX-License-Identifier: MIT
#include "exec.h"
#include "crun.h"
#include "probe.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// How long a program has to end after it was asked to.
#define END_MS 2000
#define PIPE_BYTES 65536

static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

struct session {
	struct work *work;
	pid_t child;		// crun, which passes on signals and the status
	int process;		// its pidfd
	int in, out, err;	// -1: closed
	char pid_file[PATH_MAX], process_file[PATH_MAX], group[PATH_MAX];
	unsigned char data[WORK_DATA_MOST];	// for its standard input: data[sent..used)
	size_t sent, used;
};

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// In the child: does not return.
static void become(const char *const argv[], const int streams[3], int report)
{
	signal(SIGPIPE, SIG_DFL);
	// crun hands the signal on to the program.
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int i = 0; i < 3; i++)
		if (dup2(streams[i], i) < 0)
			_exit(126);
	execve(argv[0], (char *const *)argv, environment);
	int problem = errno;
	ssize_t wrote = write(report, &problem, sizeof problem);
	_exit(wrote == (ssize_t)sizeof problem ? 127 : 126);
}

// Start with three pipes; `ends` gets ours, which do not block.
static pid_t start(const char *const argv[], int ends[3], struct error *err)
{
	int pipes[4][2], streams[3], problem = 0;

	for (int i = 0; i < 4; i++)
		// The fourth closes on a successful exec; otherwise it carries errno. The worker ends after a failure.
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return fail_errno(err, "pipe");
	for (int i = 0; i < 3; i++) {
		streams[i] = pipes[i][i == 0 ? 0 : 1];
		ends[i] = pipes[i][i == 0 ? 1 : 0];
		if (fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0)
			return fail_errno(err, "pipe");
	}
	pid_t child = fork();
	if (child == 0)
		become(argv, streams, pipes[3][1]);
	for (int i = 0; i < 3; i++)
		close(streams[i]);
	close(pipes[3][1]);
	if (child < 0)
		return fail_errno(err, "fork");
	ssize_t got = read(pipes[3][0], &problem, sizeof problem);
	close(pipes[3][0]);
	if (got != (ssize_t)sizeof problem)
		return child;
	waitpid(child, NULL, 0);
	errno = problem;
	return fail_errno(err, "%s", argv[0]);
}

static int begin(struct session *s, const struct exec_place *place, struct error *err)
{
	const json_t *command = json_object_get(s->work->arguments, "command");
	size_t count = json_array_size(command);
	const char **argv = calloc(CRUN_EXEC_WORDS + count + 1, sizeof *argv);
	const char *container = json_string_value(json_object_get(s->work->arguments, "container"));
	const char *program = place->crun != NULL ? place->crun : crun_program_of(container);
	int ends[3];

	if (argv == NULL)
		return fail_errno(err, "exec");
	snprintf(s->pid_file, sizeof s->pid_file, "%s/exec-%d.pid", place->folder, (int)getpid());
	snprintf(s->process_file, sizeof s->process_file, "%s/exec-%d.json", place->folder, (int)getpid());
	// What an earlier worker of this number may have left is not about this one.
	unlink(s->pid_file);
	if (place->group != NULL)
		snprintf(s->group, sizeof s->group, "%s", place->group);
	else
		snprintf(s->group, sizeof s->group, "/pycontainer/%s", container);
	// They move up to those that crun's own words leave.
	const char **words = argv + CRUN_EXEC_WORDS;
	for (size_t i = 0; i < count; i++)
		words[i] = json_string_value(json_array_get(command, i));
	int used = crun_exec_words(argv, program, container, s->pid_file, s->process_file, words, err);
	if (used >= 0) {
		memmove(argv + used, words, (count + 1) * sizeof *words);
		s->child = start(argv, ends, err);
	}
	free(argv);
	if (used < 0)
		return -1;
	if (s->child < 0)
		return -1;
	s->in = ends[0];
	s->out = ends[1];
	s->err = ends[2];
	s->process = (int)syscall(SYS_pidfd_open, s->child, 0);
	return s->process < 0 ? fail_errno(err, "exec") : 0;
}

static void end_program(const struct session *s)
{
	int status;

	kill(s->child, SIGTERM);
	if (program_wait(s->child, &status, END_MS))
		return;
	// The program itself, which a killed crun would leave behind.
	probe_kill_left(s->pid_file, s->group);
	if (program_wait(s->child, &status, END_MS))
		return;
	kill(s->child, SIGKILL);
	program_wait(s->child, &status, END_MS);
}

// Pass on what the program wrote, once. Returns the number of bytes, 0 when there are none now or ever, or -1.
static ssize_t relay_output(struct session *s, int *fd, const char *name, struct error *err)
{
	static unsigned char bytes[WORK_CHUNK];
	static char text[sodium_base64_ENCODED_LEN(WORK_CHUNK, sodium_base64_VARIANT_ORIGINAL)];
	ssize_t got;

	do
		got = *fd < 0 ? 0 : read(*fd, bytes, sizeof bytes);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0) {
		drop(fd);
		return 0;
	}
	sodium_bin2base64(text, sizeof text, bytes, (size_t)got, sodium_base64_VARIANT_ORIGINAL);
	return work_line(s->work, json_pack("{s:s}", name, text), err) < 0 ? -1 : got;
}

// Bytes of the client for the program. What it does not read, or not any more, is thrown away.
static int relay_input(struct session *s, struct error *err)
{
	enum work_input input = WORK_NONE;

	if (s->sent < s->used && s->in >= 0) {
		ssize_t wrote = write(s->in, s->data + s->sent, s->used - s->sent);
		if (wrote > 0)
			s->sent += (size_t)wrote;
		else if (wrote < 0 && errno != EAGAIN && errno != EINTR)
			drop(&s->in);
	}
	while ((s->in < 0 || s->sent == s->used) && (input = work_next(s->work, s->data, &s->used, err)) == WORK_DATA)
		s->sent = 0;
	if (input == WORK_END)
		drop(&s->in);
	return input == WORK_WRONG ? -1 : 0;
}

static int relay_once(struct session *s, bool *ended, struct error *err)
{
	// First what is there already: no poll tells of it.
	if (relay_input(s, err) < 0)
		return -1;
	bool waiting = s->in >= 0 && s->sent < s->used;
	struct pollfd polls[] = {
		{.fd = s->work->lines.fd, .events = waiting ? 0 : work_events(s->work)},
		{.fd = s->in, .events = waiting ? POLLOUT : 0},
		{.fd = s->out, .events = POLLIN},
		{.fd = s->err, .events = POLLIN},
		{.fd = s->process, .events = POLLIN},
	};

	if (poll(polls, sizeof polls / sizeof *polls, -1) < 0)
		return errno == EINTR ? 0 : fail_errno(err, "poll");
	work_receive(s->work, polls[0].revents);
	if (s->work->gone)
		return fail(err, "the client went away");
	if ((polls[1].revents & (POLLERR | POLLNVAL)) != 0)
		drop(&s->in);
	if ((polls[2].revents != 0 && relay_output(s, &s->out, "out", err) < 0) ||
	    (polls[3].revents != 0 && relay_output(s, &s->err, "err", err) < 0))
		return -1;
	*ended = polls[4].revents != 0;
	return 0;
}

// What a pipe holds at the end, and no more: who else has it open may write for ever.
static int relay_rest(struct session *s, int *fd, const char *name, struct error *err)
{
	ssize_t got = 1;

	for (size_t taken = 0; taken < PIPE_BYTES && got > 0; taken += (size_t)got)
		if ((got = relay_output(s, fd, name, err)) < 0)
			return -1;
	return 0;
}

static int relay(struct session *s, int *status, struct error *err)
{
	bool ended = false;

	while (!ended)
		if (relay_once(s, &ended, err) < 0)
			return -1;
	if (!program_wait(s->child, status, END_MS))
		return fail(err, "exec: no status");
	s->child = 0;
	return relay_rest(s, &s->out, "out", err) < 0 ? -1 : relay_rest(s, &s->err, "err", err);
}

json_t *exec_run(struct work *work, void *context, struct error *err)
{
	static const struct exec_place device = {NULL, "/run/pycontainer", NULL};
	static struct session s;
	int status;

	s.in = s.out = s.err = s.process = -1;
	s.work = work;
	int result = begin(&s, context == NULL ? &device : context, err);
	if (result == 0)
		result = relay(&s, &status, err);
	if (s.child > 0)
		end_program(&s);
	unlink(s.pid_file);
	unlink(s.process_file);
	if (result < 0)
		return NULL;
	return json_pack("{s:i}", "status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
