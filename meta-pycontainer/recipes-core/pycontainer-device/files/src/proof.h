// SPDX-License-Identifier: MIT
// The proof of a whole revision on storage, before it is tried.
#pragma once
#include "error.h"
#include "fs.h"
#include "revision.h"

// Every blob, those that are read by the boot loader too.
int proof_all(struct fs *storage, const struct revision *revision, struct error *err);
// Read the first bytes of the images that a live change will mount, so that they are in memory when the old container
// stops: sealing has just driven them out. What cannot be read now is told when it is used.
void proof_warm(struct fs *storage, const struct revision *next, const struct revision *running);
