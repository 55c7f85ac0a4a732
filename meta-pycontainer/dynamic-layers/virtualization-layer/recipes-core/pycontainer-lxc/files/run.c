// SPDX-License-Identifier: MIT
#include "common.h"
#include "mounts.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// lxc.rootfs.mount of every configuration: where LXC puts a root file system together, in a mount namespace of its own.
#define ROOT_MOUNT "/run/pycontainer/lxc-root"
#define ARGS_LIMIT (1u << 20)
#define START_MS 25000
#define POLL_MS 5

// A file of at most `limit` bytes with a zero byte after it; NULL after a complaint.
static char *slurp(const char *path, size_t limit, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	char *text = NULL;

	*length = 0;
	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size < 0 || (size_t)status.st_size > limit ||
	    (text = calloc(1, (size_t)status.st_size + 1)) == NULL) {
		complain_errno(path);
	} else {
		while (*length < (size_t)status.st_size) {
			ssize_t got = read(fd, text + *length, (size_t)status.st_size - *length);
			if (got <= 0)
				break;
			*length += (size_t)got;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

// Words that end with a zero byte each, as a list that NULL ends.
static char **split(char *text, size_t length)
{
	static char *words[WORDS_MOST + 1];
	size_t count = 0;

	if (length == 0 || text[length - 1] != '\0')
		return NULL;
	for (char *word = text; word < text + length; word += strlen(word) + 1) {
		if (count == WORDS_MOST)
			return NULL;
		words[count++] = word;
	}
	words[count] = NULL;
	return words;
}

// End as the container did: what we were told in liblxc's form, the status above a byte that is 0x7f for a signal.
static _Noreturn void end_like(int told)
{
	static const struct rlimit none;
	int number = (told >> 8) & 0xff;
	sigset_t all;

	if ((told & 0x7f) != 0x7f)
		_exit(number);
	setrlimit(RLIMIT_CORE, &none);
	signal(number, SIG_DFL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(number);
	_exit(128 + number);
}

// What the container's number 0 is on the device.
static unsigned long base_of(struct lxc_container *c, char kind)
{
	char *text = text_of(c, "lxc.idmap"), *rest = NULL;
	unsigned long inside, outside;
	char which;

	for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "%c %lu %lu", &which, &inside, &outside) == 3 && which == kind && inside == 0)
			return outside;
	return 0;
}

// Its log belongs to the container's user, who may open it by name, as /dev/stderr: crun does the same.
static void give_log(struct lxc_container *c)
{
	uid_t uid = (uid_t)(base_of(c, 'u') + number_of(c, "lxc.init.uid", 0));
	gid_t gid = (gid_t)(base_of(c, 'g') + number_of(c, "lxc.init.gid", 0));
	struct stat status;

	for (int fd = 1; fd <= 2; fd++)
		if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && fchown(fd, uid, gid) < 0)
			complain_errno("log");
}

// Its mounts in /proc and /sys, of which none may fail whose place this kernel has. LXC makes them before the container's
// program is there, and ends the start when one fails.
static bool require_mounts(struct lxc_container *c)
{
	static const char key[] = "lxc.mount.entry";
	int length = c->get_config_item(c, key, NULL, 0);
	char *text = length < 0 ? NULL : calloc(1, (size_t)length + 1), *rest = NULL;
	bool good = text != NULL && c->get_config_item(c, key, text, length + 1) == length && c->clear_config_item(c, key);

	for (char *entry = good ? strtok_r(text, "\n", &rest) : NULL; good && entry != NULL; entry = strtok_r(NULL, "\n", &rest)) {
		mount_require(entry, "");
		good = c->set_config_item(c, key, entry);
	}
	free(text);
	if (!good)
		complain(c->name, "its mounts cannot be read");
	return good;
}

// The process that LXC calls the monitor: the container's parent. `report` gets a byte if it ran and has ended.
static _Noreturn void keep(const char *name, char **words, int report)
{
	struct lxc_container *c = open_container(name);

	// Not our caller's group, whose signals are not for the container.
	setsid();
	if (c == NULL || !c->want_daemonize(c, false) || !c->want_close_all_fds(c, false))
		_exit(1);
	give_log(c);
	if (!require_mounts(c) || !c->start(c, 0, words))
		_exit(1);
	ssize_t wrote = write(report, "e", 1);
	(void)wrote;
	end_like(c->error_num);
}

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Wait until the container runs, or has run. Returns the process whose number stands for it, or -1.
static pid_t wait_for_start(struct lxc_container *c, pid_t keeper, int report)
{
	struct pollfd poll_report = {.fd = report, .events = POLLIN};
	int64_t end = now_ms() + START_MS;
	char byte;

	while (now_ms() < end) {
		if (c->is_running(c) && strcmp(c->state(c), "RUNNING") == 0) {
			pid_t init = c->init_pid(c);
			if (init > 1)
				return init;
		}
		if (poll(&poll_report, 1, POLL_MS) <= 0)
			continue;
		if (read(report, &byte, 1) == 1)
			return keeper;
		// The last line is the one that our caller shows.
		complain(c->name, "cannot be started, LXC's lines on the console say why");
		return -1;
	}
	complain(c->name, "does not start");
	return -1;
}

static int make_place(const char *name, const char *bundle)
{
	char path[PATH_SIZE];

	// A container with users of its own goes through them as one of these.
	if ((mkdir(ROOT, 0711) < 0 && errno != EEXIST) || (mkdir(ROOT_MOUNT, 0711) < 0 && errno != EEXIST))
		return complain_errno(ROOT);
	snprintf(path, sizeof path, ROOT "/%s", name);
	if ((unlink(path) < 0 && errno != ENOENT) || symlink(bundle, path) < 0)
		return complain_errno(path);
	return 0;
}

int run(const char *bundle, const char *pid_file, const char *name)
{
	char path[PATH_SIZE];
	size_t length;
	int ends[2];

	if (make_place(name, bundle) < 0)
		return 1;
	snprintf(path, sizeof path, "%s/args", bundle);
	char *text = slurp(path, ARGS_LIMIT, &length);
	char **words = text == NULL ? NULL : split(text, length);
	if (words == NULL || words[0] == NULL || words[0][0] == '\0') {
		complain(path, "names no program");
		return 1;
	}
	umask(022);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		complain_errno("pipe");
		return 1;
	}
	pid_t keeper = fork();
	if (keeper < 0) {
		complain_errno("fork");
		return 1;
	}
	// It has the reading end too: when it reports, nobody else may have it any more.
	if (keeper == 0)
		keep(name, words, ends[1]);
	close(ends[1]);
	struct lxc_container *c = open_container(name);
	pid_t init = c == NULL ? -1 : wait_for_start(c, keeper, ends[0]);
	if (init > 0 && write_pids(pid_file, init, keeper) == 0)
		return 0;
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	return 1;
}
