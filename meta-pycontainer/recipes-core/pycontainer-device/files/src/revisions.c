// SPDX-License-Identifier: MIT
#include "revisions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "revisions"
#define BATCH 256

enum revisions_kind revisions_kind(const char *name, char id[HEX_SIZE])
{
	if (text_is_hex64(name)) {
		memcpy(id, name, HEX_SIZE);
		return REVISIONS_INSTALLED;
	}
	if (name[0] != '.' || strlen(name) != 1 + 64 + 4 || strcmp(name + 65, ".new") != 0)
		return REVISIONS_LEFTOVER;
	memcpy(id, name + 1, 64);
	id[64] = '\0';
	return text_is_hex64(id) ? REVISIONS_BEGUN : REVISIONS_LEFTOVER;
}

void revisions_path(char path[128], const char *id, enum revisions_kind kind)
{
	snprintf(path, 128, kind == REVISIONS_INSTALLED ? FOLDER "/%.64s" : FOLDER "/.%.64s.new", id);
}

// A link of the same text in another revision's folder gets a second name: a new one would cost storage a block of its own.
static bool share_link(struct fs *fs, const char *like, const char *name, const char *target, const char *path)
{
	char other[256], found[128];

	if (like == NULL)
		return false;
	snprintf(other, sizeof other, FOLDER "/%.64s/%s", like, name);
	return fs->calls->readlink(fs, other, found, sizeof found) >= 0 && strcmp(found, target) == 0 &&
	       fs->calls->link(fs, other, path) == 0;
}

// Let a name in a revision's folder be a link to a blob, whatever it was before.
static int put_link(struct fs *fs, const char *folder, const char *name, const char *digest, const char *like,
		    struct error *err)
{
	char path[256], temporary[256], target[128], found[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(temporary, sizeof temporary, "%s/.%s.new", folder, name);
	snprintf(target, sizeof target, "../../blobs/sha256/%.64s", digest);
	if (fs->calls->readlink(fs, path, found, sizeof found) >= 0 && strcmp(found, target) == 0)
		return 0;
	if (fs->calls->unlink(fs, temporary) < 0 && errno != ENOENT)
		return fail_errno(err, "%s", temporary);
	if ((!share_link(fs, like, name, target, temporary) && fs->calls->symlink(fs, target, temporary) < 0) ||
	    fs->calls->rename(fs, temporary, path) < 0)
		return fail_errno(err, "%s", path);
	return 0;
}

// What the boot loader reads: it finds the files by these names and knows no manifest.
static int put_boot_files(struct fs *fs, const char *folder, const struct revision *revision, const char *like,
			  struct error *err)
{
	static const char *const kinds[] = {"bsp", "host", "host", "bsp"};
	static const char *const roles[] = {"kernel", "initramfs", "boot-env", "dtb"};
	// Where the firmware tells the kernel what hardware there is, the BSP has no device tree.
	const size_t optional = 3;

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
		if (put_link(fs, folder, roles[i], blob->digest, like, err) < 0)
			return -1;
	}
	return 0;
}

int revisions_begin(struct fs *fs, const struct revision *revision, const char *signature, struct error *err)
{
	char folder[128];

	revisions_path(folder, revision->id, REVISIONS_BEGUN);
	if (fs_make_folder(fs, FOLDER, 0755, err) < 0 || fs_make_folder(fs, folder, 0755, err) < 0)
		return -1;
	return put_link(fs, folder, "signature", signature, NULL, err);
}

// The signature last: until then an installed revision keeps the one that it had.
static int put_links(struct fs *fs, const char *folder, const struct revision *revision, const char *signature,
		     const char *like, struct error *err)
{
	return put_boot_files(fs, folder, revision, like, err) < 0 ? -1
								   : put_link(fs, folder, "signature", signature, NULL, err);
}

static int finish_new(struct fs *fs, const char *begun, const char *folder, const struct revision *revision,
		      const char *signature, const char *like, struct error *err)
{
	if (fs_make_folder(fs, begun, 0755, err) < 0 || put_links(fs, begun, revision, signature, like, err) < 0)
		return -1;
	// Once for all blobs and links. Only then the name that says so, and that on the medium before anybody is told.
	if (fs->calls->sync_all(fs) < 0)
		return fail_errno(err, "storage: syncing");
	if (fs->calls->rename(fs, begun, folder) < 0 || fs->calls->sync_folder(fs, FOLDER) < 0)
		return fail_errno(err, "%s", folder);
	return 0;
}

int revisions_finish(struct fs *fs, const struct revision *revision, const char *signature, const char *like,
		     struct error *err)
{
	char begun[128], folder[128];
	struct error second;

	revisions_path(begun, revision->id, REVISIONS_BEGUN);
	revisions_path(folder, revision->id, REVISIONS_INSTALLED);
	if (!fs_exists(fs, folder))
		return finish_new(fs, begun, folder, revision, signature, like, err);
	// What came anew before what refers to it. It may have its name from an attempt that could not sync that.
	if (fs->calls->sync_all(fs) < 0)
		return fail_errno(err, "storage: syncing");
	if (put_links(fs, folder, revision, signature, like, err) < 0)
		return -1;
	if (fs->calls->sync_folder(fs, folder) < 0)
		return fail_errno(err, "%s", folder);
	// A begun one beside an installed one has served its purpose; failing to remove it costs a little room.
	if (fs_exists(fs, begun) && revisions_hide(fs, begun + sizeof FOLDER, &second) == 0) {
		snprintf(begun, sizeof begun, ".%.64s.old", revision->id);
		revisions_remove(fs, begun, &second);
	}
	return 0;
}

int revisions_hide(struct fs *fs, const char *name, struct error *err)
{
	char from[128], to[128], id[HEX_SIZE];

	if (revisions_kind(name, id) == REVISIONS_LEFTOVER)
		return fail(err, "%.80s: not a revision", name);
	snprintf(from, sizeof from, FOLDER "/%.80s", name);
	snprintf(to, sizeof to, FOLDER "/.%s.old", id);
	// What an earlier removal left under that name.
	if (fs_exists(fs, to) && revisions_remove(fs, to + sizeof FOLDER, err) < 0)
		return -1;
	if (fs->calls->rename(fs, from, to) < 0)
		return fail_errno(err, "%s", from);
	return fs->calls->sync_folder(fs, FOLDER) < 0 ? fail_errno(err, FOLDER) : 0;
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

int revisions_remove(struct fs *fs, const char *name, struct error *err)
{
	char folder[400], path[800];
	unsigned number = 0;

	snprintf(folder, sizeof folder, FOLDER "/%.300s", name);
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
