// SPDX-License-Identifier: MIT
// A probe tries one thing that a confined container must not do. It returns 0 when the kernel let it through, else the
// errno of the refusal; it runs in a process of its own, so it may leave that in any state.
#pragma once

struct probe {
	const char *name;
	int (*run)(void);
};

extern const struct probe kernel_probes[], place_probes[], limit_probes[];

// What a neighbour shows to all who can reach it: a process, a socket without a file, shared memory, a key, a file.
#define NEIGHBOUR "pyc-neighbour"
#define NEIGHBOUR_KEY 0x70796370
#define NEIGHBOUR_FILE "/run/pycontainer/volumes/neighbour/data/secret"

int neighbour(void);

#define OTHER_USER 4242

// A program of the image that has this capability, and nothing else, in its file.
#define CAPABLE "/capable"
#define GAINED_CAPABILITY CAP_DAC_OVERRIDE

int holds_capability(void);
int gain_capability(void);
