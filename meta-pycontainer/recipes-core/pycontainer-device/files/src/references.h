// SPDX-License-Identifier: MIT
// Which blobs revisions refer to.
#pragma once
#include "error.h"
#include "fs.h"
#include "revisions.h"

struct references {
	size_t count, room;
	char (*items)[HEX_SIZE];	// digests
};

// Add all blobs that a revision refers to: by its manifest and by the links in its folder. Returns 1; 0 when its manifest is
// missing or damaged, after adding the links when `links` says so; or -1.
int references_add(struct references *references, struct fs *fs, const char *id, enum revisions_kind kind, bool links,
		   struct error *err);
// Add, and sort, all that installed and begun revisions refer to; fails when an installed one cannot tell.
int references_all(struct references *references, struct fs *fs, struct error *err);
// Once all are added, and before anything is looked up.
void references_sort(struct references *references);
bool references_has(const struct references *references, const char *name);
void references_free(struct references *references);

// Count the blobs, received or on their way, that no installed or begun revision refers to, and their bytes; `but` is not
// counted. Counting ends at `most`.
int references_loose(struct fs *fs, const char *but, size_t most, size_t *count, uint64_t *bytes, struct error *err);
