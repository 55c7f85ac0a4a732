// SPDX-License-Identifier: MIT
#include "supervise.h"
#include "background.h"
#include "console.h"
#include "container.h"
#include "modules.h"
#include "order.h"
#include "uevent.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDS_MOST 256

struct end_of_process {
	pid_t pid;
	int status;
};

struct supervisor {
	const struct revision *revision;
	struct container *containers;	// one for each layer; unused for layers that are not run
	bool *flags;			// for the order
	int epoll, signals, events;
	struct buttons buttons;
	uint64_t started_ms;
	bool ready, ending;
	enum end end;
	pid_t background;
	struct end_of_process ends[ENDS_MOST];
	size_t end_count;
};

// What an epoll event is about: the kind in the upper half, a descriptor or an index in the lower.
enum source { SOURCE_SIGNAL, SOURCE_EVENT, SOURCE_BUTTON, SOURCE_OUTPUT };

static int watch(struct supervisor *s, int fd, enum source source, unsigned number, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | number};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? fail_errno(err, "epoll") : 0;
}

static void watch_button(int fd, void *context)
{
	struct error err;

	if (watch(context, fd, SOURCE_BUTTON, (unsigned)fd, &err) < 0)
		console_line("power button: %s", err.text);
}

static bool is_up(const struct container *container)
{
	return container->state == STATE_RUNNING || container->state == STATE_DONE;
}

static void begin_end(struct supervisor *s, enum end end, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	s->end = end;
	console_line("%s: %s", end == END_POWER_OFF ? "power off" : "restart", why);
	if (s->background > 0)
		kill(s->background, SIGKILL);
}

static void start_what_may(struct supervisor *s)
{
	for (size_t i = 0; i < s->revision->layer_count; i++)
		s->flags[i] = s->revision->layers[i].container && is_up(&s->containers[i]);
	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->revision->layers[i].container && s->containers[i].state == STATE_WAITING &&
		    order_may_start(s->revision, i, s->flags))
			container_start(&s->containers[i]);
}

static void stop_what_may(struct supervisor *s)
{
	for (size_t i = 0; i < s->revision->layer_count; i++) {
		struct container *c = &s->containers[i];
		if (c->state == STATE_WAITING || c->state == STATE_PAUSED || c->state == STATE_DONE ||
		    c->state == STATE_FAILED)
			c->state = STATE_STOPPED;
		s->flags[i] = c->state == STATE_STOPPED;
	}
	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->containers[i].state == STATE_RUNNING && order_may_stop(s->revision, i, s->flags))
			container_stop(&s->containers[i]);
}

static bool all_stopped(const struct supervisor *s)
{
	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->containers[i].state != STATE_STOPPED)
			return false;
	return true;
}

static void report_ready(struct supervisor *s)
{
	char names[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < s->revision->layer_count; i++) {
		const struct layer *layer = &s->revision->layers[i];
		if (!layer->container)
			continue;
		if (!is_up(&s->containers[i]))
			return;
		if (s->containers[i].state == STATE_RUNNING && used + strlen(layer->name) + 2 < sizeof names)
			used += (size_t)snprintf(names + used, sizeof names - used, "%s ", layer->name);
	}
	uint64_t took = clock_ms() - s->started_ms;
	s->ready = true;
	console_line("ready: %s %s (%.12s) %srunning in %" PRIu64 ".%" PRIu64 " s", s->revision->product,
		     s->revision->version, s->revision->id, names, took / 1000, took % 1000 / 100);
	s->background = background_verify(s->revision);
}

static bool any_starting(const struct supervisor *s)
{
	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->containers[i].state == STATE_STARTING)
			return true;
	return false;
}

// Offer every end to the containers; those that took it leave the list.
static void hand_out(struct supervisor *s, bool (*handle)(struct container *, pid_t, int))
{
	size_t kept = 0;

	for (size_t e = 0; e < s->end_count; e++) {
		bool taken = false;
		for (size_t i = 0; i < s->revision->layer_count && !taken; i++)
			taken = handle(&s->containers[i], s->ends[e].pid, s->ends[e].status);
		if (!taken)
			s->ends[kept++] = s->ends[e];
	}
	s->end_count = kept;
}

// A container's first process becomes our child, and may end, before the crun that started it has ended and we know
// its number. So helpers come first, and ends that belong to nobody are kept as long as any container is starting.
static void reap(struct supervisor *s)
{
	struct end_of_process end;

	while ((end.pid = waitpid(-1, &end.status, WNOHANG)) > 0) {
		if (end.pid == s->background) {
			s->background = 0;
			continue;
		}
		if (s->end_count == ENDS_MOST)
			memmove(s->ends, s->ends + 1, --s->end_count * sizeof *s->ends);
		s->ends[s->end_count++] = end;
	}
	hand_out(s, container_helper_ended);
	hand_out(s, container_init_ended);
	if (!any_starting(s))
		s->end_count = 0;
}

static void handle_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			begin_end(s, END_POWER_OFF, "asked by a signal");
		else if (info.ssi_signo == SIGINT)
			begin_end(s, END_RESTART, "ctrl-alt-del or a signal");
	}
	reap(s);
}

static void handle_events(struct supervisor *s)
{
	struct uevents events = uevent_drain(s->events);
	struct error err;

	if (events.device && !s->ending) {
		struct modules *index = modules_open(&err);
		int loaded = index == NULL ? 0 : modules_coldplug(index);
		modules_close(index);
		if (loaded > 0)
			console_line("modules: %d for new devices", loaded);
	}
	if (events.input)
		power_scan(&s->buttons, watch_button, s);
}

static void handle_deadlines(struct supervisor *s)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->containers[i].deadline <= now)
			container_deadline(&s->containers[i]);
}

static int next_timeout(const struct supervisor *s)
{
	uint64_t first = UINT64_MAX, now = clock_ms();

	for (size_t i = 0; i < s->revision->layer_count; i++)
		if (s->containers[i].deadline < first)
			first = s->containers[i].deadline;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : first - now > 60000 ? 60000 : (int)(first - now);
}

static void dispatch(struct supervisor *s, const struct epoll_event *event)
{
	unsigned number = (unsigned)event->data.u64;

	switch ((enum source)(event->data.u64 >> 32)) {
	case SOURCE_SIGNAL:
		handle_signals(s);
		break;
	case SOURCE_EVENT:
		handle_events(s);
		break;
	case SOURCE_BUTTON:
		if (power_pressed(&s->buttons, (int)number))
			begin_end(s, END_POWER_OFF, "power button");
		break;
	case SOURCE_OUTPUT:
		container_output(&s->containers[number]);
		break;
	}
}

static int setup(struct supervisor *s, struct error *err)
{
	sigset_t mask;

	s->containers = calloc(s->revision->layer_count, sizeof *s->containers);
	s->flags = calloc(s->revision->layer_count, sizeof *s->flags);
	if (s->containers == NULL || s->flags == NULL)
		return fail_errno(err, "containers");
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return fail_errno(err, "signals");
	sigdelset(&mask, SIGPIPE);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->signals < 0 || s->epoll < 0)
		return fail_errno(err, "main loop");
	s->events = uevent_open(err);
	if (s->events < 0 || watch(s, s->signals, SOURCE_SIGNAL, 0, err) < 0 ||
	    watch(s, s->events, SOURCE_EVENT, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < s->revision->layer_count; i++) {
		s->containers[i] = (struct container){.state = STATE_STOPPED, .deadline = UINT64_MAX};
		if (s->revision->layers[i].container &&
		    (container_init(&s->containers[i], &s->revision->layers[i], err) < 0 ||
		     watch(s, s->containers[i].output[0], SOURCE_OUTPUT, (unsigned)i, err) < 0))
			return -1;
	}
	power_scan(&s->buttons, watch_button, s);
	// From here on the three keys are a signal to us and no longer the end of everything.
	if (reboot(RB_DISABLE_CAD) < 0)
		return fail_errno(err, "ctrl-alt-del");
	return 0;
}

int supervise(const struct revision *revision, uint64_t started_ms, enum end *end, struct error *err)
{
	struct supervisor s = {.revision = revision, .started_ms = started_ms};
	struct epoll_event events[16];

	if (setup(&s, err) < 0)
		return -1;
	do {
		if (s.ending)
			stop_what_may(&s);
		else
			start_what_may(&s);
		if (!s.ready && !s.ending)
			report_ready(&s);
		if (s.ending && all_stopped(&s))
			break;
		int count = epoll_wait(s.epoll, events, 16, next_timeout(&s));
		if (count < 0 && errno != EINTR)
			return fail_errno(err, "main loop");
		for (int i = 0; i < count; i++)
			dispatch(&s, &events[i]);
		handle_deadlines(&s);
	} while (true);
	for (size_t i = 0; i < revision->layer_count; i++)
		if (revision->layers[i].container)
			log_close(&s.containers[i].log);
	*end = s.end;
	return 0;
}
