// SPDX-License-Identifier: MIT
#include "conditions.h"
#include "console.h"
#include "supervisor.h"
#include "tcp.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_MOST (2 * CONDITIONS_MOST + 1)	// those of a revision, and one of ours
_Static_assert(2 * CONDITIONS_MOST <= sizeof((struct job_result){0}.flags), "a job tells of all of them");

#define INTERVAL_MS 1000
#define REACH_MS 3000

// A container wrote it, so it may be anything: no link is followed, and a pipe does not hold us up.
static bool has_file(const struct file_condition *file)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	struct stat status;
	char folder[200];

	snprintf(folder, sizeof folder, "/run/pycontainer/volumes/%s/%s", file->layer->name, file->volume->name);
	int volume = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = volume < 0 ? -1 : (int)syscall(SYS_openat2, volume, file->path, &how, sizeof how);
	bool found = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	if (fd >= 0)
		close(fd);
	if (volume >= 0)
		close(volume);
	return found;
}

static bool reaches(const struct reach_condition *place)
{
	struct error err;
	int fd = tcp_connect(place->address, place->port, clock_ms() + REACH_MS, &err);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int run(void *argument, struct job_result *out, struct error *err)
{
	const struct revision *revision = argument;

	(void)err;
	for (size_t i = 0; i < revision->file_count; i++)
		out->flags[i] = has_file(&revision->files[i]);
	for (size_t i = 0; i < revision->reach_count; i++)
		out->flags[revision->file_count + i] = reaches(&revision->reachable[i]);
	return 0;
}

static void looked(void *context, const struct job_result *result)
{
	struct supervisor *s = context;

	s->update.conditions_ms = clock_ms();
	for (size_t i = 0; i < 2 * CONDITIONS_MOST; i++)
		s->update.held[i] = result->status == 0 && result->flags[i] != 0;
}

uint64_t conditions_look(struct supervisor *s, uint64_t now)
{
	struct update *u = &s->update;
	struct revision *revision = s->containers.now.revision;
	struct error err;

	if (revision->file_count + revision->reach_count == 0)
		return UINT64_MAX;
	if (u->conditions.process > 0)
		return UINT64_MAX;
	if (now >= u->conditions_ms + INTERVAL_MS) {
		if (job_start(&u->conditions, "conditions", run, revision, looked, s, &err) == 0)
			return UINT64_MAX;
		console_line("trial: %s", err.text);
		u->conditions_ms = now;
	}
	return u->conditions_ms + INTERVAL_MS;
}

static enum trial_life life_of(const struct container *container)
{
	switch (container->state) {
	case STATE_RUNNING:
		return TRIAL_UP;
	case STATE_DONE:
		return TRIAL_DONE;
	case STATE_FAILED:
		return TRIAL_GIVEN_UP;
	default:
		return TRIAL_DOWN;
	}
}

static size_t describe_containers(const struct crew *crew, struct trial_container out[LAYERS_MOST])
{
	size_t count = 0;

	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		const struct container *c = &crew->each[i];
		if (c->layer == NULL)
			continue;
		bool checked = c->layer->health.kind != HEALTH_NONE;
		out[count++] = (struct trial_container){
			.name = c->layer->name,
			.required = true,
			.life = life_of(c),
			.has_health = checked,
			.healthy = c->health.state == HEALTH_HEALTHY,
			.up_since_ms = c->health.since,
			.healthy_for_ms = c->layer->healthy_for_ms,
			.restarts = c->restarts,
			.max_restarts = c->layer->max_restarts,
		};
	}
	return count;
}

enum trial_verdict conditions_decide(const struct supervisor *s, uint64_t now, struct trial_decision *out)
{
	// Too much for a stack that other code may be deep in.
	static struct trial_container containers[LAYERS_MOST];
	static struct trial_condition conditions[ALL_MOST];
	static char names[ALL_MOST][TRIAL_TEXT];
	const struct revision *revision = s->containers.now.revision;
	const struct update *u = &s->update;
	size_t count = 0;

	for (size_t i = 0; i < revision->file_count; i++, count++)
		snprintf(names[count], TRIAL_TEXT, "file %s of layer %s", revision->files[i].path, revision->files[i].layer->name);
	for (size_t i = 0; i < revision->reach_count; i++, count++)
		snprintf(names[count], TRIAL_TEXT, "address %s port %u", revision->reachable[i].address,
			 revision->reachable[i].port);
	for (size_t i = 0; i < count; i++)
		conditions[i] = (struct trial_condition){names[i], u->held[i]};
	conditions[count++] = (struct trial_condition){"its ports and control sockets", s->retry_ms == 0};
	struct trial trial = {
		.now_ms = now,
		.started_ms = u->began_ms,
		.timeout_ms = revision->confirm_timeout_ms,
		.manual = revision->confirm_manual,
		.manual_confirmed = u->manual_confirmed,
		.container_count = describe_containers(&s->containers.now, containers),
		.containers = containers,
		.condition_count = count,
		.conditions = conditions,
	};
	return trial_decide(&trial, out);
}
