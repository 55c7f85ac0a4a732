// SPDX-License-Identifier: MIT
// The boot record: which revision GRUB boots, and which it tries. The same rules as orchestrator/image/record.py and
// GRUB's own configuration: a change here is a change there.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_SIZE 1024
#define RECORD_TRIES 3			// attempts that a revision gets
#define RECORD_GENERATION_MOST 999999999u	// what GRUB can compare

struct record {
	uint32_t generation;
	char rev[HEX_SIZE];	// the confirmed revision
	char attempt[HEX_SIZE];	// the one that is tried; empty: none
	unsigned left;		// attempts that GRUB may still start
};

// The bytes of a record: all that counts is within the first 512, the unit that disks write whole.
int record_encode(unsigned char out[RECORD_SIZE], const struct record *record, struct error *err);
// False when the bytes are torn, garbage, or not of the right form.
bool record_decode(struct record *out, const void *bytes, size_t length);
bool record_equal(const struct record *a, const struct record *b);
// Which of two copies counts, 0 or 1; -1: neither is valid.
int record_choose(const struct record copies[2], const bool valid[2]);

// Below: the two copies on the ESP, whose root `fs` is.

// The record that counts, and in *which its copy. A copy that cannot be read is a damaged one; both damaged is an
// error.
int record_load(struct fs *fs, struct record *out, int *which, struct error *err);
// Change the record; its generation is chosen here and put into `next`. Returns 0, or 1 with an error when the change
// was made but the second copy was not brought up to date, which record_mend does. -1: when the error came from the
// first write, only reading the record anew tells whether it was changed; it is whole in any case.
int record_store(struct fs *fs, struct record *next, struct error *err);
// Bring a damaged or lagging copy up to date. Returns how many were, 0 or 1; or -1.
int record_mend(struct fs *fs, struct error *err);
