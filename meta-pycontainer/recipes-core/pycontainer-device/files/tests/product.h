// SPDX-License-Identifier: MIT
// A small product with a key of its own, whose revisions can be put into storage or into a bundle, all in memory.
#pragma once
#include "facts.h"
#include "memfs.h"

// What makes a revision: equal texts are equal blobs. A NULL gets a default.
struct sample {
	const char *product, *machine, *kernel, *rootfs, *config;	// config: the web layer's run configuration
	const char *dtb;	// NULL: there is none
	unsigned security;
	bool wrong_verity;	// the manifest says another fs-verity digest of the kernel
	bool unsigned_;
};

struct made {
	char id[HEX_SIZE], config[HEX_SIZE], envelope[HEX_SIZE], referrer[HEX_SIZE];
	char kernel[HEX_SIZE], rootfs[HEX_SIZE];
};

extern struct facts product_facts;

// Make the key and the facts.
void product_init(void);
// Put all blobs of a revision under a folder ("" or one ending in "/") of a file system; those that only a bundle has, too.
void product_blobs(struct memfs *memfs, const char *folder, const struct sample *sample, bool bundle, struct made *made);
// Put an installed revision into storage.
void product_install(struct memfs *memfs, const struct sample *sample, struct made *made);
// Put a bundle of these revisions into a folder.
void product_bundle(struct memfs *memfs, const char *folder, const struct sample *samples, size_t count, struct made *made);
// The revision in storage verifies, its links are right, and each blob of it is whole.
bool product_whole(struct memfs *memfs, const char *id, struct error *err);
