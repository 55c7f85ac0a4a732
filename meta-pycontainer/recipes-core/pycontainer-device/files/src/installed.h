// SPDX-License-Identifier: MIT
// The revisions that are installed whole on storage.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"

#define INSTALLED_MOST 64	// that are told

struct installed {
	size_t count;
	char ids[INSTALLED_MOST][HEX_SIZE];
};

// List them; more than INSTALLED_MOST is an error.
int installed_list(struct fs *storage, struct installed *out, struct error *err);
// The one whose id begins with `given`, 4 to 64 digits; none, or more than one, is an error that says so.
int installed_find(struct fs *storage, const char *given, char id[HEX_SIZE], struct error *err);
