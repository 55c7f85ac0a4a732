// SPDX-License-Identifier: MIT
// The watching programs in the kernel, and the ring in which they tell what they saw (bpf(2)).
#pragma once
#include "bpf_maps.h"
#include <stdbool.h>

struct bpf {
	bool open;
	int group;			// the control group that is watched
	struct bpf_place place;
	struct bpf_kernel kernel;
	int programs[BPF_WATCHES];	// where they are attached; they go when these are closed
	unsigned char *consumed;	// the page with our position
	const unsigned char *ring;	// the page with the kernel's position, then the bytes, twice in a row
};

// For what is in this control group below /sys/fs/cgroup, whose children are the containers; nothing is told of yet. Nothing is
// left after a failure.
int bpf_open(struct bpf *bpf, const char *cgroup, struct error *err);
void bpf_close(struct bpf *bpf);
// Load and attach those that tell of these kinds (enum observed_kind), beside what is attached. Returns for which it could
// be done; `err` is about the last one that is not among them.
uint32_t bpf_watch(struct bpf *bpf, uint32_t kinds, struct error *err);
// To wait for: readable when there is something in the ring.
int bpf_ring(const struct bpf *bpf);
// Hand over what is in the ring, at most so many records; returns how many. The bytes belong to the call.
size_t bpf_drain(struct bpf *bpf, size_t most, void (*take)(void *context, const unsigned char *bytes, size_t length),
		 void *context);
