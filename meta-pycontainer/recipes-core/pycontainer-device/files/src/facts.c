// SPDX-License-Identifier: MIT
#include "facts.h"
#include "file.h"
#include "json.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int parse_key(struct key *out, const json_t *entry, struct error *err)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char id[HEX_SIZE];
	size_t length;
	const char *end;

	if (!json_is_object(entry))
		return fail(err, "not an object");
	const char *keyid = json_get_text(entry, "keyid", err);
	const char *public = keyid == NULL ? NULL : json_get_text(entry, "public", err);
	if (public == NULL)
		return -1;
	if (sodium_base642bin(out->public, sizeof out->public, public, strlen(public), NULL, &length, &end,
			      sodium_base64_VARIANT_ORIGINAL) != 0 || *end != '\0' || length != sizeof out->public)
		return fail(err, "public: not 32 bytes in base64");
	crypto_hash_sha256(hash, out->public, sizeof out->public);
	text_to_hex(id, hash, sizeof hash);
	if (strcmp(id, keyid) != 0)
		return fail(err, "keyid: not the SHA-256 of the public key");
	memcpy(out->id, id, sizeof id);
	return 0;
}

static int parse_keys(struct facts *out, const json_t *root, struct error *err)
{
	const json_t *keys = json_get_array(root, "keys", KEYS_MOST, err);
	uint64_t threshold;

	if (keys == NULL)
		return -1;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		struct key *key = &out->keys[i];
		if (parse_key(key, json_array_get(keys, i), err) < 0)
			return fail_in(err, "keys[%zu]", i);
		for (size_t other = 0; other < i; other++)
			if (strcmp(out->keys[other].id, key->id) == 0)
				return fail(err, "keys[%zu]: the same key twice", i);
		out->key_count++;
	}
	if (json_get_number(root, "threshold", 1, KEYS_MOST, &threshold, err) < 0)
		return -1;
	if (threshold > out->key_count)
		return fail(err, "threshold is %u, but there are %u keys", (unsigned)threshold, out->key_count);
	out->threshold = (unsigned)threshold;
	return 0;
}

int facts_parse(struct facts *out, const char *text, size_t length, struct error *err)
{
	uint64_t version;
	json_t *root = json_object_parse(text, length, err);

	memset(out, 0, sizeof *out);
	if (root == NULL)
		return -1;
	int result = -1;
	if (json_get_number(root, "schemaVersion", 1, 1, &version, err) == 0 &&
	    json_get_name(root, "product", out->product, err) == 0 &&
	    json_get_name(root, "machine", out->machine, err) == 0 &&
	    json_get_number(root, "floor", 0, INT64_MAX, &out->floor, err) == 0)
		result = parse_keys(out, root, err);
	json_decref(root);
	return result;
}

int facts_read(struct facts *out, const char *path, struct error *err)
{
	size_t length;
	char *text = file_read(AT_FDCWD, path, 65536, &length, err);

	if (text == NULL)
		return -1;
	int result = facts_parse(out, text, length, err);
	free(text);
	return result < 0 ? fail_in(err, "%s", path) : 0;
}
