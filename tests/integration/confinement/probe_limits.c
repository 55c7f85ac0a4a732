// SPDX-License-Identifier: MIT
// Probes of what a container may take: memory, tasks, processor time, and its own processes' privileges.
#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMORY (64u << 20)
#define TASKS 100

static int much_memory(void)
{
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < MEMORY; i += 4096)
		memory[i] = 1;
	return 0;
}

static int many_tasks(void)
{
	pid_t children[TASKS];
	int count = 0, result = 0;

	for (; count < TASKS && result == 0; count++) {
		children[count] = fork();
		if (children[count] == 0)
			_exit(pause());
		if (children[count] < 0)
			result = errno;
	}
	for (int i = 0; i < count && children[i] > 0; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	return result;
}

// How often the kernel held this container back for its share of the processor; -1: it does not say.
static long held_back(void)
{
	char group[256] = "", path[512], line[128];
	long count = -1;
	FILE *file = fopen("/proc/self/cgroup", "r");

	if (file == NULL || fscanf(file, "0::%255s", group) != 1)
		return -1;
	fclose(file);
	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.stat", group);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "nr_throttled %ld", &count) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return count;
}

static double used(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Busy until it was held back, or until it was not for a second of work.
static int much_time(void)
{
	long before = held_back();

	if (before < 0)
		return ENOENT;
	for (double pause = 0.1; pause <= 1; pause += 0.1) {
		while (used() < pause)
			;
		if (held_back() > before)
			return EDQUOT;
	}
	return 0;
}

const struct probe limit_probes[] = {
	{"much-memory", much_memory}, {"many-tasks", many_tasks}, {"much-time", much_time}, {0},
};
