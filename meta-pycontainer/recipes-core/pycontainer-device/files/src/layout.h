// SPDX-License-Identifier: MIT
// index.json of an OCI image layout (image-spec v1.1, image-layout.md): the revisions of a bundle, and what may be their
// signatures.
#pragma once
#include "error.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_LIMIT (4u << 20)
#define LAYOUT_REVISIONS_MOST 256
#define LAYOUT_SIGNATURES_MOST 1024

// A manifest of the index.
struct layout_entry {
	char digest[HEX_SIZE];
	char subject[HEX_SIZE];	// of a signature: the revision that it says it belongs to; "" when it does not say
};

struct layout {
	size_t revision_count, signature_count;
	struct layout_entry *revisions, *signatures;
};

// The content of the file oci-layout.
int layout_parse_version(const char *text, size_t length, struct error *err);
// Each revision and signature once, in the order of the index; entries of other kinds are passed over. After a failure and
// at the end: layout_free.
int layout_parse(struct layout *out, const char *text, size_t length, struct error *err);
void layout_free(struct layout *layout);
// A signature's manifest, which must be one of that revision: the digest of its one blob, the DSSE envelope.
int layout_parse_signature(char envelope[HEX_SIZE], const char *revision, const char *text, size_t length,
			   struct error *err);
