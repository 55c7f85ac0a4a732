// SPDX-License-Identifier: MIT
#include "verify.h"
#include "dsse.h"
#include "verity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *verify_content(char *text, const size_t *length, const char *digest, struct error *err)
{
	char found[HEX_SIZE];

	if (text == NULL)
		return NULL;
	hash_bytes(found, text, *length);
	if (strcmp(found, digest) == 0)
		return text;
	fail(err, "the content does not have its digest: it was changed or damaged");
	free(text);
	return NULL;
}

static char *read_named(blob_reader read, void *context, const char *digest, size_t limit, size_t *length,
			struct error *err)
{
	return verify_content(read(context, digest, limit, length, err), length, digest, err);
}

static int check_envelope(const char *envelope, size_t length, const char *id, size_t manifest_length,
			  const struct facts *facts, struct error *err)
{
	struct statement statement;
	int count = dsse_verify(&statement, envelope, length, facts, err);

	if (count < 0)
		return -1;
	if (strcmp(statement.digest, id) != 0)
		return fail(err, "signature: it is for revision %.12s", statement.digest);
	if (statement.size != manifest_length)
		return fail(err, "signature: it is for a manifest of %" PRIu64 " bytes", statement.size);
	if (strcmp(statement.product, facts->product) != 0)
		return fail(err, "signature: it is for product %s, this device is %s", statement.product, facts->product);
	return count;
}

static int check_config(struct revision *out, const char *config, size_t length, const struct facts *facts,
			struct error *err)
{
	if (length != out->config_size)
		return fail(err, "config: not of the size that the manifest says");
	if (revision_parse_config(out, config, length, err) < 0)
		return -1;
	if (strcmp(out->product, facts->product) != 0)
		return fail(err, "config: product is %s, this device is %s", out->product, facts->product);
	if (strcmp(out->machine, facts->machine) != 0)
		return fail(err, "config: machine is %s, this device is %s", out->machine, facts->machine);
	return 0;
}

static int verify_parts(struct revision *out, const char *id, const char *signature, blob_reader read, void *context,
			const struct facts *facts, struct error *err)
{
	size_t manifest_length, length;
	char *manifest = read_named(read, context, id, MANIFEST_LIMIT, &manifest_length, err);

	if (manifest == NULL)
		return fail_in(err, "manifest");
	// The signature comes first: only signed bytes are worth parsing.
	char *envelope = read_named(read, context, signature, DSSE_LIMIT, &length, err);
	int signers = envelope == NULL ? fail_in(err, "signature")
				       : check_envelope(envelope, length, id, manifest_length, facts, err);
	free(envelope);
	int result = signers < 0 ? -1 : revision_parse_manifest(out, manifest, manifest_length, err);
	free(manifest);
	if (result < 0)
		return -1;
	memcpy(out->id, id, sizeof out->id);
	char *config = read_named(read, context, out->config_digest, CONFIG_LIMIT, &length, err);
	result = config == NULL ? fail_in(err, "config") : check_config(out, config, length, facts, err);
	free(config);
	return result < 0 ? -1 : signers;
}

int verify_revision(struct revision *out, const char *id, const char *signature, blob_reader read, void *context,
		    const struct facts *facts, struct error *err)
{
	memset(out, 0, sizeof *out);
	int signers = verify_parts(out, id, signature, read, context, facts, err);
	return signers < 0 ? fail_in(err, "revision %.12s", id) : signers;
}
