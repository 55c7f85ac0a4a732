// SPDX-License-Identifier: MIT
// The product facts: what the host knows before it trusts anything (/etc/pycontainer/product.json in the initramfs).
#pragma once
#include "error.h"
#include "text.h"
#include <stdint.h>

#define KEYS_MOST 16

struct key {
	char id[HEX_SIZE];		// SHA-256 of the public key
	unsigned char public[32];	// Ed25519
};

struct facts {
	char product[NAME_SIZE];
	char machine[NAME_SIZE];
	uint64_t floor;			// the lowest security version of a revision that may be installed
	unsigned threshold;		// how many different keys must have signed
	unsigned key_count;
	struct key keys[KEYS_MOST];
};

int facts_parse(struct facts *out, const char *text, size_t length, struct error *err);
int facts_read(struct facts *out, const char *path, struct error *err);
