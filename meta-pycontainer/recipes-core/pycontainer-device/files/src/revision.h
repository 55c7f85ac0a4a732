// SPDX-License-Identifier: MIT
// A revision: its manifest (an OCI image manifest) and its config, parsed strictly and checked against each other.
#pragma once
#include "error.h"
#include "text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_LIMIT (1u << 20)
#define CONFIG_LIMIT (1u << 20)
#define TEXT_SIZE 513	// 128 characters of UTF-8

struct blob {
	char layer[NAME_SIZE];
	char role[NAME_SIZE];
	char digest[HEX_SIZE];	// SHA-256 of the bytes
	char verity[HEX_SIZE];	// fs-verity file digest: SHA-256, blocks of 4096 bytes, no salt
	uint64_t size;
};

enum volume_kind { VOLUME_PERMANENT, VOLUME_REVISION, VOLUME_BOOT };

struct volume {
	char name[NAME_SIZE];
	enum volume_kind kind;
	unsigned mode, uid, gid;
};

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct restart {
	enum restart_policy policy;
	uint64_t max_retries;	// 0: as often as it takes
	uint64_t initial_delay_ms, max_delay_ms, reset_after_ms;
};

struct layer {
	char name[NAME_SIZE];
	char kind[NAME_SIZE];
	bool container;			// it is run: it has a rootfs and a run-config
	const struct blob *rootfs, *run_config, *modules, *firmware;
	unsigned group;
	size_t after_count;
	size_t *after;			// indexes of the layers that must run before
	struct restart restart;
	unsigned stop_signal;
	uint64_t stop_timeout_ms;
	uint64_t log_bytes;		// of one log file
	unsigned log_files;
	size_t volume_count;
	struct volume *volumes;
};

struct revision {
	char id[HEX_SIZE];
	char config_digest[HEX_SIZE];
	uint64_t config_size;
	char product[NAME_SIZE], machine[NAME_SIZE];
	char version[TEXT_SIZE];
	uint64_t security_version;	// a revision below the device's floor is refused
	size_t blob_count;
	struct blob *blobs;
	size_t layer_count;
	struct layer *layers;
};

// Parse the manifest, then the config. After a failure and at the end: revision_free.
int revision_parse_manifest(struct revision *out, const char *text, size_t length, struct error *err);
int revision_parse_config(struct revision *out, const char *text, size_t length, struct error *err);
void revision_free(struct revision *revision);
// The first layer of a kind, or NULL.
const struct layer *revision_layer(const struct revision *revision, const char *kind);
