// SPDX-License-Identifier: MIT
// The device's state files, of foreign bytes.
#include "state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct trial_state trial;
	struct outcome outcome;
	struct error err;
	uint64_t floor;
	char revision[HEX_SIZE], *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (state_parse_floor(&floor, text, size, &err) == 0 && floor > INT64_MAX)
		__builtin_trap();
	if (state_parse_previous(revision, text, size, &err) == 0 && !text_is_hex64(revision))
		__builtin_trap();
	if (state_parse_trial(&trial, text, size, &err) == 0 &&
	    (!text_is_hex64(trial.revision) || !text_is_hex64(trial.from) || strlen(trial.reason) >= REASON_SIZE))
		__builtin_trap();
	if (state_parse_outcome(&outcome, text, size, &err) == 0 &&
	    (!text_is_hex64(outcome.revision) || strlen(outcome.reason) >= REASON_SIZE))
		__builtin_trap();
	free(text);
	return 0;
}
