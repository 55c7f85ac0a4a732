// SPDX-License-Identifier: MIT
#include "notes.h"

#include <stdio.h>
#include <string.h>

void notes_end(struct notes *notes, const char *id, bool confirmed, const char *reason)
{
	struct outcome outcome = {.confirmed = confirmed, .number = notes->outcome.number + 1};

	if (strcmp(notes->trial.revision, id) == 0)
		outcome.number = notes->trial.number;
	memcpy(outcome.revision, id, sizeof outcome.revision);
	snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
	notes->outcome = outcome;
}

void notes_clear_trial(struct notes *notes)
{
	memset(&notes->trial, 0, sizeof notes->trial);
}

bool notes_confirm(struct notes *notes, const struct revision *revision, const char *from)
{
	bool higher = revision->security_version > notes->floor;
	bool other = from[0] != '\0' && strcmp(from, revision->id) != 0;

	if (higher)
		notes->floor = revision->security_version;
	if (other)
		memcpy(notes->previous, from, sizeof notes->previous);
	return higher || other;
}

void notes_fail(struct notes *notes, const char *id, const char *from, bool live, uint32_t generation, const char *reason)
{
	struct trial_state trial = {.live = live, .generation = generation, .number = notes->outcome.number + 1};

	if (strcmp(notes->trial.revision, id) == 0)
		trial.number = notes->trial.number;
	memcpy(trial.revision, id, sizeof trial.revision);
	memcpy(trial.from, from, sizeof trial.from);
	snprintf(trial.reason, sizeof trial.reason, "%s", reason);
	notes->trial = trial;
}
