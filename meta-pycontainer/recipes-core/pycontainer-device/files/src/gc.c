// SPDX-License-Identifier: MIT
#include "gc.h"
#include "names.h"
#include "references.h"
#include "revisions.h"
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOBS "blobs/sha256"
#define INCOMING "blobs/incoming"
#define BLOBS_AT_ONCE 1024

struct gc {
	struct fs *fs;
	const char *const *keep;
	struct gc_result *result;
	struct references wanted;
	struct notes notes;
};

static bool is_kept(const struct gc *gc, const char *id)
{
	for (size_t i = 0; gc->keep[i] != NULL; i++)
		if (strcmp(gc->keep[i], id) == 0)
			return true;
	return strcmp(gc->notes.trial.revision, id) == 0 || strcmp(gc->notes.trial.from, id) == 0;
}

static int remove_revision(struct gc *gc, const char *id, enum revisions_kind kind, struct error *err)
{
	if (revisions_remove(gc->fs, id, kind, err) < 0)
		return -1;
	gc->result->revisions += kind == REVISIONS_INSTALLED;
	return 0;
}

// Remove leftovers and broken revisions; collect what all others refer to.
static int tidy_revisions(struct gc *gc, struct error *err)
{
	struct revisions all;
	int result = revisions_tidy(gc->fs, err) < 0 ? -1 : revisions_list(&all, gc->fs, err);

	gc->wanted.count = 0;
	for (size_t i = 0; result == 0 && i < all.count; i++) {
		const char *id = all.items[i].id;
		enum revisions_kind kind = all.items[i].kind;
		// Of a broken one that goes, nothing is wanted.
		int whole = references_add(&gc->wanted, gc->fs, id, kind, is_kept(gc, id), err);
		if (whole < 0 || (whole == 0 && kind == REVISIONS_INSTALLED && is_kept(gc, id)))
			result = fail_in(err, "revision %.12s: cannot tell what it needs", id);
		else if (whole == 0 && !is_kept(gc, id))
			result = remove_revision(gc, id, kind, err);
	}
	references_sort(&gc->wanted);
	return result;
}

static int remove_file(struct gc *gc, const char *path, struct error *err)
{
	uint64_t size = 0;
	int fd = gc->fs->calls->open(gc->fs, path, FS_READ);

	if (fd >= 0 && gc->fs->calls->size(gc->fs, fd, &size) < 0)
		size = 0;
	if (fd >= 0)
		gc->fs->calls->close(gc->fs, fd);
	if (gc->fs->calls->unlink(gc->fs, path) < 0 && errno != ENOENT)
		return fail_errno(err, "%s", path);
	gc->result->freed += size;
	return 0;
}

// An incoming one is wanted until the blob is there.
static bool has_arrived(struct gc *gc, const char *folder, const char *name)
{
	char path[400];

	snprintf(path, sizeof path, BLOBS "/%.255s", name);
	return strcmp(folder, INCOMING) == 0 && fs_exists(gc->fs, path);
}

static int sweep_names(struct gc *gc, const char *folder, const struct names *names, unsigned *removed, struct error *err)
{
	char path[400];

	for (size_t i = 0; i < names->count; i++) {
		if (references_has(&gc->wanted, names->items[i]) && !has_arrived(gc, folder, names->items[i]))
			continue;
		snprintf(path, sizeof path, "%s/%.255s", folder, names->items[i]);
		if (remove_file(gc, path, err) < 0)
			return -1;
		++*removed;
	}
	return 0;
}

// Remove from a folder what nothing refers to; a folder may hold more names than fit in memory at once.
static int sweep(struct gc *gc, const char *folder, unsigned *removed, struct error *err)
{
	unsigned before = *removed, last;
	size_t most = BLOBS_AT_ONCE + gc->wanted.count;
	bool more;

	do {
		struct names names;
		last = *removed;
		int result = names_list(&names, gc->fs, folder, most, err);
		if (result == 0)
			result = sweep_names(gc, folder, &names, removed, err);
		more = names.count == most && *removed > last;
		names_free(&names);
		if (result < 0)
			return -1;
	} while (more);
	return *removed > before && gc->fs->calls->sync_folder(gc->fs, folder) < 0 ? fail_errno(err, "%s", folder) : 0;
}

static int tidy(struct gc *gc, struct error *err)
{
	unsigned incoming = 0;

	if (tidy_revisions(gc, err) < 0 || sweep(gc, BLOBS, &gc->result->blobs, err) < 0)
		return -1;
	return sweep(gc, INCOMING, &incoming, err);
}

// The next revision to go; without need neither one that is begun nor the one to go back to. Returns 1, 0 when there is
// none, or -1.
static int choose(struct gc *gc, bool need, char id[HEX_SIZE], enum revisions_kind *kind, struct error *err)
{
	struct revisions all;
	int rank = 0, result = revisions_list(&all, gc->fs, err);

	for (size_t i = 0; result == 0 && i < all.count; i++) {
		const char *found = all.items[i].id;
		enum revisions_kind is = all.items[i].kind;
		if (is_kept(gc, found))
			continue;
		int own = is == REVISIONS_BEGUN ? 1 : strcmp(found, gc->notes.previous) == 0 ? 2 : 3;
		if (own <= rank || (own < 3 && !need))
			continue;
		rank = own;
		*kind = is;
		memcpy(id, found, HEX_SIZE);
	}
	return result < 0 ? -1 : rank > 0;
}

static int run(struct gc *gc, uint64_t needed, struct error *err)
{
	for (;;) {
		enum revisions_kind kind;
		char id[HEX_SIZE];
		uint64_t room;
		// Each time: it also makes sure that what is kept can be read, before more is removed.
		if (tidy(gc, err) < 0)
			return -1;
		if (needed > 0 && gc->fs->calls->room(gc->fs, &room) < 0)
			return fail_errno(err, "free space");
		if (needed > 0 && room >= needed)
			return 0;
		int found = choose(gc, needed > 0, id, &kind, err);
		if (found <= 0)
			return found;
		if (remove_revision(gc, id, kind, err) < 0)
			return -1;
	}
}

int gc_run(struct fs *fs, const char *const keep[], uint64_t needed, struct gc_result *result, struct error *err)
{
	struct gc gc = {.fs = fs, .keep = keep, .result = result};

	memset(result, 0, sizeof *result);
	// Read here, where nobody else changes what is installed: who asks may know it from before. A trial that cannot be read
	// may be one of any revision.
	if (state_load(fs, &gc.notes, err) < 0 || err->text[0] != '\0')
		return fail_in(err, "collecting garbage");
	int outcome = run(&gc, needed, err);
	references_free(&gc.wanted);
	return outcome < 0 ? fail_in(err, "collecting garbage") : 0;
}

int gc_loose(struct fs *fs, struct gc_result *result, struct error *err)
{
	struct gc gc = {.fs = fs, .result = result};
	unsigned incoming = 0;

	memset(result, 0, sizeof *result);
	int outcome = references_all(&gc.wanted, fs, err);
	if (outcome == 0)
		outcome = sweep(&gc, BLOBS, &result->blobs, err);
	if (outcome == 0)
		outcome = sweep(&gc, INCOMING, &incoming, err);
	references_free(&gc.wanted);
	return outcome < 0 ? fail_in(err, "collecting garbage") : 0;
}
