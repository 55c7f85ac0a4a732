// SPDX-License-Identifier: MIT
// An update, with a fault at every single call to storage, to the boot loader's partition and to the stick: an error, a
// short read or write, a power cut with each outcome that it may have. Whatever happens, what the boot record selects is
// whole, also for a boot loader that does not replay the journal; and doing it again succeeds.
#include "blobs.h"
#include "check.h"
#include "gc.h"
#include "install.h"
#include "product.h"
#include "record.h"
#include "revisions.h"
#include "state.h"
#include "store.h"
#include "transaction.h"
#include "verity.h"

#include <errno.h>

// All that has a power supply of its own, or none.
struct machine {
	struct fault fault;
	struct memfs storage, esp, stick;
};

static struct machine base;
static struct made old, spare, new_;
static unsigned points, restarts;
static bool littered;	// by an older version: one hidden name is beside the revisions
// Digests of the states that were tried: between two changes, all power cuts leave the same.
static char (*tried)[HEX_SIZE];
static size_t tried_count;

static void copy_machine(struct machine *out, const struct machine *from)
{
	out->fault = from->fault;
	memfs_copy(&out->storage, &from->storage, &out->fault);
	memfs_copy(&out->esp, &from->esp, &out->fault);
	memfs_copy(&out->stick, &from->stick, &out->fault);
}

static void free_machine(struct machine *machine)
{
	memfs_free(&machine->storage);
	memfs_free(&machine->esp);
	memfs_free(&machine->stick);
}

// The image's factory state, with an older revision beside the running one, and too little room for three.
static void make_base(void)
{
	static char root[66000];
	unsigned char bytes[RECORD_SIZE];
	struct record record = {.generation = 1};
	struct notes notes = {.floor = 1};
	struct error err;
	uint64_t room;

	memset(root, 'r', sizeof root - 1);
	struct sample samples[] = {{.kernel = "the old kernel"},
				   {.kernel = "a spare kernel", .rootfs = "r", .config = "{\"web\":0}"},
				   {.kernel = "the new kernel", .rootfs = root, .security = 5}};
	memfs_init(&base.storage, &base.fault);
	memfs_init(&base.esp, &base.fault);
	memfs_init(&base.stick, &base.fault);
	product_install(&base.storage, &samples[0], &old);
	product_install(&base.storage, &samples[1], &spare);
	product_bundle(&base.stick, "bundle/", &samples[2], 1, &new_);
	check(state_store(&base.storage.fs, &notes, &err) == 0);
	strcpy(record.rev, old.id);
	check(record_encode(bytes, &record, &err) == 0);
	memfs_put(&base.esp, "pycontainer/record.0", bytes, sizeof bytes);
	memfs_put(&base.esp, "pycontainer/record.1", bytes, sizeof bytes);
	memfs_settle(&base.storage);
	memfs_settle(&base.esp);
	base.storage.capacity = UINT64_C(1) << 30;
	check(base.storage.fs.calls->room(&base.storage.fs, &room) == 0);
	base.storage.capacity -= room;
	base.storage.capacity += 390 * 1024;
	base.fault = (struct fault){.kind = FAULT_NONE};
}

static int install(struct machine *machine, struct error *err)
{
	struct installer installer = {.fs = &machine->storage.fs, .facts = &product_facts, .keep = {old.id}};
	struct bundle bundle;
	char id[HEX_SIZE];
	int result = bundle_open(&bundle, &machine->stick.fs, "bundle", err);

	if (result == 0)
		result = state_floor(&machine->storage.fs, &product_facts, 1, &installer.floor, err);
	if (result == 0)
		result = install_bundle(&installer, &bundle, "", id, err);
	bundle_close(&bundle);
	return result;
}

// The boot loader's part at a start, which no fault of ours meets: it counts an attempt down, and makes it.
static int boot(struct machine *machine, char running[HEX_SIZE], struct error *err)
{
	unsigned char bytes[RECORD_SIZE];
	struct record record;
	int which;

	if (record_load(&machine->esp.fs, &record, &which, err) < 0)
		return -1;
	bool tries = record.attempt[0] != '\0' && record.left > 0;
	memcpy(running, tries ? record.attempt : record.rev, HEX_SIZE);
	if (record.attempt[0] == '\0')
		return 0;
	if (tries)
		record.left--;
	else
		record.attempt[0] = '\0';
	check(record_encode(bytes, &record, err) == 0);
	memfs_put(&machine->esp, "pycontainer/record.0", bytes, sizeof bytes);
	memfs_put(&machine->esp, "pycontainer/record.1", bytes, sizeof bytes);
	memfs_settle(&machine->esp);
	return 0;
}

// The notes, which were there from the beginning: no copy that counts is ever seen half written.
static bool noted(struct machine *machine, struct notes *notes)
{
	struct error err;

	return state_load(&machine->storage.fs, notes, &err) == 0 && err.text[0] == '\0' && notes->generation > 0;
}

// One start of the device, and what is done until the next one. Returns 1 when all is done that shall be.
static int live(struct machine *machine, bool good, struct error *err)
{
	struct transaction t = {.storage = &machine->storage.fs, .esp = &machine->esp.fs, .facts = &product_facts};
	struct job_result found = {0}, done = {0};
	struct revision running = {0};
	struct notes notes;
	char id[HEX_SIZE];
	int result = -1;

	if (boot(machine, id, err) < 0)
		return -1;
	if (store_load_from(&running, t.storage, id, t.facts, err) < 0) {
		revision_free(&running);
		return -1;
	}
	// What fails here is left for the next start: process 1 goes on with what was found out.
	bool settled = transaction_settle(&t, &running, &found, err) == 0;
	if (!found.flags[RESULT_MANAGED] && !found.flags[RESULT_LEAVE])
		result = 0;
	else if (found.flags[RESULT_LEAVE])
		result = 0;
	else if (found.flags[RESULT_TRIAL])
		result = good ? transaction_commit(&t, id, found.id, &done, err)
			      : transaction_abort(&t, id, found.id, false, "it was not well", &done, err);
	else if (good ? strcmp(id, new_.id) == 0 : noted(machine, &notes) && notes.outcome.revision[0] != '\0')
		result = settled;
	else if (install(machine, err) == 0)
		result = transaction_prepare(&t, new_.id, &running, &done, err);
	revision_free(&running);
	return result;
}

// Start after start until all is done. What was done before an interruption is not done again.
static int until_done(struct machine *machine, bool good, struct error *err)
{
	for (int starts = 0; starts < 12; starts++) {
		int result = live(machine, good, err);
		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	return fail(err, "it does not come to an end");
}

// The whole of it: install, try, confirm, collect garbage.
static int update(struct machine *machine, struct error *err)
{
	const char *const keep[] = {old.id, new_.id, NULL};
	struct gc_result removed;

	return until_done(machine, true, err) < 0 ? -1 : gc_run(&machine->storage.fs, keep, 0, &removed, err);
}

// One whose revision is not well.
static int failing_update(struct machine *machine, struct error *err)
{
	return until_done(machine, false, err);
}

static int count_names(void *context, const char *name)
{
	(void)name;
	++*(unsigned *)context;
	return 0;
}

static unsigned names_in(struct memfs *memfs, const char *folder)
{
	unsigned count = 0;

	memfs->fs.calls->list(&memfs->fs, folder, count_names, &count);
	return count;
}

static bool updated(struct machine *machine)
{
	struct record record;
	struct notes notes;
	struct error err;
	int which;

	return record_load(&machine->esp.fs, &record, &which, &err) == 0 && strcmp(record.rev, new_.id) == 0 &&
	       record.attempt[0] == '\0' && product_whole(&machine->storage, new_.id, &err) &&
	       product_whole(&machine->storage, old.id, &err) && names_in(&machine->storage, "revisions") == 2 &&
	       names_in(&machine->storage, "blobs/incoming") == 0 && noted(machine, &notes) && notes.floor == 5 &&
	       strcmp(notes.previous, old.id) == 0 && notes.outcome.confirmed && notes.outcome.number >= 1 &&
	       notes.trial.revision[0] == '\0';
}

static bool rolled_back(struct machine *machine)
{
	struct record record;
	struct notes notes;
	struct error err;
	int which;

	return record_load(&machine->esp.fs, &record, &which, &err) == 0 && strcmp(record.rev, old.id) == 0 &&
	       record.attempt[0] == '\0' && product_whole(&machine->storage, old.id, &err) && noted(machine, &notes) &&
	       notes.floor == 1 && !notes.outcome.confirmed && notes.outcome.number >= 1 &&
	       strcmp(notes.outcome.revision, new_.id) == 0 && notes.outcome.reason[0] != '\0' &&
	       notes.trial.revision[0] == '\0';
}

// What must hold at any instant, for a boot loader that sees `seen` of storage.
static bool bootable(struct machine *machine, struct memfs *seen)
{
	struct notes notes;
	struct record record;
	struct error err;
	int which;

	if (record_load(&machine->esp.fs, &record, &which, &err) < 0 || !product_whole(seen, record.rev, &err) ||
	    !product_whole(seen, old.id, &err)) {
		printf("%s\n", err.text);
		return false;
	}
	if (record.attempt[0] != '\0' && !product_whole(seen, record.attempt, &err)) {
		printf("%s\n", err.text);
		return false;
	}
	return noted(machine, &notes) && notes.floor >= 1;
}

// Is this state of storage and the boot record a new one? What a boot loader sees is a part of it.
static bool is_new(const struct machine *machine, const struct memfs *seen)
{
	const struct memfs *const parts[] = {&machine->storage, &machine->esp, seen};
	char all[3 * HEX_SIZE] = "", digest[HEX_SIZE];

	for (size_t i = 0; i < 3; i++)
		memfs_digest(parts[i], all + strlen(all));
	hash_bytes(digest, all, strlen(all));
	for (size_t i = 0; i < tried_count; i++)
		if (strcmp(tried[i], digest) == 0)
			return false;
	tried = realloc(tried, (tried_count + 1) * sizeof *tried);
	check(tried != NULL);
	memcpy(tried[tried_count++], digest, sizeof digest);
	return true;
}

static int other_names(void *context, const char *name)
{
	*(unsigned *)context += !text_is_hex64(name);
	return 0;
}

// What has the name of an installed revision is whole: it is listed, and may be tried at any time. And nothing else is
// beside it, ever: the boot loader reads that folder without the journal.
static bool honest(struct machine *machine)
{
	const char *const ids[] = {old.id, spare.id, new_.id};
	struct error err;
	char path[128];
	unsigned others = 0;

	if (machine->storage.fs.calls->list(&machine->storage.fs, "revisions", other_names, &others) < 0 ||
	    others > (unsigned)littered) {
		printf("%u names beside revisions\n", others);
		return false;
	}
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		revisions_path(path, ids[i], REVISIONS_INSTALLED);
		if (fs_exists(&machine->storage.fs, path) && !product_whole(&machine->storage, ids[i], &err)) {
			printf("%s\n", err.text);
			return false;
		}
	}
	return true;
}

// The power comes back: what holds then, and can the operation be done again?
static void restart(const struct machine *crashed, enum memfs_restart how, int (*run)(struct machine *, struct error *),
		    bool (*done)(struct machine *))
{
	struct machine machine;
	struct memfs seen;
	struct error err = {""};

	copy_machine(&machine, crashed);
	memfs_copy(&seen, &crashed->storage, NULL);
	memfs_restart(&machine.storage, how);
	memfs_restart(&machine.esp, how);
	memfs_restart(&machine.stick, MEMFS_NOTHING);
	machine.fault = (struct fault){.kind = FAULT_NONE};
	memfs_restart(&seen, MEMFS_UNREPLAYED);
	if (is_new(&machine, &seen)) {
		bool whole = bootable(&machine, &seen) && bootable(&machine, &machine.storage) && honest(&machine);
		int result = run(&machine, &err);
		check(whole && result == 0 && done(&machine));
		if (!whole || result < 0)
			printf("call %u, power cut, restart %d: %s: %s\n", crashed->fault.at, how,
			       whole ? "again" : "not whole", err.text);
	}
	restarts++;
	free_machine(&machine);
	memfs_free(&seen);
}

// One fault. False when there was no call to fail.
static bool inject(const struct machine *start, enum fault_kind kind, int error, unsigned at,
		   int (*run)(struct machine *, struct error *), bool (*done)(struct machine *))
{
	struct machine machine;
	struct memfs seen;
	struct error err = {""};

	copy_machine(&machine, start);
	machine.fault = (struct fault){.kind = kind, .at = at, .error = error};
	int result = run(&machine, &err);
	bool reached = machine.fault.calls >= at;
	points += machine.fault.hit;
	if (kind == FAULT_CRASH) {
		// Behind the last call, too.
		for (int how = 0; how < MEMFS_RESTARTS; how++)
			restart(&machine, (enum memfs_restart)how, run, done);
	} else if (machine.fault.hit) {
		machine.fault = (struct fault){.kind = FAULT_NONE};
		memfs_copy(&seen, &machine.storage, NULL);
		memfs_restart(&seen, MEMFS_UNREPLAYED);
		bool closed = memfs_open(&machine.storage) + memfs_open(&machine.esp) + memfs_open(&machine.stick) == 0;
		bool fresh = is_new(&machine, &seen);
		bool whole = !fresh ||
			     (bootable(&machine, &seen) && bootable(&machine, &machine.storage) && honest(&machine));
		int again = result == 0 || !fresh ? 0 : run(&machine, &err);
		check(closed && whole && again == 0 && (!fresh || done(&machine)));
		if (!closed || !whole || again < 0)
			printf("call %u, error %d: %s: %s\n", at, error,
			       !closed ? "open files" : whole ? "again" : "not whole", err.text);
		memfs_free(&seen);
	}
	free_machine(&machine);
	return reached;
}

static void enumerate(const char *name, const struct machine *start, int (*run)(struct machine *, struct error *),
		      bool (*done)(struct machine *))
{
	static const struct {
		enum fault_kind kind;
		int error;
	} faults[] = {{FAULT_ERROR, EIO}, {FAULT_ERROR, ENOSPC}, {FAULT_SHORT, 0}, {FAULT_CRASH, 0}};
	unsigned calls = 0;

	points = restarts = 0;
	tried_count = 0;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		calls = 1;
		while (inject(start, faults[i].kind, faults[i].error, calls, run, done))
			calls++;
	}
	check(points > 0 && restarts > 0);
	printf("update faults: %s: %u calls, %u faults, %u restarts from %zu states\n", name, calls - 1, points, restarts,
	       tried_count);
}

static int put(struct machine *machine, const char *hex, struct error *err)
{
	struct receiver receiver;
	struct error second;
	size_t length;
	char path[128];

	snprintf(path, sizeof path, "bundle/blobs/sha256/%s", hex);
	const char *bytes = memfs_get(&machine->stick, path, &length);
	int listed = install_put_allowed(&machine->storage.fs, hex, length, err);
	if (listed < 0 ||
	    blob_begin(&receiver, &machine->storage.fs, hex, length, err) < 0)
		return -1;
	if (blob_append(&receiver, bytes + receiver.received, length - (size_t)receiver.received, err) < 0) {
		blob_pause(&receiver, &second);
		return -1;
	}
	// Bytes from before a power cut may be the wrong ones: then the sender begins anew.
	int result = blob_finish(&receiver, listed ? "" : NULL, err);
	return result < 0 && receiver.mismatch ? put(machine, hex, err) : result;
}

static int install_by_blobs(struct machine *machine, struct error *err)
{
	struct installer installer = {.fs = &machine->storage.fs, .facts = &product_facts, .keep = {old.id}};
	struct wanted *missing;
	size_t count;

	if (put(machine, new_.id, err) < 0 || put(machine, new_.config, err) < 0 || put(machine, new_.envelope, err) < 0 ||
	    install_begin(&installer, new_.id, new_.envelope, &missing, &count, err) < 0)
		return -1;
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++)
		result = put(machine, missing[i].digest, err);
	free(missing);
	if (result < 0 || count == 0)
		return result;
	if (install_begin(&installer, new_.id, new_.envelope, &missing, &count, err) < 0)
		return -1;
	free(missing);
	return count == 0 ? 0 : fail(err, "%zu are missing", count);
}

static bool installed(struct machine *machine)
{
	struct memfs seen;
	struct error err;
	char path[128];

	memfs_copy(&seen, &machine->storage, NULL);
	memfs_restart(&seen, MEMFS_NOTHING);
	revisions_path(path, new_.id, REVISIONS_BEGUN);
	bool whole = product_whole(&machine->storage, new_.id, &err) && product_whole(&seen, new_.id, &err) &&
		     !fs_exists(&machine->storage.fs, path);
	memfs_free(&seen);
	return whole;
}

static int collect(struct machine *machine, struct error *err)
{
	const char *const keep[] = {old.id, NULL};
	struct gc_result removed;

	return gc_run(&machine->storage.fs, keep, 0, &removed, err);
}

static bool collected(struct machine *machine)
{
	struct error err;

	// Manifest, config and envelope, and eight blobs of which two are one.
	return product_whole(&machine->storage, old.id, &err) && names_in(&machine->storage, "revisions") == 1 &&
	       names_in(&machine->storage, "blobs/incoming") == 0 && names_in(&machine->storage, "blobs/sha256") == 10;
}

int main(void)
{
	struct machine other;
	struct error err;

	product_init();
	make_base();
	copy_machine(&other, &base);
	check(update(&other, &err) == 0 && updated(&other));
	free_machine(&other);
	enumerate("install, try, confirm, collect", &base, update, updated);
	copy_machine(&other, &base);
	check(failing_update(&other, &err) == 0 && rolled_back(&other));
	free_machine(&other);
	enumerate("install, try, roll back", &base, failing_update, rolled_back);
	enumerate("install blob by blob", &base, install_by_blobs, installed);
	copy_machine(&other, &base);
	other.storage.no_verity = true;
	enumerate("install without fs-verity", &other, install_by_blobs, installed);
	free_machine(&other);
	copy_machine(&other, &base);
	memfs_put(&other.storage, "blobs/incoming/half", "of something", 12);
	memfs_put(&other.storage, "revisions/.0123.old/volumes/data/deep/file", "x", 1);
	memfs_put(&other.storage, "removing/0123/volumes/data/deep/file", "x", 1);
	littered = true;
	memfs_settle(&other.storage);
	enumerate("collect", &other, collect, collected);
	free_machine(&other);
	free_machine(&base);
	free(tried);
	return check_result("update faults");
}
