// SPDX-License-Identifier: MIT
// pycontainerctl: the client of the control socket, an ordinary program.
#pragma once
#include "error.h"
#include "link.h"
#include "verbs.h"
#include <jansson.h>
#include <stdbool.h>

enum ctl_exit { CTL_OK = 0, CTL_USAGE = 2, CTL_REFUSED = 5, CTL_UNREACHABLE = 75 };

struct ctl {
	bool json;		// the objects as they come
	bool terminal;		// standard output is one: nothing of the device may steer it
	bool progress;		// standard error is one
	enum verb verb;
	struct link link;
};

int ctl_main(int argc, char *argv[]);

// ctl_words.c: the words of a command line as a request, by the table of verbs; NULL with an error. For put, the
// first word is a file, whose digest and size go into the request; *file is it, open.
json_t *ctl_request(enum verb verb, char *const words[], size_t count, int *file, struct error *err);
// The words that a verb takes, for the help.
void ctl_synopsis(enum verb verb, char *out, size_t size);

// ctl_stream.c: conversations; -1 with an error when no final object came.
int ctl_converse(struct ctl *ctl, json_t **final, struct error *err);
int ctl_exec(struct ctl *ctl, json_t **final, struct error *err);
int ctl_put(struct ctl *ctl, int file, json_t **final, struct error *err);
// Standard input to the socket, and the socket to standard output, until one ends.
int ctl_relay(struct ctl *ctl, struct error *err);

// ctl_show.c: what came, for a person.
void ctl_show_line(const struct ctl *ctl, const json_t *object);
void ctl_show_progress(const struct ctl *ctl, const json_t *progress);
void ctl_show_final(const struct ctl *ctl, const json_t *final);
