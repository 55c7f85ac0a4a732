// SPDX-License-Identifier: MIT
#include "jobs.h"
#include "change.h"
#include "console.h"
#include "esp.h"
#include "exclusive.h"
#include "grow.h"
#include "identity.h"
#include "storage.h"
#include "supervisor.h"
#include "transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>

typedef int step(struct transaction *t, const struct supervisor *s, struct job_result *out, struct error *err);

static int with_disks(const struct supervisor *s, step *run, struct job_result *out, struct error *err)
{
	struct fs storage, esp;
	struct transaction t = {.storage = &storage, .facts = s->facts};
	struct error problem = {""};

	fs_real(&storage, STORAGE);
	// What a job that was killed left mounted would stand in the way for ever.
	umount2(ESP_FOLDER, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (s->cmdline->esp[0] == '\0')
		fail(&problem, "the boot loader names no EFI system partition");
	else if (esp_mount(&esp, s->cmdline->esp, s->storage, NULL, &problem) == 0)
		t.esp = &esp;
	if (t.esp == NULL)
		snprintf(out->text, sizeof out->text, "no boot record: %s", problem.text);
	int result = run(&t, s, out, err);
	if (t.esp != NULL && esp_unmount(&problem) < 0)
		console_line("boot record: %s", problem.text);
	return result;
}

static int settle(struct transaction *t, const struct supervisor *s, struct job_result *out, struct error *err)
{
	return transaction_settle(t, s->containers.now.revision, out, err);
}

static int prepare(struct transaction *t, const struct supervisor *s, struct job_result *out, struct error *err)
{
	int result = transaction_prepare(t, s->update.tried, s->containers.now.revision, out, err);

	// While what is to be exchanged still runs.
	if (result == 0 && out->flags[RESULT_LIVE])
		change_warm(&s->containers, out->id, s->facts);
	return result;
}

static int commit(struct transaction *t, const struct supervisor *s, struct job_result *out, struct error *err)
{
	return transaction_commit(t, s->update.tried, s->update.from, out, err);
}

static int abort_trial(struct transaction *t, const struct supervisor *s, struct job_result *out, struct error *err)
{
	return transaction_abort(t, s->update.tried, s->update.from, s->update.live, s->update.reason, out, err);
}

int jobs_settle(void *supervisor, struct job_result *out, struct error *err)
{
	return with_disks(supervisor, settle, out, err);
}

int jobs_prepare(void *supervisor, struct job_result *out, struct error *err)
{
	// An install that makes room must not take away what is about to be tried.
	return exclusive_take(err) < 0 ? -1 : with_disks(supervisor, prepare, out, err);
}

int jobs_commit(void *supervisor, struct job_result *out, struct error *err)
{
	return with_disks(supervisor, commit, out, err);
}

int jobs_abort(void *supervisor, struct job_result *out, struct error *err)
{
	return with_disks(supervisor, abort_trial, out, err);
}

int jobs_first(void *supervisor, struct job_result *out, struct error *err)
{
	const struct supervisor *s = supervisor;
	struct identity identity;
	struct grown grown;
	struct fs storage;

	(void)out;
	fs_real(&storage, STORAGE);
	if (identity_open(&storage, &identity, err) < 0)
		console_line("identity: %s", err->text);
	else if (identity.made)
		console_line("identity: this device has its own key now, %.12s", identity.keyid);
	int grew = grow_storage(s->storage, STORAGE, &grown, err);
	if (grew > 0)
		console_line("storage: grew from %" PRIu64 " to %" PRIu64 " MiB", grown.before >> 20, grown.after >> 20);
	return grew < 0 ? fail_in(err, "storage does not grow") : 0;
}
