// SPDX-License-Identifier: MIT
// The device's own key (Ed25519): made at the first boot, never changed. Below storage, state/identity holds the seed
// and the public key, 32 bytes each, for this program only; state/identity.pub the public key in Base64, for people.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"
#include <stdbool.h>

struct identity {
	unsigned char public[32];
	char keyid[HEX_SIZE];	// SHA-256 of the public key, as for every other key
	bool made;		// just now
};

// Read it; make it when there is none. A damaged one is an error and stays: whoever knows this device by its key has to
// be told of another one. When the error came from identity.pub alone, `out` is filled all the same.
int identity_open(struct fs *fs, struct identity *out, struct error *err);
// Read it; none is an error.
int identity_public(struct fs *fs, unsigned char out[32], char keyid[HEX_SIZE], struct error *err);
