// SPDX-License-Identifier: MIT
#include "observer_record.h"
#include "console.h"
#include "observed.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t record_epoch_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - (int64_t)clock_ms();
}

void record_line(struct container *container, json_t *line)
{
	char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
	struct error err;

	json_decref(line);
	if (text == NULL)
		return;
	size_t length = strlen(text);
	text[length] = '\n';
	if (log_write(&container->observed.log, text, length + 1, &err) < 0)
		console_line("record of %s: %s", container->layer->name, err.text);
	free(text);
}

void record_lost(struct container *container, uint64_t count)
{
	uint64_t now = clock_ms();
	char when[32];

	observed_time(record_epoch_ms() + (int64_t)now, when);
	record_line(container, json_pack("{s:s, s:I, s:s, s:s, s:I}", "time", when, "bootMs", (json_int_t)now, "layer",
					container->layer->name, "event", "lost", "count", (json_int_t)count));
}
