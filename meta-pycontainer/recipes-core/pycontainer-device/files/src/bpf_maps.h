// SPDX-License-Identifier: MIT
// What the watching programs are told, and count, of each container.
#pragma once
#include "bpf_code.h"
#include <stdbool.h>

#define BPF_NO_MAPS {.wanted = -1, .told = -1, .unknown = -1, .ring = -1}

// Makes those of `place`; what was made before a failure is there.
int bpf_maps_make(struct bpf_place *place, struct error *err);
void bpf_maps_close(struct bpf_place *place);
// From now on only these kinds are told of for a container's control group, of whose records so many bytes were `taken` out of the
// ring. What was counted of it is kept; when there is nothing, the kernel begins to count anew, and so does `taken`.
int bpf_want(const struct bpf_place *place, uint64_t cgroup, uint32_t kinds, uint32_t *taken, struct error *err);
// How many of a container's were lost since it began. False when it has no entry (any more): it is to be asked for again by bpf_want.
bool bpf_lost(const struct bpf_place *place, uint64_t cgroup, uint32_t *lost);
// How many were lost of containers without an entry, all in all.
uint32_t bpf_unknown(const struct bpf_place *place);
// So many bytes of their records were taken out of the ring.
int bpf_took_unknown(const struct bpf_place *place, uint32_t taken, struct error *err);
