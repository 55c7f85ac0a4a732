// SPDX-License-Identifier: MIT
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct collected {
	struct names *names;
	size_t most;
	int error;
};

// What ends a listing early; not -1, which is an error of the listing itself.
enum { FULL = 1, FAILED };

static int collect(void *context, const char *name)
{
	struct collected *collected = context;
	struct names *names = collected->names;

	if (names->count == collected->most)
		return FULL;
	char **larger = realloc(names->items, (names->count + 1) * sizeof *larger);
	if (larger != NULL)
		names->items = larger;
	char *copy = larger == NULL ? NULL : strdup(name);
	if (copy == NULL) {
		collected->error = errno;
		return FAILED;
	}
	names->items[names->count++] = copy;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int names_list(struct names *out, struct fs *fs, const char *folder, size_t most, struct error *err)
{
	struct collected collected = {.names = out, .most = most};

	memset(out, 0, sizeof *out);
	int result = fs->calls->list(fs, folder, collect, &collected);
	if (result < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "%s", folder);
	if (result == FAILED) {
		errno = collected.error;
		return fail_errno(err, "%s", folder);
	}
	if (out->count > 0)
		qsort(out->items, out->count, sizeof *out->items, compare);
	return 0;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	memset(names, 0, sizeof *names);
}
