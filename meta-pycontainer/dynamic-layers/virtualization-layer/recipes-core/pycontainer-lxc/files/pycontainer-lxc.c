// SPDX-License-Identifier: MIT
// liblxc behind crun's command line: run, exec and delete, in the words in which the device program asks them of crun.
// The bundle of a container is its folder in LXC's own sense: "config" is an lxc.container.conf(5), "args" the words of
// its program, each ended by a zero byte.
#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/run/pycontainer/lxc"
// lxc.rootfs.mount of every configuration: where LXC puts a root file system together, in a mount namespace of its own.
#define ROOT_MOUNT "/run/pycontainer/lxc-root"
#define CGROUP "/sys/fs/cgroup/"
#define PATH_SIZE 512
#define ARGS_LIMIT (1u << 20)
#define WORDS_MOST 4096
#define GROUPS_MOST 1024
#define START_MS 25000
#define POLL_MS 5

static pid_t passed_to;

static int complain(const char *what, const char *detail)
{
	fprintf(stderr, "lxc: %s: %s\n", what, detail);
	return -1;
}

static int complain_errno(const char *what)
{
	return complain(what, strerror(errno));
}

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

static int write_pids(const char *path, pid_t init, pid_t keeper)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%d %d\n", (int)init, (int)keeper);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return complain_errno(path);
	ssize_t wrote = write(fd, text, (size_t)length);
	close(fd);
	return wrote == length ? 0 : complain_errno(path);
}

static struct lxc_container *open_container(const char *name)
{
	struct lxc_container *c = lxc_container_new(name, ROOT);

	if (c == NULL || !c->is_defined(c)) {
		complain(name, "its configuration cannot be read");
		return NULL;
	}
	return c;
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

// A number of the container's configuration; `fallback` when it has none.
static unsigned long number_of(struct lxc_container *c, const char *key, unsigned long fallback)
{
	char text[64];

	return c->get_config_item(c, key, text, sizeof text) > 0 ? strtoul(text, NULL, 10) : fallback;
}

// A text of the container's configuration; NULL when it has none.
static char *text_of(struct lxc_container *c, const char *key)
{
	int length = c->get_config_item(c, key, NULL, 0);
	char *text = length <= 0 ? NULL : calloc(1, (size_t)length + 1);

	if (text != NULL && c->get_config_item(c, key, text, length + 1) != length)
		text[0] = '\0';
	return text != NULL && text[0] != '\0' ? text : NULL;
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

// The process that LXC calls the monitor: the container's parent. `report` gets a byte if it ran and has ended.
static _Noreturn void keep(const char *name, char **words, int report)
{
	struct lxc_container *c = open_container(name);

	// Not our caller's group, whose signals are not for the container.
	setsid();
	if (c == NULL || !c->want_daemonize(c, false) || !c->want_close_all_fds(c, false))
		_exit(1);
	give_log(c);
	if (!c->start(c, 0, words))
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
		if (poll(&poll_report, 1, POLL_MS) > 0)
			return read(report, &byte, 1) == 1 ? keeper : (pid_t)-1;
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

static int run(const char *bundle, const char *pid_file, const char *name)
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

static char **environment_of(struct lxc_container *c)
{
	char *text = text_of(c, "lxc.environment");
	static char *words[WORDS_MOST + 1];
	size_t count = 0;
	char *rest = NULL;

	for (char *word = text == NULL ? NULL : strtok_r(text, "\n", &rest); word != NULL && count < WORDS_MOST;
	     word = strtok_r(NULL, "\n", &rest))
		words[count++] = word;
	return words;
}

static void groups_of(struct lxc_container *c, lxc_attach_options_t *options)
{
	static gid_t groups[GROUPS_MOST];
	char *text = text_of(c, "lxc.init.groups");
	char *rest = NULL;

	options->attach_flags |= LXC_ATTACH_SETGROUPS;
	options->groups.list = groups;
	for (char *word = text == NULL ? NULL : strtok_r(text, ",", &rest);
	     word != NULL && options->groups.size < GROUPS_MOST; word = strtok_r(NULL, ",", &rest))
		groups[options->groups.size++] = (gid_t)strtoul(word, NULL, 10);
	if (options->groups.size == 0)
		options->attach_flags &= ~LXC_ATTACH_SETGROUPS;
}

static void pass_on(int number)
{
	if (passed_to > 0)
		kill(passed_to, number);
}

// liblxc goes on without a profile that it cannot read, with a warning: we do not.
static bool is_filtered(struct lxc_container *c)
{
	char *wanted = text_of(c, "lxc.seccomp.profile");

	if (wanted == NULL)
		return true;
	char *running = c->get_running_config_item(c, "lxc.seccomp.profile");
	return running != NULL && strcmp(running, wanted) == 0 && access(wanted, R_OK) == 0;
}

static int enter(const char *pid_file, const char *name, char **words)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	lxc_attach_command_t command = {words[0], words};
	struct sigaction action = {.sa_handler = pass_on};
	struct lxc_container *c = open_container(name);
	int status;

	if (c == NULL)
		return 125;
	if (!c->is_running(c) || !is_filtered(c)) {
		complain(name, "does not run");
		return 125;
	}
	options.attach_flags |= LXC_ATTACH_NO_NEW_PRIVS;
	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.extra_env_vars = environment_of(c);
	options.initial_cwd = text_of(c, "lxc.init.cwd");
	options.uid = (uid_t)number_of(c, "lxc.init.uid", 0);
	options.gid = (gid_t)number_of(c, "lxc.init.gid", 0);
	groups_of(c, &options);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (c->attach(c, lxc_attach_run_command, &command, &options, &passed_to) < 0) {
		complain(name, "cannot be entered");
		return 125;
	}
	if (pid_file != NULL)
		write_pids(pid_file, passed_to, passed_to);
	while (waitpid(passed_to, &status, 0) < 0)
		if (errno != EINTR)
			return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// What LXC leaves behind when its monitor was killed.
static int forget(const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, CGROUP "pycontainer/%s/cgroup.kill", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t wrote = write(fd, "1", 1);
		(void)wrote;
		close(fd);
	}
	static const char *const groups[] = {"pycontainer/%s/.lxc", "pycontainer/%s", "lxc.monitor/%s"};
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		char group[PATH_SIZE / 2];
		snprintf(group, sizeof group, groups[i], name); // NOLINT: the forms are those above
		snprintf(path, sizeof path, CGROUP "%s", group);
		for (int tries = 0; tries < 100 && rmdir(path) < 0 && errno == EBUSY; tries++)
			usleep(10000);
	}
	snprintf(path, sizeof path, ROOT "/%s", name);
	unlink(path);
	return 0;
}

// A name of the device program's: no path, nothing hidden.
static bool is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < 64 && text[0] != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

int main(int argc, char **argv)
{
	struct lxc_log log = {.name = NULL, .file = "/dev/console", .level = "ERROR", .prefix = "lxc"};
	const char *bundle = NULL, *pid_file = NULL, *verb = NULL;
	int at = 1;

	// What our caller has open is not for a container, and liblxc closes nothing that it is not told of.
	close_range(3, ~0u, 0);
	for (; at < argc; at++) {
		const char *word = argv[at];
		if (strcmp(word, "--root") == 0 && at + 1 < argc)
			at++;
		else if (strcmp(word, "--bundle") == 0 && at + 1 < argc)
			bundle = argv[++at];
		else if (strcmp(word, "--pid-file") == 0 && at + 1 < argc)
			pid_file = argv[++at];
		else if (word[0] == '-')
			continue;
		else if (verb == NULL)
			verb = word;
		else
			break;
	}
	if (verb == NULL || at == argc || !is_name(argv[at])) {
		fputs("usage: pycontainer-lxc run --bundle FOLDER --pid-file FILE NAME\n"
		      "       pycontainer-lxc exec [--pid-file FILE] NAME PROGRAM [ARGUMENT...]\n"
		      "       pycontainer-lxc delete NAME\n", stderr);
		return 2;
	}
	lxc_log_init(&log);
	if (strcmp(verb, "run") == 0 && bundle != NULL && pid_file != NULL)
		return run(bundle, pid_file, argv[at]);
	if (strcmp(verb, "exec") == 0 && at + 1 < argc)
		return enter(pid_file, argv[at], argv + at + 1);
	if (strcmp(verb, "delete") == 0)
		return forget(argv[at]);
	complain(verb, "not understood");
	return 2;
}
