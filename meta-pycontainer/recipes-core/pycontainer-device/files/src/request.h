// SPDX-License-Identifier: MIT
// One line of a client: a request, checked against the table of verbs.
#pragma once
#include "error.h"
#include "text.h"
#include "verbs.h"
#include <jansson.h>

#define ID_MOST 64

enum parsed {
	PARSED_REQUEST,	// every argument is there that must be, none that is unknown, each of its form
	PARSED_WRONG,	// a request, but `err` says why it cannot be served
	PARSED_INPUT,	// {"data": ...}, {"copy": ...} or {"end": ...}: what belongs to a request that may have ended
	PARSED_OTHER	// no request at all; `err` says why
};

// *object is to be freed with json_decref, NULL for PARSED_OTHER. *verb is VERB_COUNT when it is not known.
enum parsed request_parse(const char *line, size_t length, enum verb *verb, json_t **object, struct error *err);
// Check the arguments of a verb, however they came in.
int request_check(const json_t *object, enum verb verb, struct error *err);
// The text by which a client tells its answers from others', or NULL.
const json_t *request_id(const json_t *object);
// The digits of a revision argument, 4 to 64 of them; "" when it was not given.
void request_revision(const json_t *arguments, const char *name, char out[HEX_SIZE]);
