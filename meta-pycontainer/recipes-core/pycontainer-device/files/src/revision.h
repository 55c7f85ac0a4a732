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
#define LAYERS_MOST 64
#define PROFILE_SIZE 128	// the name of an AppArmor profile: of a name's characters, and longer
#define CONDITIONS_MOST 16	// files, and addresses as many again
#define ADDRESS_SIZE 46	// of an IPv6 address as text

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

enum health_kind { HEALTH_NONE, HEALTH_COMMAND, HEALTH_TCP, HEALTH_HTTP };

struct health_check {
	enum health_kind kind;
	char **command;			// HEALTH_COMMAND: run in the container; NULL ends it
	unsigned port;			// HEALTH_TCP, HEALTH_HTTP: of the container
	char *path;			// HEALTH_HTTP
	uint64_t start_period_ms, interval_ms, timeout_ms, retries;
};

enum runtime { RUNTIME_CRUN, RUNTIME_LXC };

enum network_mode { NETWORK_NONE, NETWORK_HOST, NETWORK_BRIDGE };

struct port {
	unsigned host, container;
	bool udp;
};

// Bytes a second; 0: no limit.
struct io_limits {
	uint64_t read, write;
};

// What a container does is recorded, or it is stopped for what its product does not declare.
enum watch { WATCH_OFF, WATCH_RECORD, WATCH_STOP };

// Addresses that begin with these bits, IPv4 as ::ffff:0:0/96. No port, no protocol: any.
struct peer {
	unsigned char address[16];
	unsigned prefix, port, protocol;
};

// Absolute; one that ends with / is all that is below it.
struct path_list {
	size_t count;
	char **each;
};

struct observe {
	enum watch exec, connect, write;
	struct path_list programs, files, volumes;	// declared; of files, those in volumes are not told of at all
	size_t peer_count;
	struct peer *peers;
};

struct layer {
	char name[NAME_SIZE];
	char kind[NAME_SIZE];
	char version[TEXT_SIZE];	// for people; may be empty
	bool container;			// it is run: it has a rootfs and a run-config
	enum runtime runtime;
	const struct blob *rootfs, *run_config, *modules, *firmware, *policy;
	unsigned group;
	size_t after_count;
	size_t *after;			// indexes of the layers that must run before
	size_t after_end_count;
	size_t *after_end;		// of those that must have ended well before
	struct restart restart;
	unsigned stop_signal;
	uint64_t stop_timeout_ms;
	uint64_t log_bytes;		// of one log file
	unsigned log_files;
	size_t volume_count;
	struct volume *volumes;
	struct health_check health;
	// A trial counts this container as well when it was healthy (without a check: running) for so long without a break,
	// and had no more than so many restarts.
	uint64_t healthy_for_ms, max_restarts;
	bool machine_id;		// it finds one of its own (machine_id.h)
	bool required;			// the device is not well without it
	enum network_mode network;
	size_t port_count;		// published, NETWORK_BRIDGE only
	struct port *ports;
	struct io_limits io;
	size_t control_count;		// verbs of the control protocol that it may use
	char (*control)[NAME_SIZE];
	// Its user namespace: user 0 there is user_base of the device, and so on; no count: it has none.
	uint32_t user_base, user_count;
	char apparmor[PROFILE_SIZE];	// the profile in its policy; empty: it has none
	struct observe observe;
};

// A trial is not confirmed before this file is in the volume of a container, as a path below it.
struct file_condition {
	const struct layer *layer;
	const struct volume *volume;
	char *path;
};

// Nor before this TCP port accepts a connection.
struct reach_condition {
	char address[ADDRESS_SIZE];	// of IPv4 or IPv6, in any form that inet_pton takes
	unsigned port;
};

struct revision {
	char id[HEX_SIZE];
	char config_digest[HEX_SIZE];
	uint64_t config_size;
	char product[NAME_SIZE], machine[NAME_SIZE];
	char version[TEXT_SIZE];
	size_t blob_count;
	struct blob *blobs;
	size_t layer_count;
	struct layer *layers;
	uint64_t security_version;	// below the device's floor it is refused
	uint64_t confirm_timeout_ms;
	bool apparmor_required;		// it must not run on a kernel without AppArmor
	bool confirm_manual;		// besides all conditions, somebody must say so
	size_t file_count;
	struct file_condition *files;
	size_t reach_count;
	struct reach_condition *reachable;
};

// Parse the manifest, then the config. After a failure and at the end: revision_free.
int revision_parse_manifest(struct revision *out, const char *text, size_t length, struct error *err);
int revision_parse_config(struct revision *out, const char *text, size_t length, struct error *err);
void revision_free(struct revision *revision);
// The first layer of a kind, or NULL.
const struct layer *revision_layer(const struct revision *revision, const char *kind);
