// SPDX-License-Identifier: MIT
#include "boot.h"

#include <stdio.h>
#include <string.h>

static void set(struct boot *out, enum boot_kind kind, const char *revision, const char *reason)
{
	out->kind = kind;
	snprintf(out->revision, sizeof out->revision, "%s", revision);
	snprintf(out->reason, sizeof out->reason, "%s", reason);
}

// The confirmed revision runs, the record names nothing to try; what became of the trial that was begun?
static void conclude(struct boot *out, const char *booted, const struct record *record, const struct trial_state *trial)
{
	if (strcmp(trial->revision, booted) == 0)
		set(out, BOOT_CONFIRMED, booted, "");
	else if (trial->reason[0] != '\0')
		set(out, BOOT_FAILED, trial->revision, trial->reason);
	else if (trial->live)
		set(out, BOOT_POWER_LOST, trial->revision, "the device was restarted during the trial");
	else if (trial->generation > record->generation)
		set(out, BOOT_NOT_BEGUN, trial->revision, "the device was restarted before the trial began");
	else if (trial->generation == record->generation)
		// GRUB keeps the generation when it counts and when it ends a trial; whoever else does adds one.
		set(out, BOOT_FAILED, trial->revision, "it did not come up in any of its attempts, or could not be loaded");
	else
		set(out, BOOT_FAILED, trial->revision, "it was ended without being confirmed");
}

void boot_outcome(struct boot *out, const char *booted, const struct record *record, const struct trial_state *trial)
{
	memset(out, 0, sizeof *out);
	if (record == NULL) {
		out->kind = BOOT_UNMANAGED;
		return;
	}
	// To try what is confirmed is to try nothing.
	bool tries = record->attempt[0] != '\0' && strcmp(record->attempt, record->rev) != 0;
	bool known = tries && trial != NULL && !trial->live && strcmp(trial->revision, record->attempt) == 0 &&
		     trial->generation == record->generation;
	bool failed = known && trial->reason[0] != '\0';
	if (tries && strcmp(booted, record->attempt) == 0) {
		set(out, failed ? BOOT_REJECTED : BOOT_TRIAL, booted, failed ? trial->reason : "");
		out->left = failed ? 0 : record->left;
		out->clear_record = failed;
		// What is known of another trial is out of date; of this one it is still needed.
		out->clear_trial = trial != NULL && !known;
		return;
	}
	if (strcmp(booted, record->rev) != 0) {
		set(out, BOOT_UNKNOWN, "", "the boot record names another revision than the one that runs");
		return;
	}
	out->clear_record = record->attempt[0] != '\0';
	out->clear_trial = trial != NULL;
	if (failed)
		set(out, BOOT_FAILED, record->attempt, trial->reason);
	else if (tries)
		set(out, BOOT_UNCOUNTED, record->attempt, "the boot loader could not write the boot record, so it was not tried");
	else if (trial != NULL)
		conclude(out, booted, record, trial);
}

const char *boot_result(enum boot_kind kind)
{
	switch (kind) {
	case BOOT_CONFIRMED:
		return "confirmed";
	case BOOT_REJECTED:
	case BOOT_FAILED:
	case BOOT_POWER_LOST:
	case BOOT_NOT_BEGUN:
	case BOOT_UNCOUNTED:
		return "failed";
	default:
		return NULL;
	}
}
