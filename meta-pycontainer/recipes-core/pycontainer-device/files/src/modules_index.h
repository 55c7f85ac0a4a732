// SPDX-License-Identifier: MIT
// The index files that depmod(8) writes, parsed once.
#pragma once
#include "modules.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct module {
	const char *name;	// with '_' for '-', without folder and suffix
	const char *path;	// relative to the folder
	const char *needs;	// paths behind the colon, separated by blanks
	bool done;		// in the kernel
	bool busy;		// being loaded: soft dependencies may form a ring
};

struct alias {
	const char *pattern;
	const char *module;
	size_t literal;		// bytes before the first wildcard
};

struct modules {
	char folder[PATH_MAX];
	int (*insert)(const char *path, void *context, struct error *err);
	void *context;
	char *dep, *alias, *softdep;
	struct module *modules;
	size_t module_count;
	struct alias *aliases;
	size_t alias_count;
	char **softdeps;
	size_t softdep_count;
};

// The next line that is neither empty nor a comment, cut out in place; NULL at the end.
char *modules_line(char **rest);
// Compare names with '-' and '_' alike.
int modules_compare(const char *a, const char *b);
// "kernel/drivers/block/virtio_blk.ko.xz" -> the length of "virtio_blk", which *base points to.
size_t modules_base(const char *path, const char **base);
struct module *modules_find(const struct modules *index, const char *name);
