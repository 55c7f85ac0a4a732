// SPDX-License-Identifier: MIT
// The worker of the verb observe: what was written down of containers, each line the object that it is.
#include "handlers.h"
#include "json.h"
#include "logs.h"
#include "observed.h"
#include "supervisor.h"

#include <string.h>

static json_t *event_object(const char *text, size_t length, bool more)
{
	struct error ignored;

	// What a power cut left half written is none.
	return more ? NULL : json_object_parse(text, length, &ignored);
}

json_t *work_observe(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	const struct crew *crew = &s->containers.now;
	const char *names[LAYERS_MOST], *wanted = json_string_value(json_object_get(work->arguments, "container"));
	size_t count = 0;

	for (size_t i = 0; i < crew->revision->layer_count; i++) {
		const struct layer *layer = crew->each[i].layer;
		if (layer != NULL && observed_wanted(&layer->observe) != 0 && (wanted == NULL || strcmp(wanted, layer->name) == 0))
			names[count++] = layer->name;
	}
	if (count > 0)
		return logs_serve(work, OBSERVED_FOLDER, names, count, event_object, err);
	if (wanted == NULL)
		fail(err, "no container is observed: its product does not ask for it");
	else
		fail(err, "container %s is not observed: its product does not ask for it", wanted);
	return NULL;
}
