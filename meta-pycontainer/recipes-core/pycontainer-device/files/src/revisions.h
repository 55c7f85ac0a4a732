// SPDX-License-Identifier: MIT
// The folder revisions/ of storage. A revision is in one of three states, told by its name:
//   <id>         installed: all its blobs are there
//   .<id>.new    being installed: the manifest, which its name tells, and a link to the signature say what is to come
//   .<id>.old    being removed
#pragma once
#include "error.h"
#include "fs.h"
#include "names.h"
#include "revision.h"

#define REVISIONS_MOST 256

// How a name in revisions/ is to be read. `id` gets the id of the first two kinds.
enum revisions_kind { REVISIONS_INSTALLED, REVISIONS_BEGUN, REVISIONS_LEFTOVER };
enum revisions_kind revisions_kind(const char *name, char id[HEX_SIZE]);
// revisions/<id> or revisions/.<id>.new.
void revisions_path(char path[128], const char *id, enum revisions_kind kind);

// Note that an install of this revision has begun, with the signature (digest of its envelope) that was verified.
int revisions_begin(struct fs *fs, const struct revision *revision, const char *signature, struct error *err);
// Make it an installed one; every blob of it is there, and is brought to the medium first. One that is installed gets what
// its folder lacks, and so do others that share a blob which came anew.
int revisions_finish(struct fs *fs, const struct revision *revision, const char *signature, struct error *err);
// Hide an installed or begun revision, durably: from then on its blobs are not needed.
int revisions_hide(struct fs *fs, const char *name, struct error *err);
// Remove a hidden folder with all that is in it.
int revisions_remove(struct fs *fs, const char *name, struct error *err);
