// SPDX-License-Identifier: MIT
// Installing a revision: after success all of it is on the medium, and nothing refers to it yet. What is
// interrupted is resumed by doing it again. One install at a time; what it costs in time is copying and hashing, so it is
// not for the process that everything waits for.
#pragma once
#include "bundle.h"
#include "error.h"
#include "facts.h"
#include "fs.h"
#include "plan.h"

#define LOOSE_MOST 64			// blobs that no installed or begun revision refers to
#define LOOSE_BYTES (UINT64_C(16) << 20)

struct installer {
	struct fs *fs;			// storage
	const struct facts *facts;
	uint64_t floor;			// the lowest security version that may be installed
	const char *keep[4];		// ids never removed to make room: the running one, which others are like, confirmed, ...; NULL ends
	void (*progress)(void *context, const char *step, uint64_t done, uint64_t total);	// or NULL
	void *context;
	uint64_t copied;		// results: bytes and blobs that came from the bundle
	unsigned blobs;
};

// Install from a bundle: the revision whose id begins with `wanted`, or with "" the only one that fits this device. `id`
// gets its id. Nothing is written before enough keys of this product have signed it.
int install_bundle(struct installer *installer, struct bundle *bundle, const char *wanted, char id[HEX_SIZE],
		   struct error *err);
// Install blob by blob: manifest, config and envelope (`signature`) are in storage. Lists what else has to be put there;
// with nothing missing the revision is installed. *missing is to free.
int install_begin(struct installer *installer, const char *id, const char *signature, struct wanted **missing,
		  size_t *count, struct error *err);
// May a blob be put into storage: one that a begun install lists, or a small one? Where there are too many of these already
// that no install refers to, they are removed first. And is there room for it? Returns 1 when an install lists it, 0 when it
// is a small one, or -1.
int install_put_allowed(struct fs *fs, const char *hex, uint64_t size, struct error *err);
