// SPDX-License-Identifier: MIT
#include "transaction.h"
#include "boot.h"
#include "change.h"
#include "esp.h"
#include "record.h"
#include "installed.h"
#include "notes.h"
#include "proof.h"
#include "state.h"
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_record(struct job_result *out, const struct record *record)
{
	memcpy(out->id, record->rev, sizeof out->id);
	memcpy(out->other, record->attempt, sizeof out->other);
	out->number[RESULT_GENERATION] = record->generation;
	out->number[RESULT_LEFT] = record->left;
}

static int clear_record(struct transaction *t, struct record *record, struct error *err)
{
	record->attempt[0] = '\0';
	record->left = 0;
	return record_store(t->esp, record, err) < 0 ? -1 : 0;
}

// Keep the first failure of several steps that are all to be made.
static int first_failure(int before, int result, struct error *first, const struct error *now)
{
	if (result >= 0 || before < 0)
		return before;
	*first = *now;
	return -1;
}

// The boot record cannot be read, and yet the boot loader has started a revision to try it: whatever keeps the record from
// us would keep the trial from ever ending.
static bool is_blind_trial(const struct notes *notes, const char *running)
{
	if (notes->trial.live || strcmp(notes->trial.revision, running) != 0)
		return false;
	return !notes->outcome.confirmed || strcmp(notes->outcome.revision, running) != 0;
}

// Absent notes are made, so that a later change is a write in place; damaged ones, which tell nothing and would for ever,
// are made anew.
static int finish(struct transaction *t, const struct boot *boot, struct notes *notes, bool readable,
		  const struct revision *running, struct record *record, struct error *err)
{
	const char *result = boot_result(boot->kind);
	bool changed = notes->generation == 0 || (boot->clear_trial && !boot->clear_record);
	struct error now;
	int failed = 0;

	if (result != NULL) {
		notes_end(notes, boot->revision, strcmp(result, "confirmed") == 0, boot->reason);
		changed = true;
	}
	if ((boot->kind == BOOT_NORMAL || boot->kind == BOOT_CONFIRMED) &&
	    notes_confirm(notes, running, boot->kind == BOOT_CONFIRMED ? notes->trial.from : ""))
		changed = true;
	// The outcome before the record, which else might be all that tells of it; the trial is noted until both are done.
	if (boot->clear_trial && !boot->clear_record)
		notes_clear_trial(notes);
	if (readable && changed)
		failed = first_failure(failed, state_store(t->storage, notes, &now), err, &now);
	if (boot->clear_record)
		failed = first_failure(failed, clear_record(t, record, &now), err, &now);
	if (boot->clear_trial && boot->clear_record && failed == 0) {
		notes_clear_trial(notes);
		failed = first_failure(failed, state_store(t->storage, notes, &now), err, &now);
	}
	return failed;
}

int transaction_settle(struct transaction *t, const struct revision *running, struct job_result *out, struct error *err)
{
	struct error problem = {""}, now;
	struct record record = {0};
	struct notes notes;
	struct boot boot;
	int which, failed = 0;
	bool managed = t->esp != NULL && record_load(t->esp, &record, &which, &problem) == 0;
	bool readable = state_load(t->storage, &notes, &now) == 0;
	bool noted = notes.trial.revision[0] != '\0';

	if (!readable)
		failed = first_failure(failed, -1, err, &now);
	boot_outcome(&boot, running->id, managed ? &record : NULL, noted ? &notes.trial : NULL);
	out->flags[RESULT_MANAGED] = managed && boot.kind != BOOT_UNKNOWN;
	out->flags[RESULT_TRIAL] = boot.kind == BOOT_TRIAL;
	out->flags[RESULT_LEAVE] = boot.kind == BOOT_REJECTED || (!managed && noted && is_blind_trial(&notes, running->id));
	failed = first_failure(failed, finish(t, &boot, &notes, readable, running, &record, &now), err, &now);
	if (managed)
		failed = first_failure(failed, record_mend(t->esp, &now), err, &now);
	if (t->esp != NULL && !managed)
		snprintf(out->text, sizeof out->text, "no boot record: %s", problem.text);
	if (boot.reason[0] != '\0')
		snprintf(out->text, sizeof out->text, "revision %.12s: %s", boot.revision, boot.reason);
	if (managed)
		put_record(out, &record);
	return failed;
}

static int find_revision(struct transaction *t, const char *given, char id[HEX_SIZE], struct error *err)
{
	if (given[0] != '\0')
		return installed_find(t->storage, given, id, err);
	struct notes notes;
	if (state_load(t->storage, &notes, err) < 0)
		return -1;
	memcpy(id, notes.previous, HEX_SIZE);
	return id[0] != '\0' ? 0 : fail(err, "no revision was confirmed before this one");
}

static int check_floor(struct transaction *t, const struct revision *revision, const struct revision *confirmed,
		       struct error *err)
{
	uint64_t floor;

	if (state_floor(t->storage, t->facts, confirmed->security_version, &floor, err) < 0)
		return -1;
	if (revision->security_version < floor)
		return fail(err, "its security version is %" PRIu64 ", this device accepts none below %" PRIu64,
			    revision->security_version, floor);
	return 0;
}

static int announce(struct transaction *t, const struct revision *next, const char *from, struct record *record,
		    bool live, struct error *err)
{
	struct notes notes;

	if (state_load(t->storage, &notes, err) < 0)
		return -1;
	uint64_t last = notes.trial.number > notes.outcome.number ? notes.trial.number : notes.outcome.number;
	notes.trial = (struct trial_state){.live = live, .generation = record->generation + !live, .number = last + 1};
	memcpy(notes.trial.revision, next->id, sizeof notes.trial.revision);
	memcpy(notes.trial.from, from, sizeof notes.trial.from);
	// The boot loader does not replay the journal: all that it will read must be where it looks.
	if (!live && t->storage->calls->checkpoint(t->storage) < 0)
		return fail_errno(err, "storage");
	if (state_store(t->storage, &notes, err) < 0)
		return -1;
	if (live)
		return 0;
	memcpy(record->attempt, next->id, sizeof record->attempt);
	record->left = RECORD_TRIES;
	if (record_store(t->esp, record, err) >= 0)
		return 0;
	// It may have been written all the same, and nobody waits for that trial.
	struct error ignored;
	notes_clear_trial(&notes);
	if (clear_record(t, record, &ignored) == 0)
		state_store(t->storage, &notes, &ignored);
	return fail_in(err, "boot record");
}

int transaction_prepare(struct transaction *t, const char *given, const struct revision *running, struct job_result *out,
			struct error *err)
{
	struct revision next = {0};
	struct record record;
	char id[HEX_SIZE];
	int which, result = -1;

	if (t->esp == NULL)
		return fail(err, "this device has no boot record");
	if (find_revision(t, given, id, err) < 0)
		return -1;
	if (strcmp(id, running->id) == 0)
		return fail(err, "revision %.12s runs already", id);
	if (store_load_from(&next, t->storage, id, t->facts, err) >= 0 && check_floor(t, &next, running, err) == 0 &&
	    proof_all(t->storage, &next, err) == 0 && record_load(t->esp, &record, &which, err) == 0) {
		bool live = change_is_live(running, &next);
		if (live)
			proof_warm(t->storage, &next, running);
		result = announce(t, &next, running->id, &record, live, err);
		put_record(out, &record);
		memcpy(out->id, id, sizeof out->id);
		out->flags[RESULT_LIVE] = live;
	}
	revision_free(&next);
	return result < 0 ? fail_in(err, "revision %.12s", id) : 0;
}

static int update_bootloader(struct transaction *t, const struct revision *revision, struct error *err)
{
	char name[ESP_NAME_SIZE];

	for (size_t i = 0; i < revision->blob_count; i++) {
		if (strcmp(revision->blobs[i].role, "efi") != 0)
			continue;
		if (esp_loader_name(t->esp, name, err) < 0 ||
		    esp_update_bootloader(t->esp, t->storage, revision->blobs[i].digest, name, err) < 0)
			return fail_in(err, "boot loader");
	}
	return 0;
}

// The record's change is the confirmation: it counts when it is on the medium, and nothing less than a write that was
// synced tells so.
static int confirm_record(struct transaction *t, const char *id, const char *from, struct record *record,
			  struct job_result *out, struct error *err)
{
	int which;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (record_load(t->esp, record, &which, err) < 0)
			return -1;
		if (attempt == 0 && strcmp(record->rev, from) != 0)
			return fail(err, "the boot record names %.12s as confirmed and not %.12s", record->rev, from);
		memcpy(record->rev, id, sizeof record->rev);
		record->attempt[0] = '\0';
		record->left = 0;
		if (record_store(t->esp, record, err) >= 0)
			return 0;
		out->flags[RESULT_UNCLEAR] = 1;
	}
	return -1;
}

static int write_confirmed(struct transaction *t, const struct revision *revision, const char *from, struct error *err)
{
	struct notes notes;

	if (state_load(t->storage, &notes, err) < 0)
		return -1;
	notes_end(&notes, revision->id, true, "");
	notes_confirm(&notes, revision, from);
	notes_clear_trial(&notes);
	return state_store(t->storage, &notes, err);
}

int transaction_commit(struct transaction *t, const char *id, const char *from, struct job_result *out,
		       struct error *err)
{
	struct revision revision = {0};
	struct record record = {0};
	struct error late = {""};
	int result = -1;

	if (t->esp == NULL)
		return fail(err, "this device has no boot record");
	if (store_load_from(&revision, t->storage, id, t->facts, err) >= 0) {
		if (t->storage->calls->checkpoint(t->storage) < 0)
			fail_errno(err, "storage");
		else if (update_bootloader(t, &revision, err) == 0)
			result = confirm_record(t, id, from, &record, out, err);
	}
	if (result == 0) {
		put_record(out, &record);
		out->flags[RESULT_DONE] = 1;
		// Whatever fails from here on is done at the next start.
		if (write_confirmed(t, &revision, from, &late) < 0)
			snprintf(out->text, sizeof out->text, "%s", late.text);
	}
	revision_free(&revision);
	return result;
}

int transaction_abort(struct transaction *t, const char *id, const char *from, bool live, const char *reason,
		      struct job_result *out, struct error *err)
{
	struct record record;
	struct notes notes;
	struct error now;
	int which, failed = 0;

	if (t->esp == NULL)
		return fail(err, "this device has no boot record");
	if (record_load(t->esp, &record, &which, err) < 0)
		return -1;
	bool readable = state_load(t->storage, &notes, err) == 0;
	// The trial stays noted, with its reason, until the record is changed back.
	notes_fail(&notes, id, from, live, record.generation, reason);
	notes_end(&notes, id, false, reason);
	if (live)
		notes_clear_trial(&notes);
	// On a storage that takes nothing more the record is changed back all the same.
	failed = readable ? first_failure(failed, state_store(t->storage, &notes, &now), err, &now) : -1;
	if (!live)
		failed = first_failure(failed, clear_record(t, &record, &now), err, &now);
	put_record(out, &record);
	if (!live && failed == 0) {
		notes_clear_trial(&notes);
		failed = first_failure(failed, state_store(t->storage, &notes, &now), err, &now);
	}
	return failed;
}
