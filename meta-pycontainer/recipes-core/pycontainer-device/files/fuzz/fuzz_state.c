// SPDX-License-Identifier: MIT
// The device's notes, of foreign bytes: as they are, and as a line whose hash is right.
#include "state.h"
#include "verity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void decode(const char *text, size_t size)
{
	static char copy[STATE_COPY];
	struct notes notes, again;
	struct error err;

	if (state_decode(&notes, text, size, &err) < 0)
		return;
	if (notes.generation < 1 || notes.floor > INT64_MAX || (notes.previous[0] != '\0' && !text_is_hex64(notes.previous)))
		__builtin_trap();
	if (notes.trial.revision[0] != '\0' &&
	    (!text_is_hex64(notes.trial.revision) || !text_is_hex64(notes.trial.from) || notes.trial.number < 1 ||
	     strlen(notes.trial.reason) >= REASON_SIZE))
		__builtin_trap();
	if (notes.outcome.revision[0] != '\0' &&
	    (!text_is_hex64(notes.outcome.revision) || strlen(notes.outcome.reason) >= REASON_SIZE))
		__builtin_trap();
	// What was read can be written, and read again.
	if (state_encode(copy, &notes, &err) < 0 || state_decode(&again, copy, sizeof copy, &err) < 0 ||
	    again.generation != notes.generation || again.trial.number != notes.trial.number)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(HEX_SIZE + size + 2);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	decode(text, size);
	hash_bytes(text, data, size);
	text[HEX_SIZE - 1] = ' ';
	memcpy(text + HEX_SIZE, data, size);
	memcpy(text + HEX_SIZE + size, "\n", 2);
	decode(text, HEX_SIZE + size + 1);
	free(text);
	return 0;
}
