// SPDX-License-Identifier: MIT
#include "container_config.h"
#include "health_config.h"
#include "json.h"
#include "observe_config.h"

#include <stdlib.h>
#include <string.h>

#define VOLUMES_MOST 32
#define PORTS_MOST 64
#define VERBS_MOST 32
#define USER_LEAST 65536
#define HEALTHY_FOR_MS 10000
#define RESTARTS_MOST 3

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
		if (json_get_name(entry, "name", volume->name, err) < 0 || (kind = json_get_choice(entry, "kind", kinds, err)) < 0 ||
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

static int parse_restart(struct restart *out, const json_t *object, struct error *err)
{
	static const char *const policies[] = {"no", "on-failure", "always", NULL};
	const json_t *restart = json_get_object(object, "restart", err);

	if (restart == NULL)
		return -1;
	int policy = json_get_choice(restart, "policy", policies, err);
	if (policy < 0 || json_get_number(restart, "maxRetries", 0, NATURAL_MOST, &out->max_retries, err) < 0 ||
	    json_get_number(restart, "initialDelayMs", 0, NATURAL_MOST, &out->initial_delay_ms, err) < 0 ||
	    json_get_number(restart, "maxDelayMs", 0, NATURAL_MOST, &out->max_delay_ms, err) < 0 ||
	    json_get_number(restart, "resetAfterMs", 0, NATURAL_MOST, &out->reset_after_ms, err) < 0)
		return fail_in(err, "restart");
	out->policy = (enum restart_policy)policy;
	return 0;
}

static int parse_confirm(struct layer *layer, const json_t *object, struct error *err)
{
	const json_t *confirm = NULL;

	if (json_object_get(object, "confirm") != NULL && (confirm = json_get_object(object, "confirm", err)) == NULL)
		return -1;
	if (json_get_number_or(confirm, "healthyForMs", 0, NATURAL_MOST, HEALTHY_FOR_MS, &layer->healthy_for_ms, err) < 0 ||
	    json_get_number_or(confirm, "maxRestarts", 0, NATURAL_MOST, RESTARTS_MOST, &layer->max_restarts, err) < 0)
		return fail_in(err, "confirm");
	return 0;
}

static int parse_ports(struct layer *layer, const json_t *object, struct error *err)
{
	static const char *const protocols[] = {"tcp", "udp", NULL};

	if (json_object_get(object, "ports") == NULL)
		return 0;
	const json_t *entries = json_get_array(object, "ports", PORTS_MOST, err);
	if (entries == NULL)
		return -1;
	if (json_array_size(entries) > 0 && layer->network != NETWORK_BRIDGE)
		return fail(err, "ports: published without the network bridge");
	layer->ports = calloc(json_array_size(entries) + 1, sizeof *layer->ports);
	if (layer->ports == NULL)
		return fail_errno(err, "ports");
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		uint64_t host, container;
		int protocol = -1;
		if (!json_is_object(entry))
			return fail(err, "ports[%zu]: not an object", i);
		if (json_get_number(entry, "host", 1, UINT16_MAX, &host, err) < 0 ||
		    json_get_number(entry, "container", 1, UINT16_MAX, &container, err) < 0 ||
		    (protocol = json_get_choice(entry, "protocol", protocols, err)) < 0)
			return fail_in(err, "ports[%zu]", i);
		layer->ports[layer->port_count++] = (struct port){(unsigned)host, (unsigned)container, protocol == 1};
	}
	return 0;
}

static int parse_network(struct layer *layer, const json_t *object, struct error *err)
{
	static const char *const modes[] = {"none", "host", "bridge", NULL};
	int mode = NETWORK_NONE;

	if (json_object_get(object, "network") != NULL && (mode = json_get_choice(object, "network", modes, err)) < 0)
		return -1;
	layer->network = (enum network_mode)mode;
	return parse_ports(layer, object, err);
}

static int parse_io(struct io_limits *io, const json_t *object, struct error *err)
{
	if (!json_present(object, "io"))
		return 0;
	const json_t *limits = json_get_object(object, "io", err);
	if (limits == NULL)
		return -1;
	if (json_get_number_or(limits, "readBytesPerSecond", 0, RATE_MOST, 0, &io->read, err) < 0 ||
	    json_get_number_or(limits, "writeBytesPerSecond", 0, RATE_MOST, 0, &io->write, err) < 0)
		return fail_in(err, "io");
	return 0;
}

static int parse_control(struct layer *layer, const json_t *object, struct error *err)
{
	if (json_object_get(object, "control") == NULL)
		return 0;
	const json_t *verbs = json_get_array(object, "control", VERBS_MOST, err);
	if (verbs == NULL)
		return -1;
	layer->control = calloc(json_array_size(verbs) + 1, sizeof *layer->control);
	if (layer->control == NULL)
		return fail_errno(err, "control");
	for (size_t i = 0; i < json_array_size(verbs); i++) {
		const char *verb = json_string_value(json_array_get(verbs, i));
		if (verb == NULL || !text_is_name(verb))
			return fail(err, "control[%zu]: not the name of a verb", i);
		strcpy(layer->control[layer->control_count++], verb);
	}
	return 0;
}

static int parse_supervision(struct layer *layer, const json_t *object, struct error *err)
{
	uint64_t signal, files;

	if (parse_restart(&layer->restart, object, err) < 0)
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

// Never the device's own users, whose numbers begin with 0.
static int parse_users(struct layer *layer, const json_t *object, struct error *err)
{
	uint64_t base, count;

	if (!json_present(object, "userNamespace"))
		return 0;
	const json_t *users = json_get_object(object, "userNamespace", err);
	if (users == NULL)
		return -1;
	if (json_get_number(users, "hostId", USER_LEAST, UINT32_MAX - 1, &base, err) < 0 ||
	    json_get_number(users, "size", 1, UINT32_MAX - 1, &count, err) < 0)
		return fail_in(err, "userNamespace");
	if (base + count > UINT32_MAX)
		return fail(err, "userNamespace: the last number is above 4294967294");
	layer->user_base = (uint32_t)base;
	layer->user_count = (uint32_t)count;
	return 0;
}

// The name goes into a file of the kernel, where a line or a blank would be another command.
static int parse_apparmor(struct layer *layer, const json_t *object, struct error *err)
{
	if (!json_present(object, "apparmor"))
		return layer->policy == NULL ? 0 : fail(err, "apparmor: the policy has no name");
	const char *name = json_get_text(object, "apparmor", err);
	if (name == NULL)
		return -1;
	if (layer->policy == NULL)
		return fail(err, "apparmor: there is no policy of that name");
	size_t length = strlen(name);
	if (length == 0 || length >= sizeof layer->apparmor ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != length)
		return fail(err, "apparmor: not a profile's name: %.80s", name);
	strcpy(layer->apparmor, name);
	return 0;
}

int container_config_parse(struct layer *layer, const json_t *object, struct error *err)
{
	static const char *const runtimes[] = {"crun", "lxc", NULL};
	uint64_t group;

	if (layer->rootfs == NULL || layer->run_config == NULL)
		return fail(err, "a container needs the blobs rootfs and run-config");
	int runtime = json_get_choice(object, "runtime", runtimes, err);
	if (runtime < 0 || json_get_number(object, "startGroup", 0, NATURAL_MOST, &group, err) < 0)
		return -1;
	layer->container = true;
	layer->runtime = (enum runtime)runtime;
	layer->group = (unsigned)group;
	if (parse_supervision(layer, object, err) < 0 || parse_volumes(layer, object, err) < 0)
		return -1;
	if (health_config_parse(&layer->health, object, err) < 0)
		return fail_in(err, "health");
	if (parse_confirm(layer, object, err) < 0 || json_get_flag(object, "required", &layer->required, err) < 0 ||
	    json_get_flag(object, "machineId", &layer->machine_id, err) < 0)
		return -1;
	if (parse_apparmor(layer, object, err) < 0 || parse_users(layer, object, err) < 0)
		return -1;
	if (parse_network(layer, object, err) < 0 || parse_io(&layer->io, object, err) < 0)
		return -1;
	return parse_control(layer, object, err) < 0 ? -1 : observe_config_parse(&layer->observe, object, err);
}

void container_config_free(struct layer *layer)
{
	free(layer->volumes);
	health_config_free(&layer->health);
	free(layer->ports);
	free(layer->control);
	observe_config_free(&layer->observe);
}
