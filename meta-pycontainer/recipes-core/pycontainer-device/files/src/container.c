// SPDX-License-Identifier: MIT
#include "container.h"
#include "checkup.h"
#include "console.h"
#include "crun.h"
#include "io_limit.h"
#include "observer.h"
#include "place.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// crun takes a tenth of a second; what takes this long hangs.
#define HELPER_MS 30000
// After a kill the kernel needs a moment; a process that sleeps in the kernel may never end.
#define KILL_MS 5000
#define PIPE_BYTES 65536

int container_init(struct container *container, const struct layer *layer, struct error *err)
{
	*container = (struct container){.layer = layer, .deadline = UINT64_MAX, .health_due = UINT64_MAX};
	log_init(&container->log, STORAGE "/logs", layer->name, layer->log_bytes, layer->log_files);
	log_init(&container->observed.log, OBSERVED_FOLDER, layer->name, layer->log_bytes, layer->log_files);
	// Our end only is non-blocking: programs expect their standard output to block.
	if (pipe2(container->output, O_CLOEXEC) < 0 || fcntl(container->output[0], F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, "pipe for %s", layer->name);
	return 0;
}

void container_close(struct container *container)
{
	container_output(container);
	log_close(&container->log);
	log_close(&container->observed.log);
	for (int i = 0; i < 2; i++)
		close(container->output[i]);
	if (container->bound)
		place_remove(container->layer);
	container->bound = false;
}

static void enter(struct container *container, enum state state, uint64_t timeout_ms)
{
	container->state = state;
	container->deadline = timeout_ms == UINT64_MAX ? UINT64_MAX : clock_ms() + timeout_ms;
}

static void leave_cleaning(struct container *container)
{
	container->state = container->next;
	container->deadline = container->next == STATE_PAUSED ? container->resume : UINT64_MAX;
}

// crun delete --force, after which the container's name is free again.
static void forget(struct container *container)
{
	struct error err;

	container->helper = crun_delete(container->layer, &err);
	if (container->helper > 0) {
		enter(container, STATE_CLEANING, HELPER_MS);
		return;
	}
	container->helper = 0;
	console_line("container %s: %s", container->layer->name, err.text);
	leave_cleaning(container);
}

// It ended at our wish.
static void stopped(struct container *container, const char *how)
{
	container->init = 0;
	container->since = 0;
	container->killed = false;
	snprintf(container->how, sizeof container->how, "stopped, %s", how);
	container->next = container->then == THEN_START ? STATE_WAITING : STATE_STOPPED;
	if (container->then == THEN_END)
		enter(container, STATE_STOPPED, UINT64_MAX);
	else
		forget(container);
}

// What happens after an end is decided now and done once crun has forgotten the container.
static void ended(struct container *container, bool success, const char *how)
{
	const char *name = container->layer->name;
	uint64_t now = clock_ms(), delay = 0, ran = container->since == 0 ? 0 : now - container->since;

	if (container->stop_wanted) {
		container->stop_wanted = false;
		stopped(container, how);
		return;
	}
	container->init = 0;
	container->since = 0;
	snprintf(container->how, sizeof container->how, "%s", how);
	switch (backoff_next(&container->backoff, &container->layer->restart, success, ran, &delay)) {
	case VERDICT_RESTART:
		container->next = STATE_PAUSED;
		container->resume = now + delay;
		container->restarts++;
		console_line("container %s: %s after %" PRIu64 ".%" PRIu64 " s, restart %" PRIu64 " in %" PRIu64 " ms", name, how,
			     ran / 1000, ran % 1000 / 100, container->backoff.retries, delay);
		break;
	case VERDICT_DONE:
		container->next = STATE_DONE;
		console_line("container %s: %s, done", name, how);
		break;
	case VERDICT_GIVE_UP:
		container->next = STATE_FAILED;
		console_line("container %s: %s, given up after %" PRIu64 " restarts", name, how, container->backoff.retries);
		break;
	}
	container->killed = false;
	forget(container);
}

void container_start(struct container *container, const struct revision *revision)
{
	struct error err;

	container->killed = false;
	container->stop_wanted = false;
	container->violation[0] = '\0';
	container->observed.cgroup = 0;
	container->observed.lost = 0;
	container->observed.began = false;
	if (container->observed.blind) {
		ended(container, false, "the kernel cannot tell what its rules must know");
		return;
	}
	if (!container->bound && place_make(revision, container->layer, &err) < 0) {
		ended(container, false, err.text);
		return;
	}
	container->bound = true;
	container->helper = crun_run(container->layer, container->output[1], &err);
	if (container->helper < 0) {
		container->helper = 0;
		ended(container, false, err.text);
		return;
	}
	enter(container, STATE_STARTING, HELPER_MS);
}

static void kill_all(struct container *container)
{
	struct error err;

	container->killed = true;
	if (crun_kill(container->layer, &err) < 0 && container->init > 0)
		kill(container->init, SIGKILL);
	container->deadline = clock_ms() + KILL_MS;
}

void container_stop(struct container *container, enum then then)
{
	container->then = then;
	switch (container->state) {
	case STATE_RUNNING:
		enter(container, STATE_STOPPING, container->layer->stop_timeout_ms);
		if (kill(container->init, (int)container->layer->stop_signal) < 0)
			kill_all(container);
		break;
	case STATE_STARTING:
		container->stop_wanted = true;
		break;
	case STATE_CLEANING:
		container->next = then == THEN_START ? STATE_WAITING : STATE_STOPPED;
		break;
	case STATE_STOPPING:
		break;
	default:
		enter(container, then == THEN_START ? STATE_WAITING : STATE_STOPPED, UINT64_MAX);
	}
}

static void kill_violator(struct container *container)
{
	container->then = THEN_FAIL;
	enter(container, STATE_STOPPING, UINT64_MAX);
	kill_all(container);
}

void container_violated(struct container *container, const char *what)
{
	if (container->violation[0] != '\0')
		return;
	snprintf(container->violation, sizeof container->violation, "left its declared behaviour: %s", what);
	console_line("container %s: %s", container->layer->name, container->violation);
	// One that is starting yet is killed as soon as it is known to run.
	if (container->state == STATE_RUNNING)
		kill_violator(container);
}

bool container_is_up(const struct container *container)
{
	if (container->state == STATE_DONE)
		return true;
	return container->state == STATE_RUNNING &&
	       (container->health.state == HEALTH_UNCHECKED || container->was_healthy);
}

static void started(struct container *container, int status)
{
	struct error err;
	char how[256];

	// What crun had to say stands at the end of the log.
	container_output(container);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		container->init = crun_pid(container->layer, &container->keeper, &err);
		if (container->init > 0) {
			container->since = clock_ms();
			enter(container, STATE_RUNNING, UINT64_MAX);
			crun_make_exec_group(container->layer);
			container->was_healthy = false;
			checkup_begin(container, container->since);
			if (io_limit_apply(container->layer, &err) < 0)
				console_line("container %s: %s", container->layer->name, err.text);
			console_line("container %s: running, process %d", container->layer->name, (int)container->init);
			if (container->stop_wanted) {
				container->stop_wanted = false;
				container_stop(container, container->then);
			} else if (container->violation[0] != '\0') {
				kill_violator(container);
			}
			return;
		}
		container->init = 0;
		snprintf(how, sizeof how, "started, but %s", err.text);
	} else if (WIFEXITED(status)) {
		snprintf(how, sizeof how, "%s failed: %s", crun_name(container->layer), container->log.last);
	} else {
		snprintf(how, sizeof how, "%s was killed by signal %d", crun_name(container->layer), WTERMSIG(status));
	}
	ended(container, false, how);
}

bool container_helper_ended(struct container *container, pid_t pid, int status)
{
	if (container->helper == 0 || container->helper != pid)
		return false;
	container->helper = 0;
	if (container->state == STATE_STARTING)
		started(container, status);
	else if (container->state == STATE_CLEANING)
		leave_cleaning(container);
	return true;
}

bool container_init_ended(struct container *container, pid_t pid, int status)
{
	char how[64];

	if (container->init == 0 || container->keeper != pid)
		return false;
	container_output(container);
	bool success = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	// The process that the kernel chose may be another one of the container, whose end its first process tells.
	// reboot(2) in a process namespace: the kernel ends its first process by one of these, and nobody in it else can.
	bool off = WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, again = WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP;
	snprintf(how, sizeof how, "%s %d%s", WIFEXITED(status) ? "exited with status" : "killed by signal",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		 !success && crun_oom_kills(container->layer) > 0 ? ", out of memory" : "");
	if (container->state == STATE_RUNNING && (off || again))
		snprintf(how, sizeof how, "%s", off ? "powered itself off" : "restarts itself");
	success = success || (off && container->state == STATE_RUNNING);
	// At last: what was left behind is cleared away.
	if (container->state == STATE_STOPPED) {
		container->then = THEN_STAY;
		stopped(container, how);
		return true;
	}
	if (container->state != STATE_STOPPING) {
		ended(container, success, how);
		return true;
	}
	if (container->then == THEN_FAIL) {
		ended(container, false, container->violation[0] != '\0' ? container->violation : "unhealthy");
		return true;
	}
	console_line("container %s: stopped, %s%s", container->layer->name, how,
		     container->killed ? " after its time was up" : "");
	stopped(container, how);
	return true;
}

void container_deadline(struct container *container, const struct revision *revision)
{
	container->deadline = UINT64_MAX;
	switch (container->state) {
	case STATE_PAUSED:
		container_start(container, revision);
		break;
	case STATE_STARTING:
	case STATE_CLEANING:
		if (!container->killed) {
			console_line("container %s: %s hangs, killed", container->layer->name, crun_name(container->layer));
			kill(container->helper, SIGKILL);
			kill_all(container);
			break;
		}
		// It sleeps in the kernel and may never end; whether the container lives is not known.
		console_line("container %s: %s does not end, given up", container->layer->name,
			     crun_name(container->layer));
		container->helper = 0;
		enter(container, STATE_FAILED, UINT64_MAX);
		break;
	case STATE_STOPPING:
		if (!container->killed) {
			kill_all(container);
			break;
		}
		console_line("container %s: does not end, left behind", container->layer->name);
		// Its end, should it come, is still heard of. Until then nothing can take its place.
		enter(container, container->then == THEN_FAIL || container->then == THEN_START ? STATE_FAILED : STATE_STOPPED,
		      UINT64_MAX);
		break;
	default:
		break;
	}
}

void container_output(struct container *container)
{
	static char buffer[16384];
	struct error err;
	ssize_t got;

	// As much as a pipe holds, so that after an end nothing is left in it; no more, so that a container that never
	// pauses does not keep us.
	for (size_t taken = 0; taken < PIPE_BYTES; taken += (size_t)got) {
		got = read(container->output[0], buffer, sizeof buffer);
		if (got <= 0)
			return;
		if (log_write(&container->log, buffer, (size_t)got, &err) < 0)
			console_line("log of %s: %s", container->layer->name, err.text);
	}
}
