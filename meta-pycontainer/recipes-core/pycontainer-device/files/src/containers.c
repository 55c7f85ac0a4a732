// SPDX-License-Identifier: MIT
#include "containers.h"
#include "checkup.h"
#include "console.h"
#include "crun.h"
#include "io_limit.h"
#include "observed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_volumes(const struct layer *a, const struct layer *b)
{
	if (a->volume_count != b->volume_count)
		return false;
	for (size_t i = 0; i < a->volume_count; i++) {
		const struct volume *x = &a->volumes[i], *y = &b->volumes[i];
		// One that belongs to the revision is another one in another revision.
		if (x->kind == VOLUME_REVISION || x->kind != y->kind || strcmp(x->name, y->name) != 0)
			return false;
	}
	return true;
}

bool containers_same_bundle(const struct layer *a, const struct layer *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->rootfs->digest, b->rootfs->digest) == 0 &&
	       strcmp(a->run_config->digest, b->run_config->digest) == 0;
}

bool containers_keep(const struct layer *before, const struct layer *after)
{
	return containers_same_bundle(before, after) && same_volumes(before, after);
}

static const struct layer *find_layer(const struct revision *revision, const char *name)
{
	for (size_t i = 0; i < revision->layer_count; i++)
		if (revision->layers[i].container && strcmp(revision->layers[i].name, name) == 0)
			return &revision->layers[i];
	return NULL;
}

// Let a container of the revision before go on as one of the new revision.
static void take_over(struct container *to, struct container *from, const struct layer *layer)
{
	struct error err;

	container_close(to);
	*to = *from;
	to->layer = layer;
	log_limit(&to->log, layer->log_bytes, layer->log_files);
	log_limit(&to->observed.log, layer->log_bytes, layer->log_files);
	// One that does not run yet gets them when it starts.
	if (to->init > 0 && io_limit_change(from->layer, layer, &err) < 0)
		console_line("container %s: %s", layer->name, err.text);
	// What it does from now on is its own program's doing, whose start was not watched.
	to->observed.began = to->observed.began || observed_wanted(&from->layer->observe) == 0;
	// The new revision may mean something else by healthy, and its trial wants to see it for itself.
	if (to->state == STATE_RUNNING)
		checkup_again(to, clock_ms());
	*from = (struct container){.state = STATE_STOPPED, .deadline = UINT64_MAX};
}

// One that is starting, of which nothing was watched and now is: whether that is the runtime's doing or its program's nobody knows.
static bool begins_unseen(const struct container *before, const struct layer *layer)
{
	return before->state == STATE_STARTING && observed_wanted(&before->layer->observe) == 0 &&
	       observed_wanted(&layer->observe) != 0;
}

int containers_switch(struct containers *all, struct revision *next, struct error *err)
{
	struct crew crew;

	if (all->former.revision != NULL)
		return fail(err, "containers of the revision before are still being stopped");
	if (crew_init(&crew, next, false, err) < 0)
		return -1;
	for (size_t i = 0; i < next->layer_count; i++) {
		struct container *before = next->layers[i].container ? crew_find(&all->now, next->layers[i].name) : NULL;
		// One that was given up, or stopped by hand, is started anew all the same.
		if (before != NULL && before->state != STATE_FAILED && before->state != STATE_STOPPED &&
		    containers_keep(before->layer, &next->layers[i]) && !begins_unseen(before, &next->layers[i]))
			take_over(&crew.each[i], before, &next->layers[i]);
		crew.each[i].restarts = 0;
	}
	all->former = all->now;
	all->now = crew;
	return 0;
}

bool containers_settled(const struct containers *all)
{
	return all->former.revision == NULL;
}

// Give back what the former revision's containers held, each as soon as it is stopped: its successor needs the place.
static void retire(struct containers *all)
{
	struct crew *former = &all->former;
	bool any = false;

	if (former->revision == NULL)
		return;
	for (size_t i = 0; i < former->revision->layer_count; i++) {
		struct container *c = &former->each[i];
		if (c->layer == NULL)
			continue;
		if (c->state != STATE_STOPPED) {
			any = true;
			continue;
		}
		container_close(c);
		const struct layer *successor = find_layer(all->now.revision, c->layer->name);
		if (successor == NULL || !containers_same_bundle(successor, c->layer))
			crun_forget(c->layer);
		c->layer = NULL;
	}
	if (!any)
		crew_free(former);
}

// A container waits for the one whose name and place it takes; one with a new name for all that have no successor, whose
// ports and devices it may want.
static bool held(const void *context, const struct layer *layer)
{
	const struct containers *all = context;
	const struct crew *former = &all->former;

	if (former->revision == NULL)
		return false;
	if (find_layer(former->revision, layer->name) != NULL)
		return crew_find(former, layer->name) != NULL;
	for (size_t i = 0; i < former->revision->layer_count; i++)
		if (former->each[i].layer != NULL && find_layer(all->now.revision, former->each[i].layer->name) == NULL)
			return true;
	return false;
}

void containers_start(struct containers *all)
{
	crew_stop(&all->former, THEN_STAY);
	retire(all);
	crew_start(&all->now, held, all);
}

void containers_stop(struct containers *all)
{
	crew_stop(&all->former, THEN_END);
	crew_stop(&all->now, THEN_END);
}

bool containers_ready(const struct containers *all, char *names, size_t size)
{
	const struct crew *now = &all->now;
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < now->revision->layer_count; i++) {
		const struct container *c = &now->each[i];
		if (c->layer == NULL)
			continue;
		if (!container_is_up(c))
			return false;
		if (c->state == STATE_RUNNING && used + strlen(c->layer->name) + 2 < size)
			used += (size_t)snprintf(names + used, size - used, "%s ", c->layer->name);
	}
	return true;
}

bool containers_stopped(const struct containers *all)
{
	return crew_stopped(&all->now) && crew_stopped(&all->former);
}

void containers_add_end(struct containers *all, pid_t pid, int status)
{
	if (all->end_count == ENDS_MOST)
		memmove(all->ends, all->ends + 1, --all->end_count * sizeof *all->ends);
	all->ends[all->end_count].pid = pid;
	all->ends[all->end_count++].status = status;
}

static bool hand_to(struct crew *crew, pid_t pid, int status, bool (*handle)(struct container *, pid_t, int))
{
	for (size_t i = 0; crew->revision != NULL && i < crew->revision->layer_count; i++)
		if (crew->each[i].layer != NULL && handle(&crew->each[i], pid, status))
			return true;
	return false;
}

// Offer every end to the containers; those that took it leave the list.
static void hand_out(struct containers *all, bool (*handle)(struct container *, pid_t, int))
{
	size_t kept = 0;

	for (size_t e = 0; e < all->end_count; e++)
		if (!hand_to(&all->now, all->ends[e].pid, all->ends[e].status, handle) &&
		    !hand_to(&all->former, all->ends[e].pid, all->ends[e].status, handle))
			all->ends[kept++] = all->ends[e];
	all->end_count = kept;
}

static bool any_starting(const struct crew *crew)
{
	for (size_t i = 0; crew->revision != NULL && i < crew->revision->layer_count; i++)
		if (crew->each[i].state == STATE_STARTING)
			return true;
	return false;
}

// A container's first process becomes our child, and may end, before the crun that started it has ended and we know
// its number. So helpers come first, and ends that belong to nobody are kept as long as any container is starting.
void containers_match_ends(struct containers *all)
{
	hand_out(all, container_helper_ended);
	hand_out(all, container_init_ended);
	hand_out(all, checkup_ended);
	if (!any_starting(&all->now) && !any_starting(&all->former))
		all->end_count = 0;
}

static uint64_t first_deadline(const struct crew *crew, uint64_t first)
{
	for (size_t i = 0; crew->revision != NULL && i < crew->revision->layer_count; i++) {
		const struct container *c = &crew->each[i];
		if (c->deadline < first)
			first = c->deadline;
		if (c->layer != NULL && c->health_due < first)
			first = c->health_due;
	}
	return first;
}

uint64_t containers_deadline(const struct containers *all)
{
	return first_deadline(&all->now, first_deadline(&all->former, UINT64_MAX));
}

void containers_act(struct containers *all, uint64_t now)
{
	struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++) {
			struct container *c = &crews[k]->each[i];
			if (c->layer != NULL && c->health_due <= now)
				checkup_due(c, now);
			if (c->deadline <= now)
				container_deadline(c, crews[k]->revision);
		}
}

struct container *containers_by_output(const struct containers *all, int fd)
{
	const struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++)
			if (crews[k]->each[i].layer != NULL && crews[k]->each[i].output[0] == fd)
				return &crews[k]->each[i];
	return NULL;
}

void containers_close(struct containers *all)
{
	struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++)
			if (crews[k]->each[i].layer != NULL) {
				container_output(&crews[k]->each[i]);
				log_close(&crews[k]->each[i].log);
				log_close(&crews[k]->each[i].observed.log);
			}
}
