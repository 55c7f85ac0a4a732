// SPDX-License-Identifier: MIT
// What the steps of an update write into the notes.
#include "check.h"
#include "notes.h"
#include "sample.h"

static void test_numbers(void)
{
	struct notes notes = {.trial = {.revision = D("aaaa"), .from = D("bbbb"), .number = 7}, .outcome = {.number = 3}};

	// The outcome has the number of its trial, and has it still when it is written again after a power cut.
	notes_fail(&notes, D("aaaa"), D("bbbb"), false, 5, "it was not well");
	check(notes.trial.number == 7 && notes.trial.generation == 5 && strcmp(notes.trial.reason, "it was not well") == 0);
	for (int again = 0; again < 2; again++) {
		notes_end(&notes, D("aaaa"), false, "it was not well");
		check(notes.outcome.number == 7 && !notes.outcome.confirmed && strcmp(notes.outcome.revision, D("aaaa")) == 0);
	}
	notes_clear_trial(&notes);
	check(notes.trial.revision[0] == '\0');
	// The same failure of one that was not noted, or of another one than was, is another outcome.
	notes_end(&notes, D("aaaa"), false, "it was not well");
	check(notes.outcome.number == 8);
	notes.trial = (struct trial_state){.revision = D("cccc"), .number = 30};
	notes_end(&notes, D("aaaa"), true, "");
	check(notes.outcome.number == 9 && notes.outcome.confirmed);
}

static void test_confirmed(void)
{
	struct revision revision = {.id = D("aaaa"), .security_version = 4};
	struct notes notes = {.floor = 3};

	check(notes_confirm(&notes, &revision, "") && notes.floor == 4 && notes.previous[0] == '\0');
	check(!notes_confirm(&notes, &revision, "") && !notes_confirm(&notes, &revision, D("aaaa")));
	revision.security_version = 2;
	check(notes_confirm(&notes, &revision, D("bbbb")) && notes.floor == 4 && strcmp(notes.previous, D("bbbb")) == 0);
}

int main(void)
{
	test_numbers();
	test_confirmed();
	return check_result("notes");
}
