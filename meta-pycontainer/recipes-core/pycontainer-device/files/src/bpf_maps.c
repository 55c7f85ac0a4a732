// SPDX-License-Identifier: MIT
#include "bpf_maps.h"
#include "bpf_call.h"

#include <errno.h>

#define KNOWN_MOST 256		// the least recently used makes room, and is asked for anew

static int make_map(enum bpf_map_type type, size_t key, size_t value, uint32_t entries, struct error *err)
{
	union bpf_attr a = {.map_type = type, .key_size = (uint32_t)key, .value_size = (uint32_t)value, .max_entries = entries};
	int fd = bpf_call(BPF_MAP_CREATE, &a);

	return fd < 0 ? fail_errno(err, "eBPF map") : fd;
}

int bpf_maps_make(struct bpf_place *place, struct error *err)
{
	const enum bpf_map_type recent = BPF_MAP_TYPE_LRU_HASH;

	return (place->wanted = make_map(recent, sizeof(uint64_t), sizeof(struct bpf_wanted), KNOWN_MOST, err)) < 0 ||
		(place->told = make_map(recent, sizeof(uint64_t), sizeof(struct bpf_told), KNOWN_MOST, err)) < 0 ||
		(place->unknown = make_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct bpf_told), BPF_UNKNOWN, err)) < 0 ||
		(place->ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, BPF_RING_BYTES, err)) < 0 ? -1 : 0;
}

void bpf_maps_close(struct bpf_place *place)
{
	int *const maps[] = {&place->ring, &place->unknown, &place->told, &place->wanted};

	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		if (*maps[i] >= 0)
			close(*maps[i]);
		*maps[i] = -1;
	}
}

static bool look_up(int map, const void *key, void *out)
{
	union bpf_attr a = {.map_fd = (uint32_t)map, .key = bpf_pointer(key), .value = bpf_pointer(out)};

	return bpf_call(BPF_MAP_LOOKUP_ELEM, &a) == 0;
}

static int update(int map, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr a = {.map_fd = (uint32_t)map, .key = bpf_pointer(key), .value = bpf_pointer(value), .flags = flags};

	return bpf_call(BPF_MAP_UPDATE_ELEM, &a);
}

int bpf_want(const struct bpf_place *place, uint64_t cgroup, uint32_t kinds, uint32_t *taken, struct error *err)
{
	static const struct bpf_told nothing;

	if (update(place->told, &cgroup, &nothing, BPF_NOEXIST) == 0)
		*taken = 0;
	else if (errno != EEXIST)
		return fail_errno(err, "eBPF map");
	const struct bpf_wanted wanted = {.kinds = kinds, .taken = *taken};
	return update(place->wanted, &cgroup, &wanted, BPF_ANY) < 0 ? fail_errno(err, "eBPF map") : 0;
}

bool bpf_lost(const struct bpf_place *place, uint64_t cgroup, uint32_t *lost)
{
	struct bpf_wanted wanted;
	struct bpf_told told;
	bool known = look_up(place->told, &cgroup, &told);

	*lost = known ? told.lost : 0;
	return known && look_up(place->wanted, &cgroup, &wanted);
}

uint32_t bpf_unknown(const struct bpf_place *place)
{
	static const uint32_t key = BPF_UNKNOWN_TOLD;
	struct bpf_told told;

	return look_up(place->unknown, &key, &told) ? told.lost : 0;
}

int bpf_took_unknown(const struct bpf_place *place, uint32_t taken, struct error *err)
{
	static const uint32_t key = BPF_UNKNOWN_WANTED;
	const struct bpf_wanted wanted = {.taken = taken};

	return update(place->unknown, &key, &wanted, BPF_ANY) < 0 ? fail_errno(err, "eBPF map") : 0;
}
