// SPDX-License-Identifier: MIT
#include "references.h"
#include "names.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_NAMES_MOST 64

static int add(struct references *references, const char *digest, struct error *err)
{
	if (references->count == references->room) {
		size_t room = references->room == 0 ? 256 : references->room * 2;
		char(*larger)[HEX_SIZE] = realloc(references->items, room * sizeof *larger);
		if (larger == NULL)
			return fail_errno(err, "references");
		references->items = larger;
		references->room = room;
	}
	memcpy(references->items[references->count++], digest, HEX_SIZE);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, HEX_SIZE);
}

// The blobs that the links in a revision's folder name.
static int add_links(struct references *references, struct fs *fs, const char *folder, struct error *err)
{
	struct names names;
	int result = names_list(&names, fs, folder, FOLDER_NAMES_MOST, err);

	for (size_t i = 0; i < names.count && result == 0; i++) {
		char path[400], target[128], digest[HEX_SIZE];
		snprintf(path, sizeof path, "%s/%.255s", folder, names.items[i]);
		// A folder of volumes is no link; a link that cannot be read might be the signature.
		if (fs->calls->readlink(fs, path, target, sizeof target) < 0)
			result = errno == EINVAL || errno == ENAMETOOLONG || errno == ENOENT
					 ? 0 : fail_errno(err, "%s", path);
		else if (store_target(target, digest))
			result = add(references, digest, err);
	}
	names_free(&names);
	return result;
}

int references_add(struct references *references, struct fs *fs, const char *id, enum revisions_kind kind, bool links,
		   struct error *err)
{
	struct revision revision;
	char folder[128];
	int result = store_manifest(&revision, fs, id, err);

	revisions_path(folder, id, kind);
	if ((result > 0 || (result == 0 && links)) && add_links(references, fs, folder, err) < 0)
		result = -1;
	if (result > 0 && (add(references, id, err) < 0 || add(references, revision.config_digest, err) < 0))
		result = -1;
	for (size_t i = 0; i < revision.blob_count && result > 0; i++)
		if (add(references, revision.blobs[i].digest, err) < 0)
			result = -1;
	revision_free(&revision);
	return result;
}

void references_sort(struct references *references)
{
	if (references->count > 0)
		qsort(references->items, references->count, HEX_SIZE, compare);
}

bool references_has(const struct references *references, const char *name)
{
	return references->count > 0 && strlen(name) == HEX_SIZE - 1 &&
	       bsearch(name, references->items, references->count, HEX_SIZE, compare) != NULL;
}

void references_free(struct references *references)
{
	free(references->items);
	*references = (struct references){.count = 0};
}

static int collect(struct references *references, struct fs *fs, bool whole, struct error *err)
{
	struct revisions all;
	int result = revisions_list(&all, fs, err);

	for (size_t i = 0; result >= 0 && i < all.count; i++) {
		result = references_add(references, fs, all.items[i].id, all.items[i].kind, true, err);
		// Of a begun one without a manifest nothing is wanted yet.
		if (result == 0 && whole && all.items[i].kind == REVISIONS_INSTALLED)
			result = fail_in(err, "revision %.12s: cannot tell what it needs", all.items[i].id);
	}
	references_sort(references);
	return result < 0 ? -1 : 0;
}

int references_all(struct references *references, struct fs *fs, struct error *err)
{
	return collect(references, fs, true, err);
}

static int count_loose(const struct references *references, struct fs *fs, const char *folder, const char *but,
		       size_t most, size_t *count, uint64_t *bytes, struct error *err)
{
	struct names names;
	// Of so many, enough are loose whichever they are.
	int result = names_list(&names, fs, folder, references->count + most + 1, err);

	for (size_t i = 0; i < names.count && result == 0 && *count < most; i++) {
		char path[400];
		uint64_t size = 0;
		if (strcmp(names.items[i], but) == 0 || references_has(references, names.items[i]))
			continue;
		snprintf(path, sizeof path, "%s/%.255s", folder, names.items[i]);
		int fd = fs->calls->open(fs, path, FS_READ);
		if (fd < 0 || fs->calls->size(fs, fd, &size) < 0)
			result = fail_errno(err, "%s", path);
		if (fd >= 0)
			fs->calls->close(fs, fd);
		*bytes += size;
		++*count;
	}
	names_free(&names);
	return result;
}

int references_loose(struct fs *fs, const char *but, size_t most, size_t *count, uint64_t *bytes, struct error *err)
{
	struct references references = {.count = 0};
	int result = collect(&references, fs, false, err);

	*count = 0;
	*bytes = 0;
	if (result == 0)
		result = count_loose(&references, fs, "blobs/sha256", but, most, count, bytes, err);
	if (result == 0)
		result = count_loose(&references, fs, "blobs/incoming", but, most, count, bytes, err);
	references_free(&references);
	return result;
}
