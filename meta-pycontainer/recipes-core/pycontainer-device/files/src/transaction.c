// SPDX-License-Identifier: MIT
#include "transaction.h"
#include "boot.h"
#include "change.h"
#include "esp.h"
#include "record.h"
#include "installed.h"
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

static int write_outcome(struct transaction *t, const char *id, bool confirmed, const char *reason, struct error *err)
{
	struct outcome outcome = {.confirmed = confirmed};

	memcpy(outcome.revision, id, sizeof outcome.revision);
	snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
	return state_write_outcome(t->storage, &outcome, err);
}

static int clear_record(struct transaction *t, struct record *record, struct error *err)
{
	record->attempt[0] = '\0';
	record->left = 0;
	return record_store(t->esp, record, err) < 0 ? -1 : 0;
}

// What follows from a confirmation, all of it again when it was done already: the floor never falls.
static int note_confirmed(struct transaction *t, const struct revision *revision, const char *from, struct error *err)
{
	if (state_raise_floor(t->storage, revision->security_version, err) < 0)
		return -1;
	if (from[0] == '\0' || strcmp(from, revision->id) == 0)
		return 0;
	return state_write_previous(t->storage, from, err);
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
static bool is_blind_trial(struct transaction *t, const struct trial_state *trial, const char *running)
{
	struct outcome outcome;
	struct error ignored;

	if (trial->live || strcmp(trial->revision, running) != 0)
		return false;
	return !state_read_outcome(t->storage, &outcome, &ignored) || !outcome.confirmed ||
	       strcmp(outcome.revision, running) != 0;
}

static int finish(struct transaction *t, const struct boot *boot, const struct trial_state *trial,
		  const struct revision *running, struct record *record, struct error *err)
{
	const char *result = boot_result(boot->kind);
	struct error now;
	int failed = 0;

	if (result != NULL)
		failed = first_failure(failed, write_outcome(t, boot->revision, strcmp(result, "confirmed") == 0, boot->reason, &now),
				       err, &now);
	if (boot->kind == BOOT_NORMAL || boot->kind == BOOT_CONFIRMED)
		failed = first_failure(failed, note_confirmed(t, running, boot->kind == BOOT_CONFIRMED ? trial->from : "", &now),
				       err, &now);
	if (boot->clear_record)
		failed = first_failure(failed, clear_record(t, record, &now), err, &now);
	// What is still to be done must stay noted.
	if (boot->clear_trial && failed == 0)
		failed = first_failure(failed, state_clear_trial(t->storage, &now), err, &now);
	return failed;
}

int transaction_settle(struct transaction *t, const struct revision *running, struct job_result *out, struct error *err)
{
	struct error problem = {""}, now;
	struct record record = {0};
	struct trial_state trial;
	struct boot boot;
	int which, failed = 0;
	bool managed = t->esp != NULL && record_load(t->esp, &record, &which, &problem) == 0;
	bool noted = state_read_trial(t->storage, &trial, &now);

	// What is damaged tells nothing, and would for ever.
	if (!noted && now.text[0] != '\0')
		failed = first_failure(failed, state_clear_trial(t->storage, &now), err, &now);
	boot_outcome(&boot, running->id, managed ? &record : NULL, noted ? &trial : NULL);
	out->flags[RESULT_MANAGED] = managed && boot.kind != BOOT_UNKNOWN;
	out->flags[RESULT_TRIAL] = boot.kind == BOOT_TRIAL;
	out->flags[RESULT_LEAVE] = boot.kind == BOOT_REJECTED || (!managed && noted && is_blind_trial(t, &trial, running->id));
	failed = first_failure(failed, finish(t, &boot, &trial, running, &record, &now), err, &now);
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
	return state_read_previous(t->storage, id, err) ? 0 : fail(err, "no revision was confirmed before this one");
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
	struct trial_state trial = {.live = live, .generation = record->generation + !live};

	memcpy(trial.revision, next->id, sizeof trial.revision);
	memcpy(trial.from, from, sizeof trial.from);
	// The boot loader does not replay the journal: all that it will read must be where it looks.
	if (t->storage->calls->sync_all(t->storage) < 0)
		return fail_errno(err, "storage");
	if (state_write_trial(t->storage, &trial, err) < 0)
		return -1;
	if (live)
		return 0;
	memcpy(record->attempt, next->id, sizeof record->attempt);
	record->left = RECORD_TRIES;
	if (record_store(t->esp, record, err) >= 0)
		return 0;
	// It may have been written all the same, and nobody waits for that trial.
	struct error ignored;
	if (clear_record(t, record, &ignored) == 0)
		state_clear_trial(t->storage, &ignored);
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
		if (t->storage->calls->sync_all(t->storage) < 0)
			fail_errno(err, "storage");
		else if (update_bootloader(t, &revision, err) == 0)
			result = confirm_record(t, id, from, &record, out, err);
	}
	if (result == 0) {
		put_record(out, &record);
		out->flags[RESULT_DONE] = 1;
		// Whatever fails from here on is done at the next start.
		if (write_outcome(t, id, true, "", &late) < 0 || note_confirmed(t, &revision, from, &late) < 0 ||
		    state_clear_trial(t->storage, &late) < 0)
			snprintf(out->text, sizeof out->text, "%s", late.text);
	}
	revision_free(&revision);
	return result;
}

int transaction_abort(struct transaction *t, const char *id, const char *from, bool live, const char *reason,
		      struct job_result *out, struct error *err)
{
	struct trial_state trial = {.live = live};
	struct record record;
	struct error now;
	int which, failed = 0;

	if (t->esp == NULL)
		return fail(err, "this device has no boot record");
	if (record_load(t->esp, &record, &which, err) < 0)
		return -1;
	memcpy(trial.revision, id, sizeof trial.revision);
	memcpy(trial.from, from, sizeof trial.from);
	trial.generation = record.generation;
	snprintf(trial.reason, sizeof trial.reason, "%s", reason);
	// On a storage that takes nothing more the record is changed back all the same.
	failed = first_failure(failed, state_write_trial(t->storage, &trial, &now), err, &now);
	failed = first_failure(failed, write_outcome(t, id, false, reason, &now), err, &now);
	if (!live)
		failed = first_failure(failed, clear_record(t, &record, &now), err, &now);
	put_record(out, &record);
	if (failed == 0)
		failed = first_failure(failed, state_clear_trial(t->storage, &now), err, &now);
	return failed;
}
