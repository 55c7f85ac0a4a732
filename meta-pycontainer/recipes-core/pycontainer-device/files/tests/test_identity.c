// SPDX-License-Identifier: MIT
// The device's key: made once, whatever fails and whenever the power does.
#include "check.h"
#include "identity.h"
#include "memfs.h"
#include "verity.h"

#include <errno.h>
#include <sodium.h>

static bool is_public(const struct memfs *memfs, const struct identity *identity)
{
	unsigned char found[32];
	size_t length, used;
	const char *text = memfs_get(memfs, "state/identity.pub", &length);

	return text != NULL && length == 45 && text[44] == '\n' &&
	       sodium_base642bin(found, sizeof found, text, 44, NULL, &used, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       used == 32 && memcmp(found, identity->public, 32) == 0;
}

static void test_once(void)
{
	struct memfs memfs, other;
	struct identity first, again;
	unsigned char public[32];
	char keyid[HEX_SIZE], hash[HEX_SIZE];
	struct error none = {""};
	size_t length;

	memfs_init(&memfs, NULL);
	check_error(identity_public(&memfs.fs, public, keyid, err), "no key yet");
	check(identity_open(&memfs.fs, &first, &none) == 0 && first.made);
	const char *secret = memfs_get(&memfs, "state/identity", &length);
	check(secret != NULL && length == 64 && memcmp(secret + 32, first.public, 32) == 0);
	hash_bytes(hash, first.public, 32);
	check(strcmp(first.keyid, hash) == 0 && is_public(&memfs, &first));
	check(identity_open(&memfs.fs, &again, &none) == 0 && !again.made && memcmp(first.public, again.public, 32) == 0);
	check(identity_public(&memfs.fs, public, keyid, &none) == 0 && memcmp(first.public, public, 32) == 0);
	check(strcmp(keyid, first.keyid) == 0);
	// It signs, and what it signs is verified by its public half.
	unsigned char signature[crypto_sign_BYTES];
	check(crypto_sign_detached(signature, NULL, (const unsigned char *)"x", 1, (const unsigned char *)secret) == 0);
	check(crypto_sign_verify_detached(signature, (const unsigned char *)"x", 1, public) == 0);

	// The public file is mended, the secret one is not.
	memfs_put(&memfs, "state/identity.pub", "AAAA\n", 5);
	check(identity_open(&memfs.fs, &again, &none) == 0 && is_public(&memfs, &first));
	check(memfs.fs.calls->unlink(&memfs.fs, "state/identity.pub") == 0);
	check(identity_open(&memfs.fs, &again, &none) == 0 && is_public(&memfs, &first));
	char bytes[65];
	memcpy(bytes, secret, 64);
	for (size_t cut = 0; cut < 66; cut += 13) {
		memfs_put(&memfs, "state/identity", bytes, cut);
		check_error(identity_open(&memfs.fs, &again, err), cut > 64 ? "larger than 64" : "state/identity is damaged");
		check(memfs_get(&memfs, "state/identity", &length) != NULL && length == cut);
	}
	for (int byte = 0; byte < 64; byte += 9) {
		bytes[byte] ^= 16;
		memfs_put(&memfs, "state/identity", bytes, 64);
		check_error(identity_public(&memfs.fs, public, keyid, err), "is damaged");
		bytes[byte] ^= 16;
	}
	memfs_put(&memfs, "state/identity", bytes, 64);
	check(identity_open(&memfs.fs, &again, &none) == 0 && memcmp(first.public, again.public, 32) == 0);

	// Two devices, two keys.
	memfs_init(&other, NULL);
	check(identity_open(&other.fs, &again, &none) == 0 && memcmp(first.public, again.public, 32) != 0);
	memfs_free(&other);
	memfs_free(&memfs);
}

static bool test_one_fault(enum fault_kind kind, unsigned at, enum memfs_restart restart)
{
	struct memfs memfs;
	struct fault fault = {.kind = kind, .at = at, .error = EIO};
	struct identity first, again, last;
	struct error err = {""};

	memfs_init(&memfs, NULL);
	memfs.fault = &fault;
	int result = identity_open(&memfs.fs, &first, &err);
	check(result == 0 || err.text[0] != '\0');
	bool reached = fault.hit;
	if (kind == FAULT_CRASH)
		memfs_restart(&memfs, restart);
	memfs.fault = NULL;
	check(identity_open(&memfs.fs, &again, &err) == 0 && is_public(&memfs, &again));
	// What was given out once is the key for good.
	check(result < 0 || memcmp(first.public, again.public, 32) == 0);
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(identity_open(&memfs.fs, &last, &err) == 0 && memcmp(again.public, last.public, 32) == 0);
	memfs_free(&memfs);
	return reached;
}

int main(void)
{
	check(sodium_init() >= 0);
	test_once();
	unsigned at = 1;
	for (; test_one_fault(FAULT_ERROR, at, MEMFS_NOTHING); at++)
		for (int restart = 0; restart < MEMFS_RESTARTS; restart++)
			test_one_fault(FAULT_CRASH, at, (enum memfs_restart)restart);
	check(at > 10);
	return check_result("identity");
}
