// SPDX-License-Identifier: MIT
// Lines over a descriptor that never blocks: bounded both ways, for the server and its clients.
#pragma once
#include "error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LINE_MOST (128u * 1024)		// of a line, its newline included
#define OUTPUT_MOST (2u * LINE_MOST)	// that wait for a reader

// What came in and was not taken yet. One block without pointers: the server shares it with a worker process.
struct input {
	size_t start, scanned, used;	// what waits is bytes[start..used); up to scanned it has no newline
	bool skipping;			// a line was too long: its rest goes too
	char bytes[LINE_MOST];
};

struct lines {
	int fd;
	struct input *input;
	char *output;			// what waits is output[sent..queued)
	size_t sent, queued, room;
};

enum received {
	RECEIVED_SOME,	// bytes; there may be more
	RECEIVED_NONE,	// nothing is there now
	RECEIVED_END,	// the other side ended what it sends
	RECEIVED_BROKEN	// errno tells why
};

void lines_init(struct lines *lines, int fd, struct input *input);
// Free what waits for a reader; neither the descriptor nor the input.
void lines_drop_output(struct lines *lines);
void lines_drop_input(struct lines *lines);
// Read once, as much as there is room for. Lines that are complete are taken first, or there may be no room.
enum received lines_receive(struct lines *lines);
// The next complete line, its newline left out; it stays where it is until the next lines_receive. Returns 1; 0 when
// there is none; -1 once for each line that is too long.
int lines_next(struct lines *lines, const char **line, size_t *length);
// The line that lines_next handed out last waits again.
void lines_unread(struct lines *lines, const char *line);
// Queue an object as a line. -1: it is longer than a line may be, or more waits than may.
int lines_put(struct lines *lines, const json_t *object, struct error *err);
// Queue the end of a line that another process left half written.
int lines_put_newline(struct lines *lines, struct error *err);
// Write what waits. Returns 1 when all is written, 0 when the reader takes no more now, -1 when there is none.
int lines_flush(struct lines *lines);
// Another process had the input: are its numbers possible?
bool input_valid(const struct input *input);
