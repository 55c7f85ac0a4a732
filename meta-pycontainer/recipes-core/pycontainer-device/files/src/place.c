// SPDX-License-Identifier: MIT
#include "place.h"
#include "bridge.h"
#include "console.h"
#include "crun.h"
#include "hosts.h"
#include "machine_id.h"
#include "nat.h"
#include "storage.h"
#include "volume.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A layer keeps its address as long as the device runs: what an app remembers of another one stays right.
static unsigned index_of(const char *name, struct error *err)
{
	static char names[BRIDGE_INDEX_MOST][NAME_SIZE];

	for (unsigned i = 0; i < BRIDGE_INDEX_MOST; i++) {
		if (names[i][0] == '\0')
			strcpy(names[i], name);
		if (strcmp(names[i], name) == 0)
			return i + 1;
	}
	fail(err, "more than %d containers had an address since the start", BRIDGE_INDEX_MOST);
	return 0;
}

// Everyone on the bridge has an address from now on, also who starts later.
static size_t neighbours(const struct revision *revision, struct host hosts[LAYERS_MOST], struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < revision->layer_count; i++) {
		const struct layer *layer = &revision->layers[i];
		unsigned index = layer->network == NETWORK_BRIDGE ? index_of(layer->name, err) : 0;
		if (index > 0)
			hosts[count++] = (struct host){layer->name, bridge_address(index)};
	}
	return count;
}

static int write_hosts(const struct revision *revision, const struct layer *layer, struct error *err)
{
	struct host hosts[LAYERS_MOST];
	size_t count = neighbours(revision, hosts, err), own_length, length;
	char *own, *text;
	int root = crun_open_root(layer, err);

	if (root < 0)
		return -1;
	int result = hosts_own(root, &own, &own_length, err);
	close(root);
	if (result < 0)
		return -1;
	text = hosts_text(hosts, count, own, own_length, &length, err);
	free(own);
	result = text == NULL ? -1 : hosts_put(HOSTS, layer->name, text, length, err);
	free(text);
	return result;
}

int place_make(const struct revision *revision, const struct layer *layer, struct error *err)
{
	struct fs fs;

	fs_real(&fs, STORAGE);
	if (layer->machine_id && machine_id_put(&fs, layer->name, err) < 0)
		return -1;
	if (volume_mount_all(revision, layer, err) < 0) {
		volume_unmount_all(layer);
		return -1;
	}
	if (layer->network != NETWORK_BRIDGE)
		return 0;
	unsigned index = index_of(layer->name, err);
	if (index > 0 && write_hosts(revision, layer, err) == 0 && bridge_attach(index, layer->name, err) == 0)
		return 0;
	volume_unmount_all(layer);
	return fail_in(err, "network");
}

void place_remove(const struct layer *layer)
{
	struct error err;

	volume_unmount_all(layer);
	if (layer->network != NETWORK_BRIDGE)
		return;
	unsigned index = index_of(layer->name, &err);
	if (index == 0 || bridge_detach(index, layer->name, &err) < 0)
		console_line("network of %s: %s", layer->name, err.text);
}

static size_t collect(const struct revision *revision, struct published *out, struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < revision->layer_count; i++) {
		const struct layer *layer = &revision->layers[i];
		for (size_t k = 0; k < layer->port_count && count < PORTS_MOST; k++) {
			unsigned index = index_of(layer->name, err);
			if (index > 0)
				out[count++] = (struct published){layer->ports[k].host, layer->ports[k].container,
								  layer->ports[k].udp, index};
		}
	}
	return count;
}

int place_publish(const struct revision *revision, struct error *err)
{
	static bool used;
	bool any = false;

	for (size_t i = 0; i < revision->layer_count; i++) {
		if (revision->layers[i].network != NETWORK_BRIDGE)
			continue;
		any = true;
		// One that goes on running from the revision before learns of its new neighbours.
		if (write_hosts(revision, &revision->layers[i], err) < 0)
			return fail_in(err, "hosts of %.63s", revision->layers[i].name);
	}
	// A product without a bridge needs none of the kernel's modules for it.
	if (!any && !used)
		return 0;
	struct published *ports = calloc(PORTS_MOST, sizeof *ports);
	if (ports == NULL)
		return fail_errno(err, "ports");
	int result = nat_set(ports, collect(revision, ports, err), err);
	free(ports);
	used = true;
	return result;
}
