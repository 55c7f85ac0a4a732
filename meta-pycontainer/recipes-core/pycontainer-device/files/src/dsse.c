// SPDX-License-Identifier: MIT
#include "dsse.h"
#include "json.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_TYPE "application/vnd.pycontainer.revision.signature.v1+json"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define SIGNATURES_MOST 32

// Decode standard base64 with padding; returns a buffer to free.
static unsigned char *decode(const json_t *object, const char *key, size_t *length, struct error *err)
{
	const char *text = json_get_text(object, key, err), *end;

	if (text == NULL)
		return NULL;
	size_t size = strlen(text), room = size / 4 * 3 + 3;
	unsigned char *bytes = malloc(room);
	if (bytes == NULL) {
		fail_errno(err, "%s", key);
		return NULL;
	}
	if (sodium_base642bin(bytes, room, text, size, NULL, length, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    *end != '\0') {
		fail(err, "%s: not base64", key);
		free(bytes);
		return NULL;
	}
	return bytes;
}

// DSSE's pre-authentication encoding: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body.
static unsigned char *encode(const unsigned char *payload, size_t length, size_t *total, struct error *err)
{
	char head[sizeof PAYLOAD_TYPE + 64];
	int size = snprintf(head, sizeof head, "DSSEv1 %zu %s %zu ", sizeof PAYLOAD_TYPE - 1, PAYLOAD_TYPE, length);
	unsigned char *bytes = malloc((size_t)size + length);

	if (bytes == NULL) {
		fail_errno(err, "payload");
		return NULL;
	}
	memcpy(bytes, head, (size_t)size);
	memcpy(bytes + size, payload, length);
	*total = (size_t)size + length;
	return bytes;
}

// Note in `signer` the key that made this signature. One by an unknown key is no error, a newer product may have more
// keys; one that is not even formed like a signature is.
static int match(bool signer[KEYS_MOST], const json_t *entry, const unsigned char *message, size_t length,
		 const struct facts *facts, struct error *err)
{
	size_t size = 0;

	if (!json_is_object(entry))
		return fail(err, "not an object");
	const char *keyid = json_object_get(entry, "keyid") == NULL ? "" : json_get_text(entry, "keyid", err);
	unsigned char *signature = keyid == NULL ? NULL : decode(entry, "sig", &size, err);
	if (signature == NULL)
		return -1;
	if (size != crypto_sign_BYTES) {
		free(signature);
		return fail(err, "sig: not of %d bytes", (int)crypto_sign_BYTES);
	}
	for (unsigned i = 0; i < facts->key_count; i++)
		if (strcmp(facts->keys[i].id, keyid) == 0 &&
		    crypto_sign_verify_detached(signature, message, length, facts->keys[i].public) == 0)
			signer[i] = true;
	free(signature);
	return 0;
}

static int count_signers(const json_t *root, const unsigned char *message, size_t length, const struct facts *facts,
			 struct error *err)
{
	const json_t *signatures = json_get_array(root, "signatures", SIGNATURES_MOST, err);
	bool signer[KEYS_MOST] = {false};
	int count = 0;

	if (signatures == NULL)
		return -1;
	for (size_t i = 0; i < json_array_size(signatures); i++)
		if (match(signer, json_array_get(signatures, i), message, length, facts, err) < 0)
			return fail_in(err, "signatures[%zu]", i);
	for (unsigned i = 0; i < facts->key_count; i++)
		count += signer[i];
	if (count < (int)facts->threshold)
		return fail(err, "%d valid signatures by keys of this product, %u are needed", count, facts->threshold);
	return count;
}

// Exactly these members in exactly this spelling: a statement that says more might restrict what this program does not
// see, and equal statements shall be equal bytes.
static bool is_canonical(const struct statement *statement, const unsigned char *payload, size_t length)
{
	char text[512];
	int size = snprintf(text, sizeof text,
			    "{\"digest\":\"sha256:%s\",\"mediaType\":\"" MANIFEST_TYPE "\",\"product\":\"%s\",\"size\":%" PRIu64 "}",
			    statement->digest, statement->product, statement->size);

	return size > 0 && (size_t)size == length && memcmp(text, payload, length) == 0;
}

static int parse_statement(struct statement *out, const unsigned char *payload, size_t length, struct error *err)
{
	json_t *root = json_object_parse((const char *)payload, length, err);

	if (root == NULL)
		return -1;
	int result = -1;
	if (json_get_digest(root, "digest", out->digest, err) == 0 &&
	    json_get_name(root, "product", out->product, err) == 0 &&
	    json_get_number(root, "size", 1, INT64_MAX, &out->size, err) == 0)
		result = is_canonical(out, payload, length) ? 0 : fail(err, "not in the one form that is signed");
	json_decref(root);
	return result;
}

int dsse_verify(struct statement *out, const char *envelope, size_t length, const struct facts *facts, struct error *err)
{
	size_t payload_length = 0, message_length = 0;
	unsigned char *payload = NULL, *message = NULL;
	int count = -1;

	if (length > DSSE_LIMIT)
		return fail(err, "signature: larger than %d bytes", DSSE_LIMIT);
	json_t *root = json_object_parse(envelope, length, err);
	if (root != NULL && json_expect_text(root, "payloadType", PAYLOAD_TYPE, err) == 0)
		payload = decode(root, "payload", &payload_length, err);
	if (payload != NULL)
		message = encode(payload, payload_length, &message_length, err);
	if (message != NULL)
		count = count_signers(root, message, message_length, facts, err);
	if (count >= 0 && parse_statement(out, payload, payload_length, err) < 0)
		count = fail_in(err, "payload");
	free(message);
	free(payload);
	json_decref(root);
	return count < 0 ? fail_in(err, "signature") : count;
}
