// SPDX-License-Identifier: MIT
#include "installed.h"
#include "revisions.h"

#include <string.h>

int installed_find(struct fs *storage, const char *given, char id[HEX_SIZE], struct error *err)
{
	struct revisions all;
	size_t length = strlen(given), found = 0;

	if (length < 4)
		return fail(err, "%s: at least 4 digits of a revision are needed", given);
	if (revisions_list(&all, storage, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		if (all.items[i].kind == REVISIONS_INSTALLED && strncmp(all.items[i].id, given, length) == 0) {
			memcpy(id, all.items[i].id, HEX_SIZE);
			found++;
		}
	if (found == 0)
		return fail(err, "revision %.12s is not installed", given);
	return found == 1 ? 0 : fail(err, "%.12s is the beginning of %zu revisions", given, found);
}
