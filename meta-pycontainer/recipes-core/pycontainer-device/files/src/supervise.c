// SPDX-License-Identifier: MIT
#include "supervise.h"
#include "console.h"
#include "handlers.h"
#include "jobs.h"
#include "place.h"
#include "supervisor.h"
#include "uevent.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_MS 60000		// when a start takes long, what waits for its end does not
#define JOB_PATIENCE_MS 20000	// for a job at the end

// What an epoll event is about: the kind in the upper half, a descriptor or an index in the lower.
enum source { SOURCE_SIGNAL, SOURCE_EVENT, SOURCE_BUTTON, SOURCE_OUTPUT, SOURCE_CONTROL, SOURCE_OBSERVED };

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

void supervisor_end(struct supervisor *s, enum end end, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	s->ending_ms = clock_ms();
	s->end = end;
	console_line("%s: %s", end == END_POWER_OFF ? "power off" : "restart", why);
	background_end(&s->verify);
	background_end(&s->drivers);
	job_end(&s->update.conditions);
}

static void first_done(void *context, const struct job_result *result)
{
	(void)context;
	if (result->status < 0)
		console_line("%s", result->text);
}

// What is better done when the start is over, or when that takes long.
static void begin_quiet_work(struct supervisor *s)
{
	struct error err;

	if (s->verify.process == 0)
		background_verify(&s->verify, s->containers.now.revision);
	if (!s->quiet_work && job_start(&s->first, "first start", jobs_first, s, first_done, s, &err) < 0)
		console_line("%s", err.text);
	s->quiet_work = true;
}

static void report_ready(struct supervisor *s)
{
	char names[256];

	if (!containers_ready(&s->containers, names, sizeof names))
		return;
	uint64_t took = clock_ms() - s->started_ms;
	s->ready = true;
	const struct revision *revision = s->containers.now.revision;
	console_line("ready: %s %s (%.12s) %srunning in %" PRIu64 ".%" PRIu64 " s", revision->product, revision->version,
		     revision->id, names, took / 1000, took % 1000 / 100);
	begin_quiet_work(s);
}

static void load_drivers(struct supervisor *s)
{
	s->drivers_again = s->drivers.process > 0;
	if (!s->drivers_again)
		background_drivers(&s->drivers);
}

static void reap(struct supervisor *s)
{
	pid_t pid;
	int status;

	// What led to an end comes before it.
	observer_drain(&s->observer, &s->containers);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (background_ended(&s->drivers, pid, status)) {
			if (s->drivers_again && !s->ending)
				load_drivers(s);
		} else if (!background_ended(&s->verify, pid, status) && !update_ended(s, pid, status) &&
			   !job_ended(&s->first, pid, status) &&
			   !control_worker_ended(&s->control, pid, status)) {
			containers_add_end(&s->containers, pid, status);
		}
	}
	containers_match_ends(&s->containers);
}

static void handle_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			supervisor_end(s, END_POWER_OFF, "asked by a signal");
		else if (info.ssi_signo == SIGINT)
			supervisor_end(s, END_RESTART, "ctrl-alt-del or a signal");
	}
	reap(s);
}

static void open_watchdog(struct supervisor *s)
{
	struct error err;
	int opened = watchdog_open(&s->watchdog, clock_ms(), &err);

	if (opened < 0)
		console_line("watchdog: %s", err.text);
	else if (opened > 0)
		console_line("watchdog: %s, %u s", s->watchdog.identity, s->watchdog.timeout_s);
}

static void handle_events(struct supervisor *s)
{
	struct uevents events = uevent_drain(s->events);

	if (events.device && !s->ending)
		load_drivers(s);
	if (events.watchdog && s->watchdog.fd < 0)
		open_watchdog(s);
	if (events.port)
		handlers_open_port(s);
	if (events.input)
		power_scan(&s->buttons, watch_button, s);
}

static int next_timeout(const struct supervisor *s, uint64_t first)
{
	uint64_t deadline = containers_deadline(&s->containers), now = clock_ms();

	if (s->ending || s->retry_ms > 0 || !s->quiet_work || handlers_wait(s))
		first = first < now + 1000 ? first : now + 1000;
	if (deadline < first)
		first = deadline;
	deadline = observer_deadline(&s->containers);
	if (deadline < first)
		first = deadline;
	deadline = control_deadline(&s->control);
	if (deadline < first)
		first = deadline;
	if (s->watchdog.next_ms < first)
		first = s->watchdog.next_ms;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : first - now > 60000 ? 60000 : (int)(first - now);
}

static void dispatch(struct supervisor *s, const struct epoll_event *event)
{
	unsigned number = (unsigned)event->data.u64;
	struct container *container;

	switch ((enum source)(event->data.u64 >> 32)) {
	case SOURCE_SIGNAL:
		handle_signals(s);
		break;
	case SOURCE_EVENT:
		handle_events(s);
		break;
	case SOURCE_BUTTON:
		if (power_pressed(&s->buttons, (int)number))
			supervisor_end(s, END_POWER_OFF, "power button");
		break;
	case SOURCE_OUTPUT:
		container = containers_by_output(&s->containers, (int)number);
		if (container != NULL)
			container_output(container);
		break;
	case SOURCE_CONTROL:
		control_event(&s->control, number, event->events);
		break;
	case SOURCE_OBSERVED:
		observer_drain(&s->observer, &s->containers);
		break;
	}
}

// Listen to what a change of revisions brought: output of new containers, control sockets, published ports. What does not
// work is tried again, and no trial is confirmed without it.
static int adopt(struct supervisor *s, struct error *err)
{
	struct crew *crew = &s->containers.now;
	uint64_t now = clock_ms();

	if (s->adopted == crew->revision && (s->retry_ms == 0 || now < s->retry_ms))
		return 0;
	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		struct container *c = &crew->each[i];
		if (c->layer == NULL || c->watched)
			continue;
		if (watch(s, c->output[0], SOURCE_OUTPUT, (unsigned)c->output[0], err) < 0)
			return -1;
		c->watched = true;
	}
	bool again = s->adopted == crew->revision;
	if (!again && observer_adopt(&s->observer, &s->containers) > 0 &&
	    watch(s, bpf_ring(&s->observer.bpf), SOURCE_OBSERVED, 0, err) < 0)
		return -1;
	s->adopted = crew->revision;
	s->retry_ms = 0;
	if (place_publish(crew->revision, err) < 0 || handlers_listen(s, err) < 0) {
		if (!again)
			console_line("network or control: %s", err->text);
		s->retry_ms = now + 1000;
	}
	return 0;
}

static int setup(struct supervisor *s, struct error *err)
{
	sigset_t mask;

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
	if (control_init(&s->control, "/run/pycontainer", s->epoll, (uint64_t)SOURCE_CONTROL << 32, &device_handlers, s,
			 err) < 0 || control_listen_host(&s->control, err) < 0)
		return -1;
	open_watchdog(s);
	handlers_open_port(s);
	power_scan(&s->buttons, watch_button, s);
	// A device that appeared after the last look at all of them, and before the socket was open, was announced to nobody.
	load_drivers(s);
	// From here on the three keys are a signal to us and no longer the end of everything.
	if (reboot(RB_DISABLE_CAD) < 0)
		return fail_errno(err, "ctrl-alt-del");
	return 0;
}

// The watchdog is fed while the device is well, and while it ends in order. A trial that loses a container ends by itself.
static void look_after_watchdog(struct supervisor *s)
{
	const char *lost = s->ending || update_is_deciding(&s->update) ? NULL : crew_lost(&s->containers.now);
	char why[NAME_SIZE + 64];

	if (lost == NULL) {
		watchdog_feed(&s->watchdog, clock_ms());
		return;
	}
	snprintf(why, sizeof why, "container %s, which is required, was given up", lost);
	supervisor_end(s, END_RESTART, why);
}

// A job may be at the boot record: it is given its time, within limits.
static bool is_over(const struct supervisor *s)
{
	if (!s->ending || !containers_stopped(&s->containers))
		return false;
	return s->update.job.process == 0 || clock_ms() > s->ending_ms + JOB_PATIENCE_MS;
}

int supervise(struct revision *revision, const struct beginning *begin, enum end *end, struct error *err)
{
	static struct supervisor s;
	struct epoll_event events[16];

	s.facts = begin->facts;
	s.update.answer = handlers_update_answer;
	s.update.context = &s;
	s.cmdline = begin->cmdline;
	s.storage = begin->storage;
	s.started_ms = begin->started_ms;
	if (crew_init(&s.containers.now, revision, true, err) < 0 || setup(&s, err) < 0)
		return -1;
	update_start(&s);
	do {
		// It may end the machine, or change to other containers.
		uint64_t trial = update_tick(&s, clock_ms());
		if (adopt(&s, err) < 0)
			return -1;
		look_after_watchdog(&s);
		if (s.ending)
			containers_stop(&s.containers);
		else
			containers_start(&s.containers);
		if (!s.ready && !s.ending)
			report_ready(&s);
		if (!s.quiet_work && !s.ending && clock_ms() > s.started_ms + QUIET_MS)
			begin_quiet_work(&s);
		if (is_over(&s))
			break;
		int count = epoll_wait(s.epoll, events, 16, next_timeout(&s, trial));
		if (count < 0 && errno != EINTR)
			return fail_errno(err, "main loop");
		for (int i = 0; i < count; i++)
			dispatch(&s, &events[i]);
		if (observer_deadline(&s.containers) <= clock_ms())
			observer_drain(&s.observer, &s.containers);
		containers_act(&s.containers, clock_ms());
		control_act(&s.control, clock_ms());
		handlers_tick(&s);
	} while (true);
	observer_drain(&s.observer, &s.containers);
	containers_close(&s.containers);
	control_end(&s.control);
	watchdog_leave(&s.watchdog);
	*end = s.end;
	return 0;
}
