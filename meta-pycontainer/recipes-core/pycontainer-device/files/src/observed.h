// SPDX-License-Identifier: MIT
// One thing that a container did, as the kernel tells it, and whether its product declares it.
#pragma once
#include "error.h"
#include "revision.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVED_PATH 1024	// of a path with its zero; a longer one is not known

// Bits of a set. Refused: a file was to be opened for writing where all is read-only.
enum observed_kind { OBSERVED_EXEC = 1, OBSERVED_CONNECT = 2, OBSERVED_WRITE = 4, OBSERVED_REFUSED = 8 };

// As the programs in the kernel write it (bpf_code.c): this, and then an address or a path.
struct observed_head {
	uint64_t cgroup;
	uint64_t when_ns;	// since the start, sleep included
	uint32_t kind;
	uint32_t pid;		// on the device
	uint32_t uid;		// on the device
	uint32_t shared;	// it was counted with those of containers that the kernel did not know yet
	char program[16];	// its first 15 bytes
};

struct observed_address {
	uint32_t family;
	unsigned char bytes[16];	// of IPv4 the first four
	uint16_t port;			// in the network's order
	uint16_t unused;
	uint32_t protocol;
};

struct observed_path {
	int64_t length;		// with its zero; not positive: not known
	char text[OBSERVED_PATH];
};

struct observed {
	struct observed_head head;
	struct peer peer;		// of a connection: one address
	char path[OBSERVED_PATH];	// of a program or a file; empty: not known
};

// Read what the kernel wrote. The texts in it are a container's.
int observed_parse(struct observed *out, const unsigned char *bytes, size_t length, struct error *err);
// Which kinds the kernel shall tell of for a layer: with any of them the first exec, by which its program begins.
uint32_t observed_wanted(const struct observe *observe);
// Is it a write within a volume, where a container may write what it likes, or to what the kernel keeps of the process
// itself for its security modules, which a runtime does on its behalf?
bool observed_is_own(const struct observe *observe, const struct observed *what);
// Does the product say that it happens?
bool observed_is_declared(const struct observe *observe, const struct observed *what);
// What follows when it does not.
enum watch observed_watch(const struct observe *observe, uint32_t kind);
// "exec /bin/sh", "connect 192.0.2.1:443/tcp", "write /tmp/x".
void observed_text(const struct observed *what, char *out, size_t size);
// The line that is kept. `epoch_ms`: when the device started, by its clock.
json_t *observed_json(const struct layer *layer, const struct observed *what, bool declared, int64_t epoch_ms);
// "2026-01-31T12:34:56.789Z".
void observed_time(int64_t epoch_ms, char out[32]);
