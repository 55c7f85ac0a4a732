// SPDX-License-Identifier: MIT
// Signatures: DSSE envelopes (secure-systems-lab/dsse, protocol 1.0) with Ed25519.
#pragma once
#include "error.h"
#include "facts.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

#define DSSE_LIMIT 65536

// What was signed.
struct statement {
	char digest[HEX_SIZE];	// of the revision's manifest
	uint64_t size;		// of the manifest in bytes
	char product[NAME_SIZE];
};

// Check that at least facts->threshold different keys of the facts signed the envelope, then read its payload. Returns
// the number of keys whose signature is valid, or -1.
int dsse_verify(struct statement *out, const char *envelope, size_t length, const struct facts *facts, struct error *err);
