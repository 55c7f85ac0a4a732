// SPDX-License-Identifier: MIT
// The watching programs in the kernel, and the ring in which they tell what they saw (bpf(2)).
#pragma once
#include "bpf_code.h"
#include <stdbool.h>

#define BPF_RING_BYTES (1024u * 1024)	// some 950 paths

struct bpf {
	bool open;
	struct bpf_place place;
	int programs[BPF_WATCHES];	// where they are attached; they go when these are closed
	unsigned char *consumed;	// the page with our position
	const unsigned char *ring;	// the page with the kernel's position, then the bytes, twice in a row
};

// Load and attach those that tell of these kinds (enum observed_kind) for what is in this control group below /sys/fs/cgroup,
// whose children are the containers. Nothing is left after a failure.
int bpf_open(struct bpf *bpf, const char *cgroup, uint32_t kinds, struct error *err);
void bpf_close(struct bpf *bpf);
// To wait for: readable when there is something in the ring.
int bpf_ring(const struct bpf *bpf);
// Hand over what is in the ring, at most so many records; returns how many. The bytes belong to the call.
size_t bpf_drain(struct bpf *bpf, size_t most, void (*take)(void *context, const unsigned char *bytes, size_t length),
		 void *context);
// From now on only these kinds are told of for a container's control group. How many were lost is kept.
int bpf_want(struct bpf *bpf, uint64_t cgroup, uint32_t kinds, struct error *err);
// How many were lost since it began, 0 when nothing is known of it.
uint32_t bpf_lost(const struct bpf *bpf, uint64_t cgroup);
