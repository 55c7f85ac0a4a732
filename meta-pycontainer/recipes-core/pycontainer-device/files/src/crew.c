// SPDX-License-Identifier: MIT
#include "crew.h"
#include "order.h"

#include <stdlib.h>
#include <string.h>

static int init_each(struct crew *crew, bool bound, struct error *err)
{
	const struct revision *revision = crew->revision;

	if (crew->each == NULL || crew->flags == NULL || crew->done == NULL)
		return fail_errno(err, "containers");
	for (size_t i = 0; i < revision->layer_count; i++)
		crew->each[i] = (struct container){.state = STATE_STOPPED, .deadline = UINT64_MAX};
	for (size_t i = 0; i < revision->layer_count; i++) {
		if (!revision->layers[i].container)
			continue;
		if (container_init(&crew->each[i], &revision->layers[i], err) < 0)
			return -1;
		crew->each[i].bound = bound;
	}
	return 0;
}

int crew_init(struct crew *crew, struct revision *revision, bool bound, struct error *err)
{
	*crew = (struct crew){.revision = revision};
	crew->each = calloc(revision->layer_count + 1, sizeof *crew->each);
	crew->flags = calloc(revision->layer_count + 1, sizeof *crew->flags);
	crew->done = calloc(revision->layer_count + 1, sizeof *crew->done);
	if (init_each(crew, bound, err) == 0)
		return 0;
	// It stays the caller's.
	crew->revision = NULL;
	for (size_t i = 0; crew->each != NULL && i < revision->layer_count; i++)
		if (crew->each[i].layer != NULL)
			container_close(&crew->each[i]);
	free(crew->each);
	free(crew->flags);
	free(crew->done);
	*crew = (struct crew){0};
	return -1;
}

void crew_free(struct crew *crew)
{
	if (crew->revision == NULL)
		return;
	for (size_t i = 0; i < crew->revision->layer_count; i++)
		if (crew->each[i].layer != NULL)
			container_close(&crew->each[i]);
	revision_free(crew->revision);
	free(crew->revision);
	free(crew->each);
	free(crew->flags);
	free(crew->done);
	*crew = (struct crew){0};
}

void crew_start(struct crew *crew, bool (*held)(const void *context, const struct layer *layer), const void *context)
{
	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		crew->flags[i] = container_is_up(&crew->each[i]);
		crew->done[i] = crew->each[i].state == STATE_DONE;
	}
	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		struct container *c = &crew->each[i];
		if (c->layer != NULL && c->state == STATE_WAITING && !held(context, c->layer) &&
		    order_may_start(crew->revision, i, crew->flags, crew->done))
			container_start(c, crew->revision);
	}
}

// One that does not run needs nothing of the others.
static bool is_at_rest(const struct container *container)
{
	return container->state == STATE_WAITING || container->state == STATE_PAUSED || container->state == STATE_DONE ||
	       container->state == STATE_FAILED;
}

void crew_stop(struct crew *crew, enum then then)
{
	if (crew->revision == NULL)
		return;
	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		struct container *c = &crew->each[i];
		if (is_at_rest(c) || c->state == STATE_CLEANING)
			container_stop(c, then);
		crew->flags[i] = c->state == STATE_STOPPED;
	}
	for (size_t i = 0; i < crew->revision->layer_count; i++)
		if (crew->each[i].state == STATE_RUNNING && order_may_stop(crew->revision, i, crew->flags))
			container_stop(&crew->each[i], then);
}

bool crew_stopped(const struct crew *crew)
{
	for (size_t i = 0; crew->revision != NULL && i < crew->revision->layer_count; i++)
		if (crew->each[i].state != STATE_STOPPED)
			return false;
	return true;
}

struct container *crew_find(const struct crew *crew, const char *name)
{
	for (size_t i = 0; crew->revision != NULL && i < crew->revision->layer_count; i++)
		if (crew->each[i].layer != NULL && strcmp(crew->each[i].layer->name, name) == 0)
			return &crew->each[i];
	return NULL;
}

const char *crew_lost(const struct crew *crew)
{
	for (size_t i = 0; i < crew->revision->layer_count; i++)
		if (crew->each[i].layer != NULL && crew->each[i].layer->required && crew->each[i].state == STATE_FAILED)
			return crew->each[i].layer->name;
	return NULL;
}
