// SPDX-License-Identifier: MIT
#include "check.h"
#include "console.h"
#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *script, char *last, size_t size, struct error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};

	return program_run(argv, 20000, last, size, err);
}

// What console_line writes, taken from standard error.
static void test_console(void)
{
	int ends[2], saved = dup(2);
	char text[1024];

	check(pipe(ends) == 0 && dup2(ends[1], 2) == 2);
	console_line("a \033[2J%s", "b\nc\x9b");
	char wide[600];
	memset(wide, 'x', sizeof wide - 1);
	wide[sizeof wide - 1] = '\0';
	console_line("%s", wide);
	dup2(saved, 2);
	close(saved);
	close(ends[1]);
	ssize_t length = read(ends[0], text, sizeof text - 1);
	close(ends[0]);
	check(length > 0);
	text[length > 0 ? length : 0] = '\0';
	check(strncmp(text, "pycontainer[", 12) == 0);
	check(strstr(text, "] a ?[2Jb?c?\npycontainer[") != NULL);
	check(length < 600 && text[length - 1] == '\n');
}

// A line on a terminal that was told to stop, then lines to a reader that reads nothing: none may hold up process 1.
static void test_console_never_blocks(void)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), ends[2], status = -1;
	char text[256] = "";

	check(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0 && pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		alarm(20);
		console_open(ptsname(terminal));
		// XOFF, as from a keyboard.
		if (write(terminal, "\x13", 1) != 1)
			_exit(2);
		usleep(50000);
		console_line("still here");
		fcntl(ends[1], F_SETFL, O_NONBLOCK);
		dup2(ends[1], 2);
		for (int i = 0; i < 2000; i++)
			console_line("a line that nobody reads, one of many");
		_exit(0);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fcntl(terminal, F_SETFL, O_NONBLOCK);
	check(read(terminal, text, sizeof text - 1) > 0 && strstr(text, "still here") != NULL);
	close(terminal);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const char *const missing[] = {"/nonexistent/program", NULL};
	char last[8];
	struct error err;
	sigset_t mask, pending;

	check(run("echo one; echo two", last, sizeof last, &err) == 0 && strcmp(last, "two") == 0);
	check(run("echo a line that is too long >&2; exit 3", last, sizeof last, &err) == 3 && strcmp(last, "a line ") == 0);
	check(run("kill -9 $$", last, sizeof last, &err) == 128 + SIGKILL && last[0] == '\0');
	check(program_run(missing, 20000, last, sizeof last, &err) == -1 && strstr(err.text, "/nonexistent/program: No such") != NULL);
	// What is indented belongs to the line before; a program that hangs is ended, whether it closes its output or not.
	check(run("echo why; echo; echo ' because'; printf '\\tso'", last, sizeof last, &err) == 0 && strcmp(last, "why") == 0);
	static const char *const slow[] = {"/bin/sh", "-c", "echo begun; exec sleep 20", NULL};
	uint64_t before = clock_ms();
	check(program_run(slow, 200, last, sizeof last, &err) == -1 && strstr(err.text, "was ended; it last said: begun") != NULL);
	check(run("exec >&- 2>&-; sleep 0.2; exit 4", last, sizeof last, &err) == 4);
	static const char *const closed[] = {"/bin/sh", "-c", "exec >&- 2>&-; exec sleep 20", NULL};
	check(program_run(closed, 200, last, sizeof last, &err) == -1 && strstr(err.text, "was ended; it last said: nothing") != NULL);
	check(clock_ms() - before < 4000);
	check(waitpid(-1, NULL, WNOHANG) == -1);

	// A blocked signal is not blocked in the child, and a descriptor of ours is not open there.
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	check(run("kill -TERM $$; exit 0", last, sizeof last, &err) == 128 + SIGTERM);
	check(sigpending(&pending) == 0 && !sigismember(&pending, SIGTERM));
	int ends[2];
	check(pipe2(ends, O_CLOEXEC) == 0);
	char script[64];
	snprintf(script, sizeof script, "test -e /proc/$$/fd/%d", ends[0]);
	check(run(script, last, sizeof last, &err) == 1);
	test_console();
	test_console_never_blocks();
	return check_result("program");
}
