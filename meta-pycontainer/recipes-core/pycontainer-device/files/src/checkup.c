// SPDX-License-Identifier: MIT
#include "checkup.h"
#include "console.h"
#include "probe.h"

#include <signal.h>
#include <sys/wait.h>

void checkup_begin(struct container *container, uint64_t now)
{
	// A probe of the container's last life tells nothing of this one.
	if (container->probe > 0)
		kill(container->probe, SIGKILL);
	container->probe = 0;
	health_init(&container->health, &container->layer->health, now);
	health_next(&container->health, now, &container->health_due);
}

void checkup_again(struct container *container, uint64_t now)
{
	checkup_begin(container, now);
	if (container->health.state != HEALTH_UNCHECKED)
		container->health.due = container->health_due = now;
}

// An unhealthy container is stopped, and started again as its restart policy says.
static void react(struct container *container, enum health_state before)
{
	const char *name = container->layer->name;

	container->was_healthy = container->was_healthy || container->health.state == HEALTH_HEALTHY;
	if (container->health.state == before)
		return;
	if (container->health.state != HEALTH_UNHEALTHY) {
		console_line("container %s: %s", name, health_word(container->health.state));
		return;
	}
	// What the probe had to say stands at the end of the log.
	container_output(container);
	console_line("container %s: unhealthy: %s", name, container->log.last);
	container_stop(container, THEN_FAIL);
}

static void result(struct container *container, bool success)
{
	enum health_state before = container->health.state;
	uint64_t now = clock_ms();

	container->probe = 0;
	health_result(&container->health, now, success);
	health_next(&container->health, now, &container->health_due);
	react(container, before);
}

void checkup_due(struct container *container, uint64_t now)
{
	enum health_state before = container->health.state;
	struct error err;

	if (container->state != STATE_RUNNING) {
		container->health_due = UINT64_MAX;
		return;
	}
	switch (health_next(&container->health, now, &container->health_due)) {
	case HEALTH_PROBE:
		container->probe = probe_start(container->layer, container->init, container->output[1], &err);
		if (container->probe > 0)
			break;
		console_line("container %s: health check: %s", container->layer->name, err.text);
		result(container, false);
		break;
	case HEALTH_HANGS:
		console_line("container %s: the health check hangs, killed", container->layer->name);
		if (container->probe > 0)
			kill(container->probe, SIGKILL);
		container->probe = 0;
		react(container, before);
		break;
	case HEALTH_WAIT:
		break;
	}
}

bool checkup_ended(struct container *container, pid_t pid, int status)
{
	if (container->probe == 0 || container->probe != pid)
		return false;
	if (container->state == STATE_RUNNING)
		result(container, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	container->probe = 0;
	return true;
}
