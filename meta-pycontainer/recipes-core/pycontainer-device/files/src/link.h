// SPDX-License-Identifier: MIT
// A client's side of the control protocol.
#pragma once
#include "error.h"
#include "lines.h"
#include <jansson.h>

struct link {
	struct lines lines;	// over a non-blocking socket
};

// Connect; -1 also when nobody may or can answer.
int link_open(struct link *link, const char *path, struct error *err);
void link_close(struct link *link);
// Queue an object, which is freed, and write what the server takes now.
int link_put(struct link *link, json_t *object, struct error *err);
// The next object that is there already, or NULL without an error.
int link_next(struct link *link, json_t **object, struct error *err);
// Read what is there. -1: the server ended the connection.
int link_read(struct link *link, struct error *err);
// Write what waits and read, until there is something to take or room to put. For a poll of one's own: poll_fd.
int link_wait(struct link *link, struct error *err);
// What a poll shall wait for.
short link_events(const struct link *link);
bool link_is_final(const json_t *object);
