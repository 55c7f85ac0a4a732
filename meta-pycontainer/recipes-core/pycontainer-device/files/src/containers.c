// SPDX-License-Identifier: MIT
#include "containers.h"
#include "order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int containers_init(struct containers *all, const struct revision *revision, struct error *err)
{
	all->revision = revision;
	all->each = calloc(revision->layer_count + 1, sizeof *all->each);
	all->flags = calloc(revision->layer_count + 1, sizeof *all->flags);
	if (all->each == NULL || all->flags == NULL)
		return fail_errno(err, "containers");
	for (size_t i = 0; i < revision->layer_count; i++) {
		all->each[i] = (struct container){.state = STATE_STOPPED, .deadline = UINT64_MAX};
		if (revision->layers[i].container && container_init(&all->each[i], &revision->layers[i], err) < 0)
			return -1;
	}
	return 0;
}

static bool is_up(const struct container *container)
{
	return container->state == STATE_RUNNING || container->state == STATE_DONE;
}

void containers_start(struct containers *all)
{
	for (size_t i = 0; i < all->revision->layer_count; i++)
		all->flags[i] = is_up(&all->each[i]);
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].state == STATE_WAITING && order_may_start(all->revision, i, all->flags))
			container_start(&all->each[i]);
}

void containers_stop(struct containers *all)
{
	for (size_t i = 0; i < all->revision->layer_count; i++) {
		struct container *c = &all->each[i];
		if (c->state == STATE_WAITING || c->state == STATE_PAUSED || c->state == STATE_DONE || c->state == STATE_FAILED)
			c->state = STATE_STOPPED;
		all->flags[i] = c->state == STATE_STOPPED;
	}
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].state == STATE_RUNNING && order_may_stop(all->revision, i, all->flags))
			container_stop(&all->each[i]);
}

bool containers_ready(const struct containers *all, char *names, size_t size)
{
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < all->revision->layer_count; i++) {
		const struct layer *layer = &all->revision->layers[i];
		if (!layer->container)
			continue;
		if (!is_up(&all->each[i]))
			return false;
		if (all->each[i].state == STATE_RUNNING && used + strlen(layer->name) + 2 < size)
			used += (size_t)snprintf(names + used, size - used, "%s ", layer->name);
	}
	return true;
}

bool containers_stopped(const struct containers *all)
{
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].state != STATE_STOPPED)
			return false;
	return true;
}

void containers_add_end(struct containers *all, pid_t pid, int status)
{
	if (all->end_count == ENDS_MOST)
		memmove(all->ends, all->ends + 1, --all->end_count * sizeof *all->ends);
	all->ends[all->end_count].pid = pid;
	all->ends[all->end_count++].status = status;
}

// Offer every end to the containers; those that took it leave the list.
static void hand_out(struct containers *all, bool (*handle)(struct container *, pid_t, int))
{
	size_t kept = 0;

	for (size_t e = 0; e < all->end_count; e++) {
		bool taken = false;
		for (size_t i = 0; i < all->revision->layer_count && !taken; i++)
			taken = handle(&all->each[i], all->ends[e].pid, all->ends[e].status);
		if (!taken)
			all->ends[kept++] = all->ends[e];
	}
	all->end_count = kept;
}

static bool any_starting(const struct containers *all)
{
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].state == STATE_STARTING)
			return true;
	return false;
}

// A container's first process becomes our child, and may end, before the crun that started it has ended and we know
// its number. So helpers come first, and ends that belong to nobody are kept as long as any container is starting.
void containers_match_ends(struct containers *all)
{
	hand_out(all, container_helper_ended);
	hand_out(all, container_init_ended);
	if (!any_starting(all))
		all->end_count = 0;
}

uint64_t containers_deadline(const struct containers *all)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].deadline < first)
			first = all->each[i].deadline;
	return first;
}

void containers_act(struct containers *all, uint64_t now)
{
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->each[i].deadline <= now)
			container_deadline(&all->each[i]);
}

void containers_close(struct containers *all)
{
	for (size_t i = 0; i < all->revision->layer_count; i++)
		if (all->revision->layers[i].container) {
			container_output(&all->each[i]);
			log_close(&all->each[i].log);
		}
}
