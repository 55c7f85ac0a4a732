// SPDX-License-Identifier: MIT
// The revisions on storage. Where a folder of its id lies tells in which of three states one is:
//   revisions/<id>    installed: all its blobs are there
//   installing/<id>   being installed: the manifest, which its name tells, and a link to the signature say what is to come
//   removing/<id>     being removed
// The boot loader goes through revisions/ from name to name without the journal, and a change that reaches over two sectors
// may be torn when it looks. So all names there are of one length, which fill each other's gaps, and so few that they are in
// the first sector.
#pragma once
#include "error.h"
#include "fs.h"
#include "revision.h"

#define REVISIONS_MOST 256	// installed and begun ones that are read
#define REVISIONS_KEPT 5	// installed ones, before others are removed

enum revisions_kind { REVISIONS_INSTALLED, REVISIONS_BEGUN };

struct revisions {
	size_t count;
	struct revisions_entry {
		char id[HEX_SIZE];
		enum revisions_kind kind;
	} items[REVISIONS_MOST];
};

// revisions/<id> or installing/<id>.
void revisions_path(char path[128], const char *id, enum revisions_kind kind);
// List both kinds, by their ids; more than REVISIONS_MOST is an error.
int revisions_list(struct revisions *out, struct fs *fs, struct error *err);

// Note that an install of this revision has begun, with the signature (digest of its envelope) that was verified.
int revisions_begin(struct fs *fs, const struct revision *revision, const char *signature, struct error *err);
// Make it an installed one; every blob of it is there, and is brought to the medium first. One that is installed gets what
// its folder lacks, and so do others that share a blob which came anew.
int revisions_finish(struct fs *fs, const struct revision *revision, const char *signature, struct error *err);
// Remove an installed or begun revision with all that is in its folder. Its name goes first and durably: from then on its
// blobs are not needed.
int revisions_remove(struct fs *fs, const char *id, enum revisions_kind kind, struct error *err);
// Remove what interruptions left: removals that were begun, and hidden names beside revisions.
int revisions_tidy(struct fs *fs, struct error *err);
