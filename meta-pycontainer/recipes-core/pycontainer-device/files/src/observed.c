// SPDX-License-Identifier: MIT
#include "observed.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int parse_address(struct peer *peer, const unsigned char *bytes, size_t length, struct error *err)
{
	struct observed_address address;

	if (length != sizeof address)
		return fail(err, "an address of %zu bytes", length);
	memcpy(&address, bytes, sizeof address);
	if (address.family != AF_INET && address.family != AF_INET6)
		return fail(err, "an address of family %" PRIu32, address.family);
	*peer = (struct peer){.prefix = 128, .port = ntohs(address.port), .protocol = address.protocol};
	if (address.family == AF_INET6) {
		memcpy(peer->address, address.bytes, 16);
	} else {
		memset(peer->address + 10, 0xff, 2);
		memcpy(peer->address + 12, address.bytes, 4);
	}
	return 0;
}

static int parse_path(char path[OBSERVED_PATH], const unsigned char *bytes, size_t length, struct error *err)
{
	int64_t used;

	if (length != sizeof(struct observed_path))
		return fail(err, "a path of %zu bytes", length);
	memcpy(&used, bytes, sizeof used);
	bytes += offsetof(struct observed_path, text);
	path[0] = '\0';
	// One that fills its room may have been cut.
	if (used > 1 && used < OBSERVED_PATH && bytes[used - 1] == '\0' && strlen((const char *)bytes) == (size_t)used - 1)
		memcpy(path, bytes, (size_t)used);
	return 0;
}

int observed_parse(struct observed *out, const unsigned char *bytes, size_t length, struct error *err)
{
	struct observed_head *head = &out->head;

	if (length < sizeof *head)
		return fail(err, "cut short");
	memset(out, 0, sizeof *out);
	memcpy(head, bytes, sizeof *head);
	head->program[sizeof head->program - 1] = '\0';
	bytes += sizeof *head;
	length -= sizeof *head;
	if (head->kind == OBSERVED_CONNECT)
		return parse_address(&out->peer, bytes, length, err);
	if (head->kind == OBSERVED_EXEC || head->kind == OBSERVED_WRITE || head->kind == OBSERVED_REFUSED)
		return parse_path(out->path, bytes, length, err);
	return fail(err, "of kind %" PRIu32, head->kind);
}

enum watch observed_watch(const struct observe *observe, uint32_t kind)
{
	if (kind != OBSERVED_REFUSED)
		return kind == OBSERVED_EXEC ? observe->exec : kind == OBSERVED_CONNECT ? observe->connect : observe->write;
	// Programs try, and go on without: it did not happen.
	return observe->write == WATCH_OFF ? WATCH_OFF : WATCH_RECORD;
}

uint32_t observed_wanted(const struct observe *observe)
{
	uint32_t kinds = (observe->connect != WATCH_OFF ? OBSERVED_CONNECT : 0u) |
			 (observe->write != WATCH_OFF ? OBSERVED_WRITE | OBSERVED_REFUSED : 0u);

	return kinds != 0 || observe->exec != WATCH_OFF ? kinds | OBSERVED_EXEC : 0;
}

// A path with ".." in it may lead anywhere, and one that does not begin with / begins wherever its process is.
static bool is_plain(const char *path)
{
	size_t length = strlen(path);

	return path[0] == '/' && strstr(path, "/../") == NULL && (length < 3 || strcmp(path + length - 3, "/..") != 0);
}

// An entry that ends with / means all that is below it.
static bool matches(const struct path_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++) {
		size_t length = strlen(list->each[i]);
		if (list->each[i][length - 1] == '/' ? strncmp(path, list->each[i], length) == 0 : strcmp(path, list->each[i]) == 0)
			return true;
	}
	return false;
}

// "/proc/12/attr/...", "/proc/12/task/12/attr/...".
static bool is_attribute(const char *path)
{
	const char *rest = strncmp(path, "/proc/", 6) == 0 ? path + 6 + strspn(path + 6, "0123456789") : "";

	if (strncmp(rest, "/task/", 6) == 0)
		rest += 6 + strspn(rest + 6, "0123456789");
	return strncmp(rest, "/attr/", 6) == 0;
}

bool observed_is_own(const struct observe *observe, const struct observed *what)
{
	// What lies in no file system that is mounted is no file: "anon_inode:[pidfd]".
	if (what->head.kind == OBSERVED_WRITE && what->path[0] != '\0' && what->path[0] != '/')
		return true;
	return what->head.kind == OBSERVED_WRITE && is_plain(what->path) &&
	       (matches(&observe->volumes, what->path) || is_attribute(what->path));
}

static bool in_network(const struct peer *network, const struct peer *peer)
{
	size_t bytes = network->prefix / 8;
	unsigned bits = network->prefix % 8;

	return memcmp(network->address, peer->address, bytes) == 0 &&
	       (bits == 0 || (network->address[bytes] ^ peer->address[bytes]) >> (8 - bits) == 0);
}

bool observed_is_declared(const struct observe *observe, const struct observed *what)
{
	if (what->head.kind != OBSERVED_CONNECT)
		return is_plain(what->path) &&
		       matches(what->head.kind == OBSERVED_EXEC ? &observe->programs : &observe->files, what->path);
	for (size_t i = 0; i < observe->peer_count; i++) {
		const struct peer *peer = &observe->peers[i];
		if ((peer->port == 0 || peer->port == what->peer.port) &&
		    (peer->protocol == 0 || peer->protocol == what->peer.protocol) && in_network(peer, &what->peer))
			return true;
	}
	return false;
}

static const char *kind_word(uint32_t kind)
{
	return kind == OBSERVED_EXEC ? "exec" : kind == OBSERVED_CONNECT ? "connect" : "write";
}

static const char *protocol_word(uint32_t protocol, char room[16])
{
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return protocol == IPPROTO_TCP ? "tcp" : "udp";
	snprintf(room, 16, "%" PRIu32, protocol);
	return room;
}

static bool is_ipv4(const struct peer *peer)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(peer->address, mapped, sizeof mapped) == 0;
}

static void address_text(const struct peer *peer, char out[ADDRESS_SIZE])
{
	bool four = is_ipv4(peer);

	if (inet_ntop(four ? AF_INET : AF_INET6, peer->address + (four ? 12 : 0), out, ADDRESS_SIZE) == NULL)
		out[0] = '\0';
}

void observed_text(const struct observed *what, char *out, size_t size)
{
	char address[ADDRESS_SIZE], room[16];

	if (what->head.kind != OBSERVED_CONNECT) {
		snprintf(out, size, "%s %s", kind_word(what->head.kind), what->path[0] == '\0' ? "of an unknown path" : what->path);
		return;
	}
	address_text(&what->peer, address);
	snprintf(out, size, is_ipv4(&what->peer) ? "connect %s:%u/%s" : "connect [%s]:%u/%s", address, what->peer.port,
		 protocol_word(what->peer.protocol, room));
}

void observed_time(int64_t epoch_ms, char out[32])
{
	time_t seconds = (time_t)(epoch_ms / 1000);
	struct tm parts;
	size_t used = gmtime_r(&seconds, &parts) == NULL ? 0 : strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &parts);

	snprintf(out + used, 32 - used, ".%03dZ", (int)(epoch_ms % 1000));
}

// By the number that the container knows it by, should it have users of its own.
static uint32_t user_of(const struct layer *layer, uint32_t uid)
{
	return layer->user_count > 0 && uid >= layer->user_base && uid - layer->user_base < layer->user_count
		       ? uid - layer->user_base
		       : uid;
}

json_t *observed_json(const struct layer *layer, const struct observed *what, bool declared, int64_t epoch_ms)
{
	const struct observed_head *head = &what->head;
	char when[32], address[ADDRESS_SIZE], room[16];

	observed_time(epoch_ms + (int64_t)(head->when_ns / 1000000), when);
	json_t *line = json_pack("{s:s, s:I, s:s, s:s, s:b, s:I, s:I, s:o}", "time", when, "bootMs",
				 (json_int_t)(head->when_ns / 1000000), "layer", layer->name, "event", kind_word(head->kind),
				 "declared", declared, "pid", (json_int_t)head->pid, "uid",
				 (json_int_t)user_of(layer, head->uid), "program", utf8_json(head->program, strlen(head->program)));
	if (line == NULL)
		return NULL;
	if (head->kind != OBSERVED_CONNECT) {
		json_object_set_new(line, "path",
				    what->path[0] == '\0' ? json_null() : utf8_json(what->path, strlen(what->path)));
		if (head->kind == OBSERVED_REFUSED)
			json_object_set_new(line, "refused", json_true());
		return line;
	}
	address_text(&what->peer, address);
	json_object_set_new(line, "address", json_string(address));
	json_object_set_new(line, "port", json_integer(what->peer.port));
	json_object_set_new(line, "protocol", json_string(protocol_word(what->peer.protocol, room)));
	return line;
}
