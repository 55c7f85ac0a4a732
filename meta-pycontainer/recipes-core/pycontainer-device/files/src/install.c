// SPDX-License-Identifier: MIT
#include "install.h"
#include "blobs.h"
#include "gc.h"
#include "references.h"
#include "revisions.h"
#include "select.h"
#include "store.h"
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static void report(const struct installer *installer, const char *step, uint64_t done, uint64_t total)
{
	if (installer->progress != NULL)
		installer->progress(installer->context, step, done, total);
}

// Remove what is not to be kept until so many bytes are free; the revision itself always is.
static int collect(struct installer *installer, const char *id, uint64_t needed, struct error *err)
{
	enum { most = sizeof installer->keep / sizeof *installer->keep };
	const char *keep[most + 2] = {id};
	struct gc_result removed;

	for (size_t i = 0; i < most && installer->keep[i] != NULL; i++)
		keep[i + 1] = installer->keep[i];
	report(installer, "room", 0, needed);
	return gc_run(installer->fs, keep, needed, &removed, err);
}

static int make_room(struct installer *installer, const char *id, uint64_t needed, struct error *err)
{
	uint64_t room;

	if (installer->fs->calls->room(installer->fs, &room) < 0)
		return fail_errno(err, "free space");
	if (room >= needed)
		return 0;
	if (collect(installer, id, needed, err) < 0)
		return -1;
	if (installer->fs->calls->room(installer->fs, &room) < 0)
		return fail_errno(err, "free space");
	return room >= needed ? 0 : fail(err, "storage is too full: %" PRIu64 " MiB are needed, %" PRIu64 " MiB free",
					 (needed + MIB - 1) / MIB, room / MIB);
}

static int limit_installed(struct installer *installer, const struct revision *revision, const char *signature,
			   struct error *err)
{
	struct revisions all;
	size_t installed = 0;

	if (revisions_list(&all, installer->fs, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		installed += all.items[i].kind == REVISIONS_INSTALLED && strcmp(all.items[i].id, revision->id) != 0;
	if (installed < REVISIONS_KEPT)
		return 0;
	return revisions_begin(installer->fs, revision, signature, err) < 0 ? -1 : collect(installer, revision->id, 0, err);
}

struct copying {
	struct installer *installer;
	struct bundle *bundle;
	int fd;
	uint64_t offset;	// of the blob in its file
	bool told;		// the reader of the progress is told
	uint64_t done, total;	// of all blobs
};

static ssize_t read_bundle(void *context, void *bytes, size_t length, uint64_t at)
{
	struct copying *copying = context;
	struct fs *fs = copying->bundle->fs;
	ssize_t got = fs->calls->read(fs, copying->fd, bytes, length, copying->offset + at);

	if (got > 0) {
		copying->installer->copied += (uint64_t)got;
		if (copying->told)
			report(copying->installer, "copy", copying->done + at + (uint64_t)got, copying->total);
	}
	return got;
}

static int copy_blob(struct copying *copying, const struct wanted *wanted, struct error *err)
{
	uint64_t size;

	if (bundle_open_blob(copying->bundle, wanted->digest, &copying->fd, &copying->offset, &size, err) < 0)
		return -1;
	int result = size == wanted->size
			     ? blob_receive(copying->installer->fs, wanted->digest, size,
					    wanted->verity[0] == '\0' ? NULL : wanted->verity, read_bundle, copying, err)
			     : fail(err, "bundle: blob %.12s has %" PRIu64 " bytes and not %" PRIu64, wanted->digest, size,
				    wanted->size);
	bundle_close_blob(copying->bundle, copying->fd);
	if (result < 0)
		return -1;
	copying->installer->blobs++;
	copying->done += size;
	return 0;
}

static int copy_all(struct installer *installer, struct bundle *bundle, const struct wanted *missing, size_t count,
		    bool told, struct error *err)
{
	struct copying copying = {.installer = installer, .bundle = bundle, .told = told};

	for (size_t i = 0; i < count; i++)
		copying.total += missing[i].size;
	for (size_t i = 0; i < count; i++)
		if (copy_blob(&copying, &missing[i], err) < 0)
			return -1;
	return 0;
}

// What proves the revision comes first: with it in storage, all that belongs to the revision is known and kept.
static int copy_proofs(struct installer *installer, struct bundle *bundle, const struct revision *revision,
		       const char *signature, struct error *err)
{
	const char *const digests[] = {revision->id, revision->config_digest, signature};
	struct wanted missing[sizeof digests / sizeof *digests];
	size_t count = 0;

	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
		struct wanted *wanted = &missing[count];
		uint64_t offset;
		int fd;
		*wanted = (struct wanted){.offset = 0};
		memcpy(wanted->digest, digests[i], HEX_SIZE);
		if (bundle_open_blob(bundle, wanted->digest, &fd, &offset, &wanted->size, err) < 0)
			return -1;
		bundle_close_blob(bundle, fd);
		int there = plan_check(installer->fs, wanted, err);
		if (there < 0)
			return -1;
		count += there == 0;
	}
	if (count > 0 && make_room(installer, revision->id, plan_room(missing, count), err) < 0)
		return -1;
	return copy_all(installer, bundle, missing, count, false, err);
}

// With the proofs in storage: note the install and make room, unless nothing is missing.
static int begin(struct installer *installer, const struct revision *revision, const char *signature,
		 struct wanted **missing, size_t *count, struct error *err)
{
	report(installer, "check", 0, 0);
	if (limit_installed(installer, revision, signature, err) < 0 ||
	    plan_missing(installer->fs, revision, missing, count, err) < 0)
		return -1;
	if (*count == 0)
		return 0;
	if (revisions_begin(installer->fs, revision, signature, err) == 0 &&
	    make_room(installer, revision->id, plan_room(*missing, *count), err) == 0)
		return 0;
	free(*missing);
	*missing = NULL;
	*count = 0;
	return -1;
}

static int finish(struct installer *installer, const struct revision *revision, const char *signature, struct error *err)
{
	report(installer, "sync", 0, 0);
	return revisions_finish(installer->fs, revision, signature, err);
}

static int install(struct installer *installer, struct bundle *bundle, const struct revision *revision,
		   const char *signature, struct error *err)
{
	struct wanted *missing;
	size_t count;

	if (copy_proofs(installer, bundle, revision, signature, err) < 0 ||
	    begin(installer, revision, signature, &missing, &count, err) < 0)
		return -1;
	int result = copy_all(installer, bundle, missing, count, true, err);
	free(missing);
	return result < 0 ? -1 : finish(installer, revision, signature, err);
}

int install_bundle(struct installer *installer, struct bundle *bundle, const char *wanted, char id[HEX_SIZE],
		   struct error *err)
{
	struct revision revision;
	char signature[HEX_SIZE];

	installer->copied = 0;
	installer->blobs = 0;
	report(installer, "verify", 0, 0);
	if (select_revision(&revision, signature, bundle, wanted, installer->facts, installer->floor, err) < 0)
		return -1;
	memcpy(id, revision.id, HEX_SIZE);
	int result = install(installer, bundle, &revision, signature, err);
	revision_free(&revision);
	return result < 0 ? fail_in(err, "installing %.12s", id) : 0;
}

int install_begin(struct installer *installer, const char *id, const char *signature, struct wanted **missing,
		  size_t *count, struct error *err)
{
	struct revision revision;
	int result = verify_revision(&revision, id, signature, store_reader, installer->fs, installer->facts, err);

	*missing = NULL;
	*count = 0;
	if (result >= 0)
		result = select_check_floor(&revision, installer->floor, err);
	if (result >= 0)
		result = begin(installer, &revision, signature, missing, count, err);
	if (result >= 0 && *count == 0) {
		free(*missing);
		*missing = NULL;
		result = finish(installer, &revision, signature, err);
	}
	revision_free(&revision);
	return result < 0 ? fail_in(err, "installing %.12s", id) : 0;
}

// Does this begun install list a blob?
static bool lists(struct fs *fs, const char *id, const char *hex, uint64_t size)
{
	struct revision revision;
	struct error damaged;
	bool found = false;

	if (store_manifest(&revision, fs, id, &damaged) == 1)
		for (size_t i = 0; i < revision.blob_count && !found; i++)
			found = strcmp(revision.blobs[i].digest, hex) == 0 && revision.blobs[i].size == size;
	revision_free(&revision);
	return found;
}

// Is there room for what is left of a blob?
static int check_put_room(struct fs *fs, const char *hex, uint64_t size, struct error *err)
{
	struct wanted wanted = {.size = size};
	uint64_t room;

	if (blob_received(fs, hex, size, &wanted.offset, err) < 0)
		return -1;
	if (wanted.offset == size)
		return 0;
	uint64_t needed = plan_room(&wanted, 1);
	if (fs->calls->room(fs, &room) < 0)
		return fail_errno(err, "free space");
	return room >= needed ? 0 : fail(err, "blob %.12s: storage is too full: %" PRIu64 " KiB are needed, %" PRIu64
					 " KiB free; collect garbage first", hex, needed / 1024, room / 1024);
}

int install_put_allowed(struct fs *fs, const char *hex, uint64_t size, struct error *err)
{
	struct revisions all;
	struct gc_result removed;
	bool found = false;
	size_t loose;
	uint64_t bytes;

	if (!text_is_hex64(hex))
		return fail(err, "not a digest");
	if (revisions_list(&all, fs, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count && !found; i++)
		found = all.items[i].kind == REVISIONS_BEGUN && lists(fs, all.items[i].id, hex, size);
	if (!found && size > SMALL_BLOB)
		return fail(err, "blob %.12s: larger than %u bytes, and no begun install has one of that size", hex, SMALL_BLOB);
	// What nobody signed must not fill storage: whoever sent the others may have been cut off, and begins anew.
	if (!found && references_loose(fs, hex, LOOSE_MOST, &loose, &bytes, err) < 0)
		return -1;
	if (!found && (loose >= LOOSE_MOST || bytes + size > LOOSE_BYTES) && gc_loose(fs, &removed, err) < 0)
		return fail_in(err, "blob %.12s: there are %zu blobs already that no install refers to", hex, loose);
	return check_put_room(fs, hex, size, err) < 0 ? -1 : found;
}
