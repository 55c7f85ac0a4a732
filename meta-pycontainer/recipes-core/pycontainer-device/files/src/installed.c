// SPDX-License-Identifier: MIT
#include "installed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add(void *context, const char *name)
{
	struct installed *out = context;

	// Those that are being written have other names.
	if (!text_is_hex64(name))
		return 0;
	if (out->count == INSTALLED_MOST)
		return -2;
	memcpy(out->ids[out->count++], name, HEX_SIZE);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int installed_list(struct fs *storage, struct installed *out, struct error *err)
{
	out->count = 0;
	int result = storage->calls->list(storage, "revisions", add, out);
	if (result == -2)
		return fail(err, "more than %d revisions are installed", INSTALLED_MOST);
	if (result < 0)
		return fail_errno(err, "revisions");
	qsort(out->ids, out->count, sizeof *out->ids, compare);
	return 0;
}

int installed_find(struct fs *storage, const char *given, char id[HEX_SIZE], struct error *err)
{
	struct installed *all = malloc(sizeof *all);
	size_t length = strlen(given), found = 0;

	if (all == NULL)
		return fail_errno(err, "revisions");
	int result = length < 4 ? fail(err, "%s: at least 4 digits of a revision are needed", given)
				: installed_list(storage, all, err);
	for (size_t i = 0; result == 0 && i < all->count; i++)
		if (strncmp(all->ids[i], given, length) == 0) {
			memcpy(id, all->ids[i], HEX_SIZE);
			found++;
		}
	free(all);
	if (result < 0)
		return -1;
	if (found == 0)
		return fail(err, "revision %.12s is not installed", given);
	return found == 1 ? 0 : fail(err, "%.12s is the beginning of %zu revisions", given, found);
}
