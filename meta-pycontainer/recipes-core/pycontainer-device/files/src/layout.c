// SPDX-License-Identifier: MIT
#include "layout.h"
#include "dsse.h"
#include "json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MOST 16384
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define REVISION_TYPE "application/vnd.pycontainer.revision.v1"
#define SIGNATURE_TYPE "application/vnd.pycontainer.signature.v1"
#define ENVELOPE_TYPE "application/vnd.dsse.envelope.v1+json"
#define SUBJECT "vnd.pycontainer.subject"

int layout_parse_version(const char *text, size_t length, struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : json_expect_text(root, "imageLayoutVersion", "1.0.0", err);

	json_decref(root);
	return result;
}

static int parse_entry(struct layout_entry *out, const json_t *entry, bool signature, struct error *err)
{
	const json_t *notes = json_object_get(entry, "annotations");

	if (json_expect_text(entry, "mediaType", MANIFEST_TYPE, err) < 0 ||
	    json_get_digest(entry, "digest", out->digest, err) < 0)
		return -1;
	if (!signature || notes == NULL || json_object_get(notes, SUBJECT) == NULL)
		return 0;
	return json_get_digest(notes, SUBJECT, out->subject, err);
}

// Add an entry unless it is there: a manifest has an entry for each of its tags.
static int add(struct layout_entry *entries, size_t *count, size_t most, const struct layout_entry *entry,
	       struct error *err)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(entries[i].digest, entry->digest) == 0)
			return 0;
	if (*count == most)
		return fail(err, "more than %zu of its kind", most);
	entries[(*count)++] = *entry;
	return 0;
}

static int parse_entries(struct layout *out, const json_t *entries, struct error *err)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		const char *type = json_string_value(json_object_get(entry, "artifactType"));
		struct layout_entry found = {.subject = ""};
		if (!json_is_object(entry))
			return fail(err, "manifests[%zu]: not an object", i);
		bool revision = type != NULL && strcmp(type, REVISION_TYPE) == 0;
		bool signature = type != NULL && strcmp(type, SIGNATURE_TYPE) == 0;
		if (!revision && !signature)
			continue;
		if (parse_entry(&found, entry, signature, err) < 0 ||
		    (revision ? add(out->revisions, &out->revision_count, LAYOUT_REVISIONS_MOST, &found, err)
			      : add(out->signatures, &out->signature_count, LAYOUT_SIGNATURES_MOST, &found, err)) < 0)
			return fail_in(err, "manifests[%zu]", i);
	}
	return 0;
}

static int parse_index(struct layout *out, const json_t *root, struct error *err)
{
	uint64_t version;

	if (json_get_number(root, "schemaVersion", 2, 2, &version, err) < 0)
		return -1;
	const json_t *entries = json_get_array(root, "manifests", ENTRIES_MOST, err);
	if (entries == NULL)
		return -1;
	out->revisions = calloc(LAYOUT_REVISIONS_MOST, sizeof *out->revisions);
	out->signatures = calloc(LAYOUT_SIGNATURES_MOST, sizeof *out->signatures);
	if (out->revisions == NULL || out->signatures == NULL)
		return fail_errno(err, "manifests");
	return parse_entries(out, entries, err);
}

int layout_parse(struct layout *out, const char *text, size_t length, struct error *err)
{
	memset(out, 0, sizeof *out);
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse_index(out, root, err);
	json_decref(root);
	return result < 0 ? fail_in(err, "index.json") : 0;
}

void layout_free(struct layout *layout)
{
	free(layout->revisions);
	free(layout->signatures);
	memset(layout, 0, sizeof *layout);
}

static int parse_signature(char envelope[HEX_SIZE], const char *revision, const json_t *root, struct error *err)
{
	char subject[HEX_SIZE];
	uint64_t version, size;

	if (json_get_number(root, "schemaVersion", 2, 2, &version, err) < 0 ||
	    json_expect_text(root, "mediaType", MANIFEST_TYPE, err) < 0 ||
	    json_expect_text(root, "artifactType", SIGNATURE_TYPE, err) < 0)
		return -1;
	const json_t *about = json_get_object(root, "subject", err);
	if (about == NULL || json_get_digest(about, "digest", subject, err) < 0)
		return fail_in(err, "subject");
	if (strcmp(subject, revision) != 0)
		return fail(err, "it belongs to revision %.12s", subject);
	const json_t *layers = json_get_array(root, "layers", 1, err);
	if (layers == NULL)
		return -1;
	const json_t *layer = json_array_get(layers, 0);
	if (!json_is_object(layer))
		return fail(err, "layers: not one object");
	if (json_expect_text(layer, "mediaType", ENVELOPE_TYPE, err) < 0 ||
	    json_get_digest(layer, "digest", envelope, err) < 0 ||
	    json_get_number(layer, "size", 1, DSSE_LIMIT, &size, err) < 0)
		return fail_in(err, "layers[0]");
	return 0;
}

int layout_parse_signature(char envelope[HEX_SIZE], const char *revision, const char *text, size_t length,
			   struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse_signature(envelope, revision, root, err);

	json_decref(root);
	return result < 0 ? fail_in(err, "signature manifest") : 0;
}
