// SPDX-License-Identifier: MIT
// The rules by which a revision is trusted, wherever its bytes come from: storage at a boot, a bundle at an install.
#pragma once
#include "error.h"
#include "facts.h"
#include "revision.h"

// Reads the small blob of this digest, at most `limit` bytes: a zero-terminated buffer to free, or NULL. Need not check
// the digest.
typedef char *(*blob_reader)(void *context, const char *digest, size_t limit, size_t *length, struct error *err);

// Pass on a text, NULL included, whose bytes have this digest; free any other one and return NULL.
char *verify_content(char *text, const size_t *length, const char *digest, struct error *err);
// Read manifest, signature (the blob of a DSSE envelope) and config of the revision `id`, and check all of them: digests,
// signers, product, machine. Returns the number of keys that signed, or -1; revision_free in both cases.
int verify_revision(struct revision *out, const char *id, const char *signature, blob_reader read, void *context,
		    const struct facts *facts, struct error *err);
