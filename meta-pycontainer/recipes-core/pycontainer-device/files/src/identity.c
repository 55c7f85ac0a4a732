// SPDX-License-Identifier: MIT
#include "identity.h"
#include "verity.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PATH "state/identity"
#define PUBLIC PATH ".pub"

// libsodium's form of a secret key: the seed and, behind it, the public key that follows from it.
enum { seed_size = crypto_sign_SEEDBYTES, public_size = crypto_sign_PUBLICKEYBYTES, size = crypto_sign_SECRETKEYBYTES };
_Static_assert(seed_size == 32 && public_size == 32 && size == 64, "Ed25519");

static int check_key(struct identity *out, const unsigned char *key, size_t length, struct error *err)
{
	unsigned char secret[size];

	int right = length == size && crypto_sign_seed_keypair(out->public, secret, key) == 0 &&
		    sodium_memcmp(secret, key, size) == 0;
	sodium_memzero(secret, sizeof secret);
	if (!right)
		return fail(err, PATH " is damaged; remove it to give this device another key");
	hash_bytes(out->keyid, out->public, public_size);
	return 0;
}

// Returns 1, or 0 when there is none.
static int load(struct fs *fs, struct identity *out, struct error *err)
{
	size_t length;

	memset(out, 0, sizeof *out);
	int fd = fs->calls->open(fs, PATH, FS_READ);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, PATH);
	char *key = fs_read_open(fs, fd, size, &length, err);
	fs->calls->close(fs, fd);
	if (key == NULL)
		return fail_in(err, PATH);
	int result = check_key(out, (const unsigned char *)key, length, err);
	sodium_memzero(key, length);
	free(key);
	return result < 0 ? -1 : 1;
}

static int make(struct fs *fs, struct identity *out, struct error *err)
{
	unsigned char seed[seed_size], secret[size];
	ssize_t got;

	// Waits until the kernel has gathered enough, which on a machine without a source of its own takes a second or two.
	while ((got = getrandom(seed, sizeof seed, 0)) < 0 && errno == EINTR)
		;
	if (got != (ssize_t)sizeof seed)
		return fail_errno(err, "random numbers");
	int result = crypto_sign_seed_keypair(out->public, secret, seed) == 0 ? 0 : fail(err, "the key cannot be made");
	sodium_memzero(seed, sizeof seed);
	if (result == 0 && fs_make_folder(fs, "state", 0700, err) == 0)
		result = fs_write_file(fs, PATH, secret, sizeof secret, err);
	else
		result = -1;
	sodium_memzero(secret, sizeof secret);
	hash_bytes(out->keyid, out->public, public_size);
	out->made = true;
	return result;
}

static int publish(struct fs *fs, const struct identity *identity, struct error *err)
{
	char text[sodium_base64_ENCODED_LEN(public_size, sodium_base64_VARIANT_ORIGINAL) + 1];
	size_t length;
	struct error none;

	sodium_bin2base64(text, sizeof text, identity->public, public_size, sodium_base64_VARIANT_ORIGINAL);
	strcat(text, "\n");
	char *there = fs_read_file(fs, PUBLIC, sizeof text, &length, &none);
	bool same = there != NULL && strcmp(there, text) == 0;
	free(there);
	return same ? 0 : fs_write_file(fs, PUBLIC, text, strlen(text), err);
}

int identity_open(struct fs *fs, struct identity *out, struct error *err)
{
	int found = load(fs, out, err);

	if (found < 0 || (found == 0 && make(fs, out, err) < 0))
		return -1;
	// Before anybody is told of the key: a failure or a power cut while it was made may have left its name uncertain.
	if (fs->calls->sync_folder(fs, "state") < 0 || fs->calls->sync_folder(fs, "") < 0)
		return fail_errno(err, PATH);
	return publish(fs, out, err);
}

int identity_public(struct fs *fs, unsigned char out[32], char keyid[HEX_SIZE], struct error *err)
{
	struct identity identity;
	int found = load(fs, &identity, err);

	if (found <= 0)
		return found < 0 ? -1 : fail(err, "this device has no key yet");
	memcpy(out, identity.public, public_size);
	memcpy(keyid, identity.keyid, HEX_SIZE);
	return 0;
}
