// SPDX-License-Identifier: MIT
#include "select.h"
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTEST 4

static char *read_bundle(void *bundle, const char *digest, size_t limit, size_t *length, struct error *err)
{
	return bundle_read(bundle, digest, limit, length, err);
}

int select_check_floor(const struct revision *revision, uint64_t floor, struct error *err)
{
	if (revision->security_version >= floor)
		return 0;
	return fail(err, "revision %.12s: its security version %" PRIu64 " is below this device's floor of %" PRIu64,
		    revision->id, revision->security_version, floor);
}

// Verify a revision by one of the signatures of the index.
static int verify_by(struct revision *out, char envelope[HEX_SIZE], struct bundle *bundle, const char *id,
		     const struct layout_entry *signature, const struct facts *facts, struct error *err)
{
	size_t length;
	char *text = bundle_read(bundle, signature->digest, MANIFEST_LIMIT, &length, err);
	int result = text == NULL ? -1 : layout_parse_signature(envelope, id, text, length, err);

	free(text);
	if (result < 0)
		return fail_in(err, "revision %.12s", id);
	result = verify_revision(out, id, envelope, read_bundle, bundle, facts, err);
	if (result < 0)
		revision_free(out);
	return result;
}

// Verify a revision by whichever signature proves it: anybody may have added one, and a bad one must not hide a good one.
static int verify(struct revision *out, char envelope[HEX_SIZE], struct bundle *bundle, const char *id,
		  const struct facts *facts, uint64_t floor, struct error *err)
{
	const struct layout *layout = &bundle->layout;
	int signers = fail(err, "revision %.12s: the bundle has no signature of it", id);

	for (size_t i = 0; i < layout->signature_count && signers < 0; i++) {
		const struct layout_entry *signature = &layout->signatures[i];
		if (signature->subject[0] == '\0' || strcmp(signature->subject, id) == 0)
			signers = verify_by(out, envelope, bundle, id, signature, facts, err);
	}
	if (signers >= 0 && select_check_floor(out, floor, err) < 0) {
		revision_free(out);
		return -1;
	}
	return signers;
}

// The ids of the revisions that begin with a text, for people.
static const char *list(char out[160], const struct layout *layout, const char *prefix)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < layout->revision_count && used < 140; i++)
		if (strncmp(layout->revisions[i].digest, prefix, strlen(prefix)) == 0)
			used += (size_t)snprintf(out + used, 160 - used, "%s%.12s", used > 0 ? ", " : "",
						 layout->revisions[i].digest);
	return out;
}

static int select_named(struct revision *out, char signature[HEX_SIZE], struct bundle *bundle, const char *wanted,
			const struct facts *facts, uint64_t floor, struct error *err)
{
	const struct layout *layout = &bundle->layout;
	const char *found = NULL;
	size_t length = strlen(wanted);
	char text[160];

	if (length < SHORTEST)
		return fail(err, "revision %s: at least %d digits are needed", wanted, SHORTEST);
	for (size_t i = 0; i < layout->revision_count; i++) {
		const char *id = layout->revisions[i].digest;
		if (strncmp(id, wanted, length) != 0)
			continue;
		if (found != NULL)
			return fail(err, "revision %.64s is ambiguous: %s", wanted, list(text, layout, wanted));
		found = id;
	}
	if (found == NULL)
		return fail(err, "the bundle has no revision %.64s; it has %s", wanted, list(text, layout, ""));
	return verify(out, signature, bundle, found, facts, floor, err);
}

int select_revision(struct revision *out, char signature[HEX_SIZE], struct bundle *bundle, const char *wanted,
		    const struct facts *facts, uint64_t floor, struct error *err)
{
	const struct layout *layout = &bundle->layout;
	int signers = -1;
	char text[160];

	if (layout->revision_count == 0)
		return fail(err, "the bundle has no revision");
	if (wanted[0] != '\0')
		return select_named(out, signature, bundle, wanted, facts, floor, err);
	for (size_t i = 0; i < layout->revision_count; i++) {
		struct revision other;
		char envelope[HEX_SIZE];
		int count = verify(&other, envelope, bundle, layout->revisions[i].digest, facts, floor, err);
		if (count >= 0 && signers >= 0) {
			fail(err, "several revisions of the bundle fit this device (%.12s and %.12s): say which", out->id,
			     other.id);
			revision_free(&other);
			revision_free(out);
			return -1;
		}
		if (count < 0)
			continue;
		*out = other;
		memcpy(signature, envelope, HEX_SIZE);
		signers = count;
	}
	if (signers < 0 && layout->revision_count > 1)
		return fail_in(err, "none of the bundle's revisions (%s) fits this device; the last one",
			       list(text, layout, ""));
	return signers;
}
