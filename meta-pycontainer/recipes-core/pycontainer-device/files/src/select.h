// SPDX-License-Identifier: MIT
// Which revision of a bundle is meant, and is it one for this device? All in memory: nothing of a bundle is written
// anywhere before this says so.
#pragma once
#include "bundle.h"
#include "error.h"
#include "facts.h"
#include "revision.h"

int select_check_floor(const struct revision *revision, uint64_t floor, struct error *err);
// The revision whose id begins with `wanted` (4 digits or more), or with "" the only one that verifies and fits.
// `signature` gets the digest of the envelope that proves it. Returns the number of keys that signed, or -1;
// revision_free after success.
int select_revision(struct revision *out, char signature[HEX_SIZE], struct bundle *bundle, const char *wanted,
		    const struct facts *facts, uint64_t floor, struct error *err);
