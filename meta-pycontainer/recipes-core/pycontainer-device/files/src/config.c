// SPDX-License-Identifier: MIT
#include "json.h"
#include "revision.h"

#include <stdlib.h>
#include <string.h>

#define LAYERS_MOST 64
#define VOLUMES_MOST 32
// The largest number of any kind in a config, as its writer defines it.
#define NATURAL_MOST INT32_MAX

// One of a list of words, as its index; -1 with an error.
static int choose(const json_t *object, const char *key, const char *const words[], struct error *err)
{
	const char *text = json_get_text(object, key, err);

	if (text == NULL)
		return -1;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return fail(err, "%s: unknown: %.60s", key, text);
}

static const struct blob **slot(struct layer *layer, const char *role)
{
	if (strcmp(role, "rootfs") == 0)
		return &layer->rootfs;
	if (strcmp(role, "run-config") == 0)
		return &layer->run_config;
	if (strcmp(role, "modules") == 0)
		return &layer->modules;
	return strcmp(role, "firmware") == 0 ? &layer->firmware : NULL;
}

// Every blob that the config names must be described, with the same digest, by the manifest; `used` counts them.
static int parse_blobs(struct layer *layer, const struct revision *revision, const json_t *object, size_t *used,
		       struct error *err)
{
	json_t *blobs = json_get_object(object, "blobs", err);
	const char *role;
	json_t *value;

	if (blobs == NULL)
		return -1;
	json_object_foreach(blobs, role, value) {
		char digest[HEX_SIZE];
		const struct blob *found = NULL;
		if (json_get_digest(blobs, role, digest, err) < 0)
			return fail_in(err, "blobs");
		for (size_t i = 0; i < revision->blob_count && found == NULL; i++)
			if (strcmp(revision->blobs[i].layer, layer->name) == 0 &&
			    strcmp(revision->blobs[i].role, role) == 0)
				found = &revision->blobs[i];
		if (found == NULL || strcmp(found->digest, digest) != 0)
			return fail(err, "blobs: the manifest has no such %.60s", role);
		const struct blob **place = slot(layer, role);
		if (place != NULL)
			*place = found;
		(*used)++;
	}
	return 0;
}

static int parse_mode(unsigned *out, const json_t *object, struct error *err)
{
	const char *text = json_get_text(object, "mode", err);

	if (text == NULL)
		return -1;
	size_t length = strlen(text);
	if (length < 3 || length > 5 || strspn(text, "01234567") != length)
		return fail(err, "mode: not 3 to 5 octal digits");
	unsigned long mode = strtoul(text, NULL, 8);
	if (mode > 07777)
		return fail(err, "mode: above 7777");
	*out = (unsigned)mode;
	return 0;
}

static int parse_volumes(struct layer *layer, const json_t *object, struct error *err)
{
	static const char *const kinds[] = {"permanent", "revision", "boot", NULL};
	const json_t *entries = json_get_array(object, "volumes", VOLUMES_MOST, err);

	if (entries == NULL)
		return -1;
	layer->volumes = calloc(json_array_size(entries) + 1, sizeof *layer->volumes);
	if (layer->volumes == NULL)
		return fail_errno(err, "volumes");
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		struct volume *volume = &layer->volumes[i];
		uint64_t uid, gid;
		int kind = -1;
		if (!json_is_object(entry))
			return fail(err, "volumes[%zu]: not an object", i);
		if (json_get_name(entry, "name", volume->name, err) < 0 || (kind = choose(entry, "kind", kinds, err)) < 0 ||
		    parse_mode(&volume->mode, entry, err) < 0 ||
		    json_get_number(entry, "uid", 0, UINT32_MAX - 1, &uid, err) < 0 ||
		    json_get_number(entry, "gid", 0, UINT32_MAX - 1, &gid, err) < 0)
			return fail_in(err, "volumes[%zu]", i);
		volume->kind = (enum volume_kind)kind;
		volume->uid = (unsigned)uid;
		volume->gid = (unsigned)gid;
		for (size_t other = 0; other < i; other++)
			if (strcmp(layer->volumes[other].name, volume->name) == 0)
				return fail(err, "volumes[%zu]: %s twice", i, volume->name);
		layer->volume_count++;
	}
	return 0;
}

// The start order is the ascending group, within a group the order of the list; "after" names what comes before in it,
// so there is no cycle.
static bool starts_before(const struct revision *revision, size_t first, size_t second)
{
	const struct layer *a = &revision->layers[first], *b = &revision->layers[second];

	return a->container && (a->group < b->group || (a->group == b->group && first < second));
}

static int parse_after(struct revision *revision, size_t index, const json_t *object, struct error *err)
{
	const json_t *names = json_get_array(object, "after", LAYERS_MOST, err);
	struct layer *layer = &revision->layers[index];

	if (names == NULL)
		return -1;
	layer->after = calloc(json_array_size(names) + 1, sizeof *layer->after);
	if (layer->after == NULL)
		return fail_errno(err, "after");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		size_t other = 0;
		while (name != NULL && other < revision->layer_count && strcmp(revision->layers[other].name, name) != 0)
			other++;
		if (name == NULL || other == revision->layer_count || !starts_before(revision, other, index))
			return fail(err, "after[%zu]: no container of that name starts before this one", i);
		layer->after[layer->after_count++] = other;
	}
	return 0;
}

static int parse_restart(struct restart *out, const json_t *object, struct error *err)
{
	static const char *const policies[] = {"no", "on-failure", "always", NULL};
	const json_t *restart = json_get_object(object, "restart", err);

	if (restart == NULL)
		return -1;
	int policy = choose(restart, "policy", policies, err);
	if (policy < 0 || json_get_number(restart, "maxRetries", 0, NATURAL_MOST, &out->max_retries, err) < 0 ||
	    json_get_number(restart, "initialDelayMs", 0, NATURAL_MOST, &out->initial_delay_ms, err) < 0 ||
	    json_get_number(restart, "maxDelayMs", 0, NATURAL_MOST, &out->max_delay_ms, err) < 0 ||
	    json_get_number(restart, "resetAfterMs", 0, NATURAL_MOST, &out->reset_after_ms, err) < 0)
		return fail_in(err, "restart");
	out->policy = (enum restart_policy)policy;
	return 0;
}

static int parse_container(struct layer *layer, const json_t *object, struct error *err)
{
	uint64_t group, signal, files;

	if (layer->rootfs == NULL || layer->run_config == NULL)
		return fail(err, "a container needs the blobs rootfs and run-config");
	if (json_expect_text(object, "runtime", "crun", err) < 0 ||
	    json_get_number(object, "startGroup", 0, NATURAL_MOST, &group, err) < 0)
		return -1;
	layer->container = true;
	layer->group = (unsigned)group;
	if (parse_restart(&layer->restart, object, err) < 0 || parse_volumes(layer, object, err) < 0)
		return -1;
	const json_t *stop = json_get_object(object, "stop", err);
	if (stop == NULL || json_get_number(stop, "signal", 1, 64, &signal, err) < 0 ||
	    json_get_number(stop, "timeoutMs", 0, NATURAL_MOST, &layer->stop_timeout_ms, err) < 0)
		return fail_in(err, "stop");
	layer->stop_signal = (unsigned)signal;
	const json_t *logs = json_get_object(object, "logs", err);
	if (logs == NULL || json_get_number(logs, "maxBytes", 1, NATURAL_MOST, &layer->log_bytes, err) < 0 ||
	    json_get_number(logs, "files", 1, 100, &files, err) < 0)
		return fail_in(err, "logs");
	layer->log_files = (unsigned)files;
	return 0;
}

static int parse_layer(struct layer *layer, const struct revision *revision, const json_t *entry, size_t *used,
		       struct error *err)
{
	static const char *const kinds[] = {"bootloader", "bsp", "host", "rootfs", "app", NULL};

	if (!json_is_object(entry))
		return fail(err, "not an object");
	if (json_get_name(entry, "name", layer->name, err) < 0)
		return -1;
	for (size_t i = 0; i < revision->layer_count; i++)
		if (strcmp(revision->layers[i].name, layer->name) == 0)
			return fail(err, "name: %s twice", layer->name);
	int kind = choose(entry, "kind", kinds, err);
	if (kind < 0 || parse_blobs(layer, revision, entry, used, err) < 0)
		return -1;
	strcpy(layer->kind, kinds[kind]);
	return kind >= 3 ? parse_container(layer, entry, err) : 0;
}

static int parse_layers(struct revision *out, const json_t *root, struct error *err)
{
	const json_t *entries = json_get_array(root, "layers", LAYERS_MOST, err);
	size_t used = 0;

	if (entries == NULL)
		return -1;
	out->layers = calloc(json_array_size(entries) + 1, sizeof *out->layers);
	if (out->layers == NULL)
		return fail_errno(err, "layers");
	for (size_t i = 0; i < json_array_size(entries); i++) {
		struct layer *layer = &out->layers[i];
		int result = parse_layer(layer, out, json_array_get(entries, i), &used, err);
		// Counted even when it failed, so that its arrays are freed.
		out->layer_count++;
		if (result < 0)
			return fail_in(err, "layers[%zu]", i);
	}
	for (size_t i = 0; i < out->layer_count; i++)
		if (out->layers[i].container && parse_after(out, i, json_array_get(entries, i), err) < 0)
			return fail_in(err, "layers[%zu]", i);
	if (used != out->blob_count)
		return fail(err, "the manifest describes %zu blobs, the config names %zu", out->blob_count, used);
	return 0;
}

static int parse_config(struct revision *out, const json_t *root, struct error *err)
{
	uint64_t version;

	if (json_get_number(root, "schemaVersion", 1, 1, &version, err) < 0 ||
	    json_get_name(root, "product", out->product, err) < 0 || json_get_name(root, "machine", out->machine, err) < 0)
		return -1;
	const char *text = json_get_text(root, "version", err);
	if (text == NULL)
		return -1;
	if (text_copy(out->version, sizeof out->version, text, err) < 0)
		return fail_in(err, "version");
	if (json_object_get(root, "securityVersion") != NULL &&
	    json_get_number(root, "securityVersion", 0, NATURAL_MOST, &out->security_version, err) < 0)
		return -1;
	return parse_layers(out, root, err);
}

int revision_parse_config(struct revision *out, const char *text, size_t length, struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse_config(out, root, err);

	json_decref(root);
	return result < 0 ? fail_in(err, "config") : 0;
}
