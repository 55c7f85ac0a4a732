// SPDX-License-Identifier: MIT
#include "container_config.h"
#include "json.h"
#include "revision.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_TIMEOUT_MS 300000

static const struct blob **slot(struct layer *layer, const char *role)
{
	if (strcmp(role, "rootfs") == 0)
		return &layer->rootfs;
	if (strcmp(role, "run-config") == 0)
		return &layer->run_config;
	if (strcmp(role, "policy") == 0)
		return &layer->policy;
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

// The start order is the ascending group, within a group the order of the list; "after" names what comes before in it,
// so there is no cycle.
static bool starts_before(const struct revision *revision, size_t first, size_t second)
{
	const struct layer *a = &revision->layers[first], *b = &revision->layers[second];

	return a->container && (a->group < b->group || (a->group == b->group && first < second));
}

// A list of names as indexes of layers.
static int parse_order(const struct revision *revision, size_t index, const json_t *object, const char *key,
		       size_t **list, size_t *count, struct error *err)
{
	const json_t *names = json_get_array(object, key, LAYERS_MOST, err);

	if (names == NULL)
		return -1;
	*list = calloc(json_array_size(names) + 1, sizeof **list);
	if (*list == NULL)
		return fail_errno(err, "%s", key);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		size_t other = 0;
		while (name != NULL && other < revision->layer_count && strcmp(revision->layers[other].name, name) != 0)
			other++;
		if (name == NULL || other == revision->layer_count || !starts_before(revision, other, index))
			return fail(err, "%s[%zu]: no container of that name starts before this one", key, i);
		(*list)[(*count)++] = other;
	}
	return 0;
}

static int parse_after(struct revision *revision, size_t index, const json_t *object, struct error *err)
{
	struct layer *layer = &revision->layers[index];

	if (parse_order(revision, index, object, "after", &layer->after, &layer->after_count, err) < 0)
		return -1;
	if (json_object_get(object, "afterEnd") == NULL)
		return 0;
	return parse_order(revision, index, object, "afterEnd", &layer->after_end, &layer->after_end_count, err);
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
	int kind = json_get_choice(entry, "kind", kinds, err);
	if (kind < 0 || parse_blobs(layer, revision, entry, used, err) < 0)
		return -1;
	strcpy(layer->kind, kinds[kind]);
	const char *version = json_string_value(json_object_get(entry, "version"));
	if (version != NULL && text_copy(layer->version, sizeof layer->version, version, err) < 0)
		return fail_in(err, "version");
	return kind >= 3 ? container_config_parse(layer, entry, err) : 0;
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

// Two containers cannot both have a port of the device.
static int check_ports(const struct revision *revision, struct error *err)
{
	bool taken[2][UINT16_MAX + 1] = {{false}};

	for (size_t i = 0; i < revision->layer_count; i++) {
		const struct layer *layer = &revision->layers[i];
		for (size_t p = 0; p < layer->port_count; p++) {
			bool *port = &taken[layer->ports[p].udp][layer->ports[p].host];
			if (*port)
				return fail(err, "layers[%zu]: ports: %u/%s of the device is published twice", i,
					    layer->ports[p].host, layer->ports[p].udp ? "udp" : "tcp");
			*port = true;
		}
	}
	return 0;
}

// A path below a volume: no way out of it, and nothing that is the volume itself.
static bool is_path_below(const char *path)
{
	if (strlen(path) > PATH_MOST)
		return false;
	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	for (const char *part = path;; part++) {
		size_t length = strcspn(part, "/");
		if (length == 0 || (length <= 2 && strspn(part, ".") >= length))
			return false;
		part += length;
		if (*part == '\0')
			return true;
	}
}

static int parse_file(struct file_condition *out, const struct revision *revision, const json_t *entry,
		      struct error *err)
{
	char layer[NAME_SIZE], volume[NAME_SIZE];

	if (!json_is_object(entry))
		return fail(err, "not an object");
	if (json_get_name(entry, "layer", layer, err) < 0 || json_get_name(entry, "volume", volume, err) < 0)
		return -1;
	const char *path = json_get_text(entry, "path", err);
	if (path == NULL)
		return -1;
	if (!is_path_below(path))
		return fail(err, "path: not a plain path below a volume");
	for (size_t i = 0; i < revision->layer_count; i++)
		if (strcmp(revision->layers[i].name, layer) == 0)
			out->layer = &revision->layers[i];
	for (size_t i = 0; out->layer != NULL && i < out->layer->volume_count; i++)
		if (strcmp(out->layer->volumes[i].name, volume) == 0)
			out->volume = &out->layer->volumes[i];
	if (out->volume == NULL)
		return fail(err, "there is no volume %s of a layer %s", volume, layer);
	out->path = strdup(path);
	return out->path == NULL ? fail_errno(err, "path") : 0;
}

static int parse_reach(struct reach_condition *out, const json_t *entry, struct error *err)
{
	unsigned char binary[sizeof(struct in6_addr)];
	uint64_t port;

	if (!json_is_object(entry))
		return fail(err, "not an object");
	const char *address = json_get_text(entry, "address", err);
	if (address == NULL || json_get_number(entry, "port", 1, UINT16_MAX, &port, err) < 0)
		return -1;
	if (strlen(address) >= sizeof out->address ||
	    (inet_pton(AF_INET, address, binary) != 1 && inet_pton(AF_INET6, address, binary) != 1))
		return fail(err, "address: not an IP address: %.60s", address);
	strcpy(out->address, address);
	out->port = (unsigned)port;
	return 0;
}

static int parse_confirm(struct revision *out, const json_t *root, struct error *err)
{
	const json_t *confirm = NULL, *files = NULL, *reachable = NULL;

	if (json_object_get(root, "confirm") != NULL && (confirm = json_get_object(root, "confirm", err)) == NULL)
		return -1;
	if (json_get_number_or(confirm, "timeoutMs", 1, NATURAL_MOST, CONFIRM_TIMEOUT_MS, &out->confirm_timeout_ms,
			       err) < 0 || json_get_flag(confirm, "manual", &out->confirm_manual, err) < 0)
		return -1;
	if (json_object_get(confirm, "files") != NULL &&
	    (files = json_get_array(confirm, "files", CONDITIONS_MOST, err)) == NULL)
		return -1;
	if (json_object_get(confirm, "reachable") != NULL &&
	    (reachable = json_get_array(confirm, "reachable", CONDITIONS_MOST, err)) == NULL)
		return -1;
	out->files = calloc(json_array_size(files) + 1, sizeof *out->files);
	out->reachable = calloc(json_array_size(reachable) + 1, sizeof *out->reachable);
	if (out->files == NULL || out->reachable == NULL)
		return fail_errno(err, "conditions");
	for (size_t i = 0; i < json_array_size(files); i++, out->file_count++)
		if (parse_file(&out->files[i], out, json_array_get(files, i), err) < 0)
			return fail_in(err, "files[%zu]", i);
	for (size_t i = 0; i < json_array_size(reachable); i++, out->reach_count++)
		if (parse_reach(&out->reachable[i], json_array_get(reachable, i), err) < 0)
			return fail_in(err, "reachable[%zu]", i);
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
	if (json_get_number_or(root, "securityVersion", 0, NATURAL_MOST, 0, &out->security_version, err) < 0 ||
	    json_get_flag(root, "apparmorRequired", &out->apparmor_required, err) < 0 ||
	    parse_layers(out, root, err) < 0 || check_ports(out, err) < 0)
		return -1;
	return parse_confirm(out, root, err) < 0 ? fail_in(err, "confirm") : 0;
}

int revision_parse_config(struct revision *out, const char *text, size_t length, struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse_config(out, root, err);

	json_decref(root);
	return result < 0 ? fail_in(err, "config") : 0;
}
