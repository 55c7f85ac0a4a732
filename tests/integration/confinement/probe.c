// SPDX-License-Identifier: MIT
// Tries, inside a container, what its confinement forbids, and prints one JSON line a probe: {"probe": NAME, "result":
// RESULT}, where RESULT is "done", the errno's name, or the name of the signal that ended it.
//
// probe                all probes, and then the facts that the kernel tells of this process
// probe neighbour      be another container's process, with something of everything that could be shared
// probe only NAME...   these probes, nothing else
// probe gain           print whether this program, setuid root, made its user root, and whether one with a capability in
//                      its file got that
// probe ran, root, holds   tell by the exit status that it ran, is root, holds that capability
#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void told(const char *name, const char *result)
{
	printf("{\"probe\": \"%s\", \"result\": \"%s\"}\n", name, result);
	fflush(stdout);
}

static void attempt(const struct probe *probe)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		alarm(60);
		_exit(probe->run());
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		told(probe->name, "no process");
	else if (WIFSIGNALED(status))
		told(probe->name, sigabbrev_np(WTERMSIG(status)));
	else
		told(probe->name, WEXITSTATUS(status) == 0 ? "done" : strerrorname_np(WEXITSTATUS(status)));
}

// A line of /proc/self/status, or a whole file, without its line end.
static void fact_line(const char *name, const char *path, const char *prefix)
{
	char line[512], text[512] = "";
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, prefix, strlen(prefix)) == 0) {
			const char *value = line + strlen(prefix) + strspn(line + strlen(prefix), " \t");
			snprintf(text, sizeof text, "%.*s", (int)strcspn(value, "\n"), value);
			break;
		}
	if (file != NULL)
		fclose(file);
	printf("{\"fact\": \"%s\", \"value\": \"%s\"}\n", name, text);
}

static void facts(void)
{
	static const char *const spaces[] = {"pid", "mnt", "ipc", "uts", "net", "cgroup", "user"};
	static const char *const lines[] = {"CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp"};

	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		char path[32], target[64];
		snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i]);
		ssize_t length = readlink(path, target, sizeof target - 1);
		printf("{\"fact\": \"ns-%s\", \"value\": \"%.*s\"}\n", spaces[i], length < 0 ? 0 : (int)length, target);
	}
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char prefix[32];
		snprintf(prefix, sizeof prefix, "%s:", lines[i]);
		fact_line(lines[i], "/proc/self/status", prefix);
	}
	fact_line("uid_map", "/proc/self/uid_map", "");
	fact_line("gid_map", "/proc/self/gid_map", "");
	fact_line("apparmor", "/proc/self/attr/apparmor/current", "");
	fact_line("memory.max", "/sys/fs/cgroup/memory.max", "");
	fact_line("pids.max", "/sys/fs/cgroup/pids.max", "");
	fact_line("cpu.max", "/sys/fs/cgroup/cpu.max", "");
}

static void wait_for_the_end(void)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &got);
}

static void fact_attribute(const char *name)
{
	unsigned char value[64];
	ssize_t length = getxattr(CAPABLE, name, value, sizeof value);

	printf("{\"fact\": \"%s\", \"value\": \"", name);
	for (ssize_t i = 0; i < length; i++)
		printf("%02x", value[i]);
	printf("\"}\n");
}

static void gain(void)
{
	static const struct probe capability = {"file-capability", gain_capability};

	told("setuid-program", geteuid() == 0 ? "done" : "EPERM");
	fact_attribute("security.capability");
	fact_attribute("user.note");
	fflush(stdout);
	attempt(&capability);
}

static bool is_named(const char *name, char *const names[])
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

// All probes, or those that are named.
static void attempt_all(char *const names[])
{
	static const struct probe *const lists[] = {kernel_probes, place_probes, limit_probes};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const struct probe *probe = lists[i]; probe->name != NULL; probe++)
			if (names == NULL || is_named(probe->name, names))
				attempt(probe);
}

int main(int argc, char *argv[])
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "ran") == 0)
		return 0;
	if (strcmp(word, "root") == 0)
		return geteuid() == 0 ? 0 : EPERM;
	if (strcmp(word, "holds") == 0)
		return holds_capability();
	if (strcmp(word, "gain") == 0) {
		gain();
		return 0;
	}
	if (strcmp(word, "only") == 0) {
		attempt_all(argv + 2);
		return 0;
	}
	if (strcmp(word, "neighbour") == 0) {
		int failed = neighbour();
		told("neighbour", failed == 0 ? "done" : strerrorname_np(failed));
		wait_for_the_end();
		return 0;
	}
	// The neighbour started just before.
	sleep(1);
	attempt_all(NULL);
	facts();
	told("end", "done");
	return 0;
}
