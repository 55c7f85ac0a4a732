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

// The confirmed revision runs, the record names nothing to try; what became of the trial that the note tells of?
static void conclude(struct boot *out, const char *booted, const struct record *record, const struct note *note)
{
	if (strcmp(note->revision, booted) == 0)
		set(out, BOOT_CONFIRMED, booted, "");
	else if (note->reason[0] != '\0')
		set(out, BOOT_FAILED, note->revision, note->reason);
	else if (note->live)
		set(out, BOOT_POWER_LOST, note->revision, "the device was restarted during the trial");
	else if (note->generation > record->generation)
		set(out, BOOT_NOT_BEGUN, note->revision, "the device was restarted before the trial began");
	else if (note->generation == record->generation)
		// GRUB keeps the generation when it counts and when it ends a trial; whoever else does adds one.
		set(out, BOOT_FAILED, note->revision, "it did not come up in any of its attempts, or could not be loaded");
	else
		set(out, BOOT_FAILED, note->revision, "it was ended without being confirmed");
}

void boot_outcome(struct boot *out, const char *booted, const struct record *record, const struct note *note)
{
	memset(out, 0, sizeof *out);
	if (record == NULL) {
		out->kind = BOOT_UNMANAGED;
		return;
	}
	// To try what is confirmed is to try nothing.
	bool tries = record->attempt[0] != '\0' && strcmp(record->attempt, record->rev) != 0;
	bool noted = tries && note != NULL && !note->live && strcmp(note->revision, record->attempt) == 0 &&
		     note->generation == record->generation;
	bool failed = noted && note->reason[0] != '\0';
	if (tries && strcmp(booted, record->attempt) == 0) {
		set(out, failed ? BOOT_REJECTED : BOOT_TRIAL, booted, failed ? note->reason : "");
		out->left = failed ? 0 : record->left;
		out->clear_record = failed;
		// A note on anything else is out of date; the trial's own is still needed.
		out->clear_note = note != NULL && !noted;
		return;
	}
	if (strcmp(booted, record->rev) != 0) {
		set(out, BOOT_UNKNOWN, "", "the boot record names another revision than the one that runs");
		return;
	}
	out->clear_record = record->attempt[0] != '\0';
	out->clear_note = note != NULL;
	if (failed)
		set(out, BOOT_FAILED, record->attempt, note->reason);
	else if (tries)
		set(out, BOOT_UNCOUNTED, record->attempt, "the boot loader could not write the boot record, so it was not tried");
	else if (note != NULL)
		conclude(out, booted, record, note);
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
