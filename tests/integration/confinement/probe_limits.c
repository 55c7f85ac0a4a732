// SPDX-License-Identifier: MIT
// Probes of what a container may take: memory, tasks, processor time, and its own processes' privileges.
#define _GNU_SOURCE
#include "probe.h"
#include <errno.h>
#include <signal.h>
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

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// A container with a tenth of a processor gets no half of one.
static int much_time(void)
{
	double start = seconds(CLOCK_MONOTONIC);

	while (seconds(CLOCK_MONOTONIC) < start + 1)
		;
	double wall = seconds(CLOCK_MONOTONIC) - start;
	return seconds(CLOCK_PROCESS_CPUTIME_ID) > wall / 2 ? 0 : EDQUOT;
}

const struct probe limit_probes[] = {
	{"much-memory", much_memory}, {"many-tasks", many_tasks}, {"much-time", much_time}, {0},
};
