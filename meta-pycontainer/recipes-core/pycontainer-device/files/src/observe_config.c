// SPDX-License-Identifier: MIT
#include "observe_config.h"
#include "container_config.h"
#include "json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MOST 256

static bool present(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value != NULL && !json_is_null(value);
}

// One more; `below` makes it mean what is below it.
static int add_path(struct path_list *list, const char *path, bool below, struct error *err)
{
	size_t length = path == NULL ? 0 : strlen(path);

	if (length == 0 || path[0] != '/' || length > PATH_MOST)
		return fail(err, "not an absolute path of at most %d bytes", PATH_MOST);
	char *copy = malloc(length + 2);
	if (copy == NULL)
		return fail_errno(err, "path");
	memcpy(copy, path, length + 1);
	if (below && path[length - 1] != '/')
		memcpy(copy + length, "/", 2);
	list->each[list->count++] = copy;
	return 0;
}

static int make_room(struct path_list *list, size_t count, struct error *err)
{
	list->each = calloc(count + 1, sizeof *list->each);
	return list->each == NULL ? fail_errno(err, "paths") : 0;
}

static int parse_paths(struct path_list *list, const json_t *allow, const char *key, struct error *err)
{
	if (!present(allow, key))
		return 0;
	const json_t *entries = json_get_array(allow, key, ENTRIES_MOST, err);
	if (entries == NULL || make_room(list, json_array_size(entries), err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(entries); i++)
		if (add_path(list, json_string_value(json_array_get(entries, i)), false, err) < 0)
			return fail_in(err, "%s[%zu]", key, i);
	return 0;
}

// "10.0.0.0/8", "2001:db8::1".
static int parse_network(struct peer *peer, const char *text, struct error *err)
{
	char address[ADDRESS_SIZE], *end = NULL;
	const char *slash = strchr(text, '/');
	size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);

	if (length >= sizeof address)
		return fail(err, "address: too long");
	memcpy(address, text, length);
	address[length] = '\0';
	bool six = inet_pton(AF_INET6, address, peer->address) == 1;
	if (!six) {
		memset(peer->address, 0, 10);
		memset(peer->address + 10, 0xff, 2);
		if (inet_pton(AF_INET, address, peer->address + 12) != 1)
			return fail(err, "address: not one of IPv4 or IPv6");
	}
	unsigned long most = six ? 128 : 32, prefix = slash == NULL ? most : strtoul(slash + 1, &end, 10);
	if (slash != NULL && (slash[1] < '0' || slash[1] > '9' || *end != '\0' || prefix > most))
		return fail(err, "address: a prefix of 0 to %lu bits", most);
	peer->prefix = (unsigned)prefix + (six ? 0 : 96);
	return 0;
}

static int parse_peer(struct peer *peer, const json_t *entry, struct error *err)
{
	static const char *const protocols[] = {"tcp", "udp", NULL};
	uint64_t port;

	if (!json_is_object(entry))
		return fail(err, "not an object");
	if (present(entry, "address")) {
		const char *address = json_get_text(entry, "address", err);
		if (address == NULL || parse_network(peer, address, err) < 0)
			return -1;
	}
	if (json_get_number_or(entry, "port", 1, UINT16_MAX, 0, &port, err) < 0)
		return -1;
	peer->port = (unsigned)port;
	if (!present(entry, "protocol"))
		return 0;
	int protocol = json_get_choice(entry, "protocol", protocols, err);
	if (protocol < 0)
		return -1;
	peer->protocol = protocol == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	return 0;
}

static int parse_peers(struct observe *observe, const json_t *allow, struct error *err)
{
	if (!present(allow, "connect"))
		return 0;
	const json_t *entries = json_get_array(allow, "connect", ENTRIES_MOST, err);
	if (entries == NULL)
		return -1;
	observe->peers = calloc(json_array_size(entries) + 1, sizeof *observe->peers);
	if (observe->peers == NULL)
		return fail_errno(err, "connect");
	for (size_t i = 0; i < json_array_size(entries); i++)
		if (parse_peer(&observe->peers[observe->peer_count++], json_array_get(entries, i), err) < 0)
			return fail_in(err, "connect[%zu]", i);
	return 0;
}

static int parse_allow(struct observe *observe, const json_t *object, struct error *err)
{
	if (!present(object, "allow"))
		return 0;
	const json_t *allow = json_get_object(object, "allow", err);
	if (allow == NULL)
		return -1;
	if (parse_paths(&observe->programs, allow, "exec", err) < 0 || parse_peers(observe, allow, err) < 0 ||
	    parse_paths(&observe->files, allow, "write", err) < 0)
		return fail_in(err, "allow");
	return 0;
}

static int parse_watch(enum watch *out, const json_t *object, const char *key, struct error *err)
{
	static const char *const words[] = {"off", "record", "stop", NULL};

	if (!present(object, key))
		return 0;
	int watch = json_get_choice(object, key, words, err);
	if (watch < 0)
		return -1;
	*out = (enum watch)watch;
	return 0;
}

// What lies in a volume is a container's own. The volumes were found good.
static int take_volumes(struct path_list *list, const json_t *object, struct error *err)
{
	const json_t *volumes = json_object_get(object, "volumes");

	if (make_room(list, json_array_size(volumes), err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *place = json_object_get(json_array_get(volumes, i), "destination");
		if (place != NULL && add_path(list, json_string_value(place), true, err) < 0)
			return fail_in(err, "volumes[%zu]: destination", i);
	}
	return 0;
}

int observe_config_parse(struct observe *observe, const json_t *object, struct error *err)
{
	if (!present(object, "observe"))
		return 0;
	const json_t *found = json_get_object(object, "observe", err);
	if (found == NULL)
		return -1;
	if (parse_watch(&observe->exec, found, "exec", err) < 0 || parse_watch(&observe->connect, found, "connect", err) < 0 ||
	    parse_watch(&observe->write, found, "write", err) < 0 || parse_allow(observe, found, err) < 0)
		return fail_in(err, "observe");
	return take_volumes(&observe->volumes, object, err);
}

static void free_paths(struct path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->each[i]);
	free(list->each);
}

void observe_config_free(struct observe *observe)
{
	free_paths(&observe->programs);
	free_paths(&observe->files);
	free_paths(&observe->volumes);
	free(observe->peers);
}
