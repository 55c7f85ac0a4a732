// SPDX-License-Identifier: MIT
// The names in a folder, sorted.
#pragma once
#include "error.h"
#include "fs.h"

struct names {
	size_t count;
	char **items;
};

// At most `most` of them, whichever they are; a folder that is not there has none. After a failure and at the end:
// names_free.
int names_list(struct names *out, struct fs *fs, const char *folder, size_t most, struct error *err);
void names_free(struct names *names);
