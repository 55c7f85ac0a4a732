// SPDX-License-Identifier: MIT
#include "revision.h"
#include "container_config.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define BLOBS_MOST 512
#define BLOB_SIZE_MOST (UINT64_C(1) << 40)

static int parse_blob(struct blob *out, const json_t *entry, struct error *err)
{
	if (!json_is_object(entry))
		return fail(err, "not an object");
	const json_t *notes = json_get_object(entry, "annotations", err);
	if (notes == NULL || json_get_digest(entry, "digest", out->digest, err) < 0 ||
	    json_get_number(entry, "size", 1, BLOB_SIZE_MOST, &out->size, err) < 0 ||
	    json_get_name(notes, "vnd.pycontainer.layer", out->layer, err) < 0 ||
	    json_get_name(notes, "vnd.pycontainer.role", out->role, err) < 0)
		return -1;
	return json_get_digest(notes, "vnd.pycontainer.fsverity", out->verity, err);
}

static int parse_blobs(struct revision *out, const json_t *root, struct error *err)
{
	const json_t *entries = json_get_array(root, "layers", BLOBS_MOST, err);

	if (entries == NULL)
		return -1;
	out->blobs = calloc(json_array_size(entries) + 1, sizeof *out->blobs);
	if (out->blobs == NULL)
		return fail_errno(err, "layers");
	for (size_t i = 0; i < json_array_size(entries); i++) {
		struct blob *blob = &out->blobs[i];
		if (parse_blob(blob, json_array_get(entries, i), err) < 0)
			return fail_in(err, "layers[%zu]", i);
		for (size_t other = 0; other < i; other++)
			if (strcmp(out->blobs[other].layer, blob->layer) == 0 && strcmp(out->blobs[other].role, blob->role) == 0)
				return fail(err, "layers[%zu]: %s of layer %s twice", i, blob->role, blob->layer);
		out->blob_count++;
	}
	return 0;
}

static int parse_manifest(struct revision *out, const json_t *root, struct error *err)
{
	uint64_t version;

	if (json_get_number(root, "schemaVersion", 2, 2, &version, err) < 0 ||
	    json_expect_text(root, "mediaType", "application/vnd.oci.image.manifest.v1+json", err) < 0 ||
	    json_expect_text(root, "artifactType", "application/vnd.pycontainer.revision.v1", err) < 0)
		return -1;
	const json_t *config = json_get_object(root, "config", err);
	if (config == NULL)
		return -1;
	if (json_expect_text(config, "mediaType", "application/vnd.pycontainer.revision.config.v1+json", err) < 0 ||
	    json_get_digest(config, "digest", out->config_digest, err) < 0 ||
	    json_get_number(config, "size", 1, CONFIG_LIMIT, &out->config_size, err) < 0)
		return fail_in(err, "config");
	return parse_blobs(out, root, err);
}

int revision_parse_manifest(struct revision *out, const char *text, size_t length, struct error *err)
{
	memset(out, 0, sizeof *out);
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse_manifest(out, root, err);
	json_decref(root);
	return result < 0 ? fail_in(err, "manifest") : 0;
}

void revision_free(struct revision *revision)
{
	for (size_t i = 0; i < revision->layer_count; i++) {
		free(revision->layers[i].after);
		free(revision->layers[i].after_end);
		container_config_free(&revision->layers[i]);
	}
	for (size_t i = 0; i < revision->file_count; i++)
		free(revision->files[i].path);
	free(revision->files);
	free(revision->reachable);
	free(revision->layers);
	free(revision->blobs);
	memset(revision, 0, sizeof *revision);
}

const struct layer *revision_layer(const struct revision *revision, const char *kind)
{
	for (size_t i = 0; i < revision->layer_count; i++)
		if (strcmp(revision->layers[i].kind, kind) == 0)
			return &revision->layers[i];
	return NULL;
}
