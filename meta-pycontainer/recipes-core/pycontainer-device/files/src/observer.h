// SPDX-License-Identifier: MIT
// What containers do is written down as their product asks for it, and one that leaves its declared behaviour is stopped.
#pragma once
#include "bpf.h"
#include "containers.h"
#include "error.h"
#include <stdbool.h>
#include <stdint.h>

#define OBSERVED_FOLDER "/storage/logs/observed"

struct observer {
	struct bpf bpf;
	uint32_t kinds;		// that it is told of
	uint32_t unknown;	// so many were lost whose container was not known yet
	uint32_t taken;		// bytes of records of such that were taken out of the ring
	bool took;		// which the kernel is not told of yet
};

// Watch what the containers' products ask for now, none of which was started yet when they are new. Returns 1 when the
// ring is another one, to be waited for (bpf_ring). What a kernel cannot do this says, and containers that would have to be
// stopped by a rule about it are not started.
int observer_adopt(struct observer *observer, struct containers *all);
// Take in what happened.
void observer_drain(struct observer *observer, struct containers *all);
// When observer_drain is due without being told, UINT64_MAX: not at all.
uint64_t observer_deadline(const struct containers *all);
