// SPDX-License-Identifier: MIT
#include "revisions.h"
#include "names.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "revisions"
#define BEGUN "installing"
#define REMOVED "removing"
#define BATCH 256

static const char *const folders[] = {[REVISIONS_INSTALLED] = FOLDER, [REVISIONS_BEGUN] = BEGUN};

void revisions_path(char path[128], const char *id, enum revisions_kind kind)
{
	snprintf(path, 128, "%s/%.64s", folders[kind], id);
}

struct listing {
	struct revisions *out;
	enum revisions_kind kind;
};

static int add(void *context, const char *name)
{
	const struct listing *listing = context;
	struct revisions *out = listing->out;

	if (!text_is_hex64(name))
		return 0;
	if (out->count == REVISIONS_MOST)
		return -2;
	struct revisions_entry *entry = &out->items[out->count++];
	memcpy(entry->id, name, HEX_SIZE);
	entry->kind = listing->kind;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct revisions_entry *one = a, *two = b;
	int ids = memcmp(one->id, two->id, HEX_SIZE);

	return ids != 0 ? ids : (int)one->kind - (int)two->kind;
}

int revisions_list(struct revisions *out, struct fs *fs, struct error *err)
{
	static const enum revisions_kind kinds[] = {REVISIONS_INSTALLED, REVISIONS_BEGUN};

	out->count = 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct listing listing = {out, kinds[i]};
		int result = fs->calls->list(fs, folders[kinds[i]], add, &listing);
		if (result == -2)
			return fail(err, "more than %d revisions are on storage", REVISIONS_MOST);
		if (result < 0 && errno != ENOENT)
			return fail_errno(err, "%s", folders[kinds[i]]);
	}
	if (out->count > 0)
		qsort(out->items, out->count, sizeof *out->items, compare);
	return 0;
}

static int put_anew(struct fs *fs, const char *path, const char *temporary, const char *target, bool symbolic, struct error *err)
{
	int (*make)(struct fs *, const char *, const char *) = symbolic ? fs->calls->symlink : fs->calls->link;

	if (fs->calls->unlink(fs, temporary) < 0 && errno != ENOENT)
		return fail_errno(err, "%s", temporary);
	if (make(fs, target, temporary) < 0 || fs->calls->rename(fs, temporary, path) < 0)
		return fail_errno(err, "%s", path);
	return 1;
}

// Let a name in a revision's folder lead to a blob, whatever it was before. The signature is a link whose text tells which
// blob it is. What the boot loader reads is another name of the blob itself: it does not replay the journal, and the
// folder of blobs, where names come and go, may be torn when it looks there. Returns 1, 0 when it does already, or -1.
static int put_name(struct fs *fs, const char *folder, const char *name, const char *digest, bool symbolic,
		    struct error *err)
{
	char path[256], temporary[256], target[128], found[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(temporary, sizeof temporary, "%s/.%s.new", folder, name);
	snprintf(target, sizeof target, "../../blobs/sha256/%.64s", digest);
	// An older version's links do: a file that is replaced may be gone for the boot loader before its name is.
	if (fs->calls->readlink(fs, path, found, sizeof found) >= 0 && strcmp(found, target) == 0)
		return 0;
	if (symbolic)
		return put_anew(fs, path, temporary, target, true, err);
	const char *blob = target + sizeof "../../" - 1;
	return fs->calls->same(fs, blob, path) == 1 ? 0 : put_anew(fs, path, temporary, blob, false, err);
}

// What the boot loader reads: it finds the files by these names and knows no manifest. Returns how many had to be put.
static int put_boot_files(struct fs *fs, const char *folder, const struct revision *revision, struct error *err)
{
	static const char *const kinds[] = {"bsp", "host", "host", "bsp"};
	static const char *const roles[] = {"kernel", "initramfs", "boot-env", "dtb"};
	// Where the firmware tells the kernel what hardware there is, the BSP has no device tree.
	const size_t optional = 3;
	int put = 0;

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		const struct layer *layer = revision_layer(revision, kinds[i]);
		const struct blob *blob = NULL;
		for (size_t j = 0; layer != NULL && j < revision->blob_count && blob == NULL; j++)
			if (strcmp(revision->blobs[j].layer, layer->name) == 0 &&
			    strcmp(revision->blobs[j].role, roles[i]) == 0)
				blob = &revision->blobs[j];
		if (blob == NULL && i >= optional)
			continue;
		if (blob == NULL)
			return fail(err, "the revision has no %s: it cannot be booted", roles[i]);
		int result = put_name(fs, folder, roles[i], blob->digest, false, err);
		if (result < 0)
			return -1;
		put += result;
	}
	return put;
}

int revisions_begin(struct fs *fs, const struct revision *revision, const char *signature, struct error *err)
{
	char folder[128];

	revisions_path(folder, revision->id, REVISIONS_BEGUN);
	if (fs_make_folder(fs, BEGUN, 0755, err) < 0 || fs_make_folder(fs, folder, 0755, err) < 0)
		return -1;
	return put_name(fs, folder, "signature", signature, true, err) < 0 ? -1 : 0;
}

// The signature last: until then an installed revision keeps the one that it had.
static int put_names(struct fs *fs, const char *folder, const struct revision *revision, const char *signature,
		     struct error *err)
{
	return put_boot_files(fs, folder, revision, err) < 0 ? -1
							     : put_name(fs, folder, "signature", signature, true, err);
}

static int finish_new(struct fs *fs, const char *begun, const char *folder, const struct revision *revision,
		      const char *signature, struct error *err)
{
	if (fs_make_folder(fs, FOLDER, 0755, err) < 0 || fs_make_folder(fs, BEGUN, 0755, err) < 0 ||
	    fs_make_folder(fs, begun, 0755, err) < 0 || put_names(fs, begun, revision, signature, err) < 0)
		return -1;
	// Once for all blobs and links. Only then the name that says so, and that on the medium before anybody is told.
	if (fs->calls->sync_all(fs) < 0)
		return fail_errno(err, "storage: syncing");
	if (fs->calls->rename(fs, begun, folder) < 0 || fs->calls->sync_folder(fs, FOLDER) < 0)
		return fail_errno(err, "%s", folder);
	return 0;
}

static int finish_again(struct fs *fs, const char *begun, const char *folder, const struct revision *revision,
			const char *signature, struct error *err)
{
	struct error second;

	// What came anew before what refers to it. It may have its name from an attempt that could not sync that.
	if (fs->calls->sync_all(fs) < 0)
		return fail_errno(err, "storage: syncing");
	if (put_names(fs, folder, revision, signature, err) < 0)
		return -1;
	if (fs->calls->sync_folder(fs, folder) < 0)
		return fail_errno(err, "%s", folder);
	// A begun one beside an installed one has served its purpose; failing to remove it costs a little room.
	if (fs_exists(fs, begun))
		revisions_remove(fs, revision->id, REVISIONS_BEGUN, &second);
	return 0;
}

// A damaged blob that came anew is another file; a revision that shares it has the damaged one until it is told. What it
// lacks besides is its own install's business.
static void renew(struct fs *fs, const char *id)
{
	struct revision revision;
	struct error none;
	char folder[128];
	size_t length;
	char *config = store_manifest(&revision, fs, id, &none) == 1
			       ? store_reader(fs, revision.config_digest, CONFIG_LIMIT, &length, &none) : NULL;

	revisions_path(folder, id, REVISIONS_INSTALLED);
	if (config != NULL && revision_parse_config(&revision, config, length, &none) == 0 &&
	    put_boot_files(fs, folder, &revision, &none) > 0)
		fs->calls->sync_folder(fs, folder);
	free(config);
	revision_free(&revision);
}

static void renew_others(struct fs *fs, const char *id)
{
	struct revisions all;
	struct error none;

	if (revisions_list(&all, fs, &none) == 0)
		for (size_t i = 0; i < all.count; i++)
			if (all.items[i].kind == REVISIONS_INSTALLED && strcmp(all.items[i].id, id) != 0)
				renew(fs, all.items[i].id);
}

int revisions_finish(struct fs *fs, const struct revision *revision, const char *signature, struct error *err)
{
	char begun[128], folder[128];

	revisions_path(begun, revision->id, REVISIONS_BEGUN);
	revisions_path(folder, revision->id, REVISIONS_INSTALLED);
	int result = fs_exists(fs, folder) ? finish_again(fs, begun, folder, revision, signature, err)
					   : finish_new(fs, begun, folder, revision, signature, err);
	if (result == 0)
		renew_others(fs, revision->id);
	return result;
}

// Move what is in a folder one level up, each under a new name, so that it can be removed. A container may have nested
// its volume deeper than a path is long.
static int flatten(struct fs *fs, const char *folder, const char *name, unsigned *number, struct error *err)
{
	char from[1024], to[256];
	struct names inner;
	int result = 0;

	snprintf(from, sizeof from, "%s/%s", folder, name);
	if (names_list(&inner, fs, from, BATCH, err) < 0) {
		names_free(&inner);
		return -1;
	}
	for (size_t i = 0; i < inner.count && result == 0; i++) {
		snprintf(from, sizeof from, "%s/%s/%s", folder, name, inner.items[i]);
		if (fs->calls->unlink(fs, from) == 0)
			continue;
		do
			snprintf(to, sizeof to, "%s/.%u", folder, ++*number);
		while (fs_exists(fs, to));
		if (fs->calls->rename(fs, from, to) < 0)
			result = fail_errno(err, "%s", from);
	}
	names_free(&inner);
	return result;
}

// Remove a file or a folder with all that is in it.
static int remove_all(struct fs *fs, const char *folder, struct error *err)
{
	char path[800];
	unsigned number = 0;

	if (fs->calls->unlink(fs, folder) == 0)
		return 0;
	for (;;) {
		struct names names;
		int result = names_list(&names, fs, folder, BATCH, err);
		for (size_t i = 0; i < names.count && result == 0; i++) {
			snprintf(path, sizeof path, "%s/%s", folder, names.items[i]);
			if (fs->calls->unlink(fs, path) < 0 && fs->calls->rmdir(fs, path) < 0 && errno != ENOENT)
				result = errno == ENOTEMPTY || errno == EEXIST
						 ? flatten(fs, folder, names.items[i], &number, err)
						 : fail_errno(err, "%s", path);
		}
		size_t count = names.count;
		names_free(&names);
		if (result < 0)
			return -1;
		if (count == 0)
			break;
	}
	if (fs->calls->rmdir(fs, folder) < 0 && errno != ENOENT)
		return fail_errno(err, "%s", folder);
	return 0;
}

int revisions_remove(struct fs *fs, const char *id, enum revisions_kind kind, struct error *err)
{
	char from[128], to[128];

	revisions_path(from, id, kind);
	snprintf(to, sizeof to, REMOVED "/%.64s", id);
	if (fs_make_folder(fs, REMOVED, 0755, err) < 0)
		return -1;
	// What an earlier removal left under that name.
	if (fs_exists(fs, to) && remove_all(fs, to, err) < 0)
		return -1;
	if (fs->calls->rename(fs, from, to) < 0)
		return fail_errno(err, "%s", from);
	if (fs->calls->sync_folder(fs, folders[kind]) < 0)
		return fail_errno(err, "%s", folders[kind]);
	return remove_all(fs, to, err);
}

static int tidy(struct fs *fs, const char *folder, bool all, struct error *err)
{
	char path[400];
	struct names names;
	int result;
	size_t count;

	do {
		result = names_list(&names, fs, folder, BATCH, err);
		count = 0;
		for (size_t i = 0; i < names.count && result == 0; i++) {
			if (!all && names.items[i][0] != '.')
				continue;
			snprintf(path, sizeof path, "%s/%.255s", folder, names.items[i]);
			result = remove_all(fs, path, err);
			count++;
		}
		names_free(&names);
	} while (result == 0 && count == BATCH);
	return result;
}

int revisions_tidy(struct fs *fs, struct error *err)
{
	// An older version's revision that came or went had a hidden name beside the installed ones.
	return tidy(fs, REMOVED, true, err) < 0 || tidy(fs, FOLDER, false, err) < 0 ? -1 : 0;
}
