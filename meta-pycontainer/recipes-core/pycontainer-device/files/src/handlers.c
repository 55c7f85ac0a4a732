// SPDX-License-Identifier: MIT
#include "handlers.h"
#include "console.h"
#include "exec.h"
#include "logs.h"
#include "order.h"
#include "ports.h"
#include "request.h"
#include "supervisor.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

// Beside the time that a container has to stop.
#define AWAIT_MS 120000

static void say_version(struct request *request)
{
	const struct supervisor *s = request->context;
	struct utsname system = {0};

	uname(&system);
	control_answer(request, json_pack("{s:s, s:i, s:s, s:s, s:s}", "version", PYCONTAINER_VERSION, "protocol", 1, "kernel",
					  system.release, "product", s->facts->product, "machine", s->facts->machine));
}

static void status(struct request *request)
{
	control_work(request, work_status, request->context);
}

static void ps(struct request *request)
{
	control_work(request, work_ps, request->context);
}

static struct container *known(struct request *request, struct error *err)
{
	const struct supervisor *s = request->context;
	const char *name = json_string_value(json_object_get(request->arguments, "container"));
	struct container *container = crew_find(&s->containers.now, name);

	if (container == NULL)
		fail(err, "there is no container %.63s", name);
	return container;
}

static void logs(struct request *request)
{
	struct error err;

	if (known(request, &err) == NULL)
		control_refuse(request, &err);
	else
		control_work(request, logs_run, NULL);
}

static void observe(struct request *request)
{
	struct error err;

	if (json_object_get(request->arguments, "container") != NULL && known(request, &err) == NULL)
		control_refuse(request, &err);
	else
		control_work(request, work_observe, request->context);
}

// One that may be started and stopped.
static struct container *named(struct request *request, struct error *err)
{
	const struct supervisor *s = request->context;
	struct container *container = known(request, err);

	if (container == NULL || !s->ending)
		return container;
	fail(err, "the device is stopping");
	return NULL;
}

static void exec(struct request *request)
{
	struct error err;
	const struct container *container = named(request, &err);

	if (container != NULL && container->state != STATE_RUNNING) {
		fail(&err, "container %s does not run", container->layer->name);
		container = NULL;
	}
	if (container == NULL)
		control_refuse(request, &err);
	else
		control_work(request, exec_run, NULL);
}

// Remember who waits for which container.
static void await(struct request *request, const struct container *container, bool up)
{
	struct supervisor *s = request->context;

	for (size_t i = 0; i < AWAITED_MOST; i++) {
		struct awaited *free = &s->awaited[i];
		if (free->ticket != 0)
			continue;
		snprintf(free->name, sizeof free->name, "%s", container->layer->name);
		free->up = up;
		free->deadline_ms = clock_ms() + container->layer->stop_timeout_ms + AWAIT_MS;
		free->ticket = control_hold(request);
		return;
	}
	struct error err;
	fail(&err, "it is done, but too many wait for containers already");
	control_refuse(request, &err);
}

// One that has to wait for another that nobody starts would wait for ever.
static bool can_start(const struct supervisor *s, const struct container *container, struct error *err)
{
	const struct crew *crew = &s->containers.now;
	size_t own = (size_t)(container - crew->each);

	for (size_t i = 0; i < crew->revision->layer_count; i++)
		crew->flags[i] = crew->each[i].layer == NULL ||
				 (crew->each[i].state != STATE_STOPPED && crew->each[i].state != STATE_FAILED);
	if (order_may_start(crew->revision, own, crew->flags, crew->flags))
		return true;
	fail(err, "container %s starts after one that is stopped", container->layer->name);
	return false;
}

static void start(struct request *request)
{
	struct error err;
	struct container *container = named(request, &err);

	if (container == NULL || !can_start(request->context, container, &err)) {
		control_refuse(request, &err);
		return;
	}
	// By hand, its failures of before are forgotten.
	if (container->state == STATE_STOPPED || container->state == STATE_FAILED || container->state == STATE_DONE ||
	    container->state == STATE_PAUSED) {
		container->backoff = (struct backoff){0};
		container_stop(container, THEN_START);
	} else if (container->state == STATE_STOPPING || container->state == STATE_CLEANING) {
		container_stop(container, THEN_START);
	}
	await(request, container, true);
}

static void stop(struct request *request)
{
	struct error err;
	struct container *container = named(request, &err);

	if (container == NULL) {
		control_refuse(request, &err);
		return;
	}
	container_stop(container, THEN_STAY);
	await(request, container, false);
}

static void restart(struct request *request)
{
	struct error err;
	struct container *container = named(request, &err);

	if (container == NULL || !can_start(request->context, container, &err)) {
		control_refuse(request, &err);
		return;
	}
	container->backoff = (struct backoff){0};
	container_stop(container, THEN_START);
	await(request, container, true);
}

void handlers_tick(struct supervisor *s)
{
	struct error err;

	if (control_reopen(&s->control, clock_ms()))
		handlers_open_port(s);
	for (size_t i = 0; i < AWAITED_MOST; i++) {
		struct awaited *awaited = &s->awaited[i];
		uint64_t ticket = awaited->ticket;
		if (ticket == 0)
			continue;
		const struct container *c = crew_find(&s->containers.now, awaited->name);
		bool failed = c == NULL || (awaited->up && (c->state == STATE_FAILED || c->state == STATE_PAUSED ||
							    (c->state == STATE_STOPPED && !s->ending)));
		bool there = c != NULL && (awaited->up ? c->state == STATE_RUNNING || c->state == STATE_DONE
						       : c->state == STATE_STOPPED);
		bool late = clock_ms() >= awaited->deadline_ms;
		if (!failed && !there && !late)
			continue;
		awaited->ticket = 0;
		if (there) {
			control_answer_held(&s->control, ticket, NULL);
			continue;
		}
		fail(&err, "container %s: %s", awaited->name,
		     c == NULL ? "it is not there any more" : failed ? c->how : "it takes longer");
		control_refuse_held(&s->control, ticket, &err);
	}
}

bool handlers_wait(const struct supervisor *s)
{
	for (size_t i = 0; i < AWAITED_MOST; i++)
		if (s->awaited[i].ticket != 0)
			return true;
	return false;
}

void handlers_update_answer(void *supervisor, uint64_t ticket, const struct error *problem)
{
	struct supervisor *s = supervisor;

	if (problem == NULL)
		control_answer_held(&s->control, ticket, NULL);
	else
		control_refuse_held(&s->control, ticket, problem);
}

static void update(struct request *request, int (*ask)(struct supervisor *, uint64_t, struct error *))
{
	struct supervisor *s = request->context;
	struct error err;
	uint64_t ticket = control_hold(request);

	if (ask(s, ticket, &err) < 0)
		control_refuse_held(&s->control, ticket, &err);
}

static void try(struct request *request)
{
	struct supervisor *s = request->context;
	char id[HEX_SIZE];
	struct error err;

	request_revision(request->arguments, "revision", id);
	uint64_t ticket = control_hold(request);
	if (update_try(s, id, ticket, &err) < 0)
		control_refuse_held(&s->control, ticket, &err);
}

static void confirm(struct request *request)
{
	update(request, update_confirm);
}

static void rollback(struct request *request)
{
	update(request, update_rollback);
}

static void end(struct request *request, enum end how)
{
	char why[NAME_SIZE + 16];

	snprintf(why, sizeof why, "asked by %s", request->who);
	control_answer(request, NULL);
	supervisor_end(request->context, how, why);
}

static void reboot_device(struct request *request)
{
	end(request, END_RESTART);
}

static void power_off(struct request *request)
{
	end(request, END_POWER_OFF);
}

static void install(struct request *request)
{
	control_work(request, work_install, request->context);
}

static void put(struct request *request)
{
	control_work(request, work_put, request->context);
}

static void revisions(struct request *request)
{
	control_work(request, work_revisions, request->context);
}

static void gc(struct request *request)
{
	control_work(request, work_gc, request->context);
}

static void volumes(struct request *request)
{
	control_work(request, work_volumes, request->context);
}

static void identity(struct request *request)
{
	control_work(request, work_identity, request->context);
}

static void sbom(struct request *request)
{
	control_work(request, work_sbom, request->context);
}

const struct handlers device_handlers = {.of = {
	[VERB_VERSION] = say_version, [VERB_STATUS] = status,     [VERB_PS] = ps,
	[VERB_LOGS] = logs,	      [VERB_OBSERVE] = observe,	  [VERB_EXEC] = exec,	  [VERB_START] = start,
	[VERB_STOP] = stop,	      [VERB_RESTART] = restart,	  [VERB_INSTALL] = install,
	[VERB_PUT] = put,	      [VERB_TRY] = try,		  [VERB_CONFIRM] = confirm,
	[VERB_ROLLBACK] = rollback,   [VERB_REVISIONS] = revisions, [VERB_GC] = gc,
	[VERB_VOLUMES] = volumes,     [VERB_IDENTITY] = identity, [VERB_REBOOT] = reboot_device,
	[VERB_POWEROFF] = power_off,  [VERB_SBOM] = sbom,
}};

static verb_set granted(const struct layer *layer)
{
	verb_set set = 0;

	for (size_t i = 0; i < layer->control_count; i++) {
		enum verb verb = verb_find(layer->control[i]);
		// A verb of a newer product than this host means nothing here.
		if (verb < VERB_COUNT)
			set |= verb_bit(verb);
	}
	return set;
}

void handlers_open_port(struct supervisor *s)
{
	const char *port = s->cmdline->control;
	struct error err;
	char path[64];

	if (port[0] == '\0' || control_has_stream(&s->control, port))
		return;
	if (ports_find(port, path) < 0)
		return;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		console_line("control: %s: %s", path, strerror(errno));
	else if (control_add_stream(&s->control, fd, port, &err) < 0)
		console_line("control: %s", err.text);
	else
		console_line("control: open on %s", path);
}

static bool has_grant(const void *context, const char *name)
{
	const struct revision *revision = context;

	for (size_t i = 0; i < revision->layer_count; i++)
		if (revision->layers[i].container && strcmp(revision->layers[i].name, name) == 0)
			return granted(&revision->layers[i]) != 0;
	return false;
}

int handlers_listen(struct supervisor *s, struct error *err)
{
	const struct revision *revision = s->containers.now.revision;

	control_keep_containers(&s->control, has_grant, revision);
	for (size_t i = 0; i < revision->layer_count; i++) {
		const struct layer *layer = &revision->layers[i];
		if (has_grant(revision, layer->name) &&
		    control_listen_container(&s->control, layer->name, granted(layer), err) < 0)
			return -1;
	}
	return 0;
}
