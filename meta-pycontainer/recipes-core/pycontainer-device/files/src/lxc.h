// SPDX-License-Identifier: MIT
// The run configuration of a layer that LXC runs: one object with a configuration, a system call filter and a command.
#pragma once
#include "error.h"
#include <stddef.h>

#define LXC_TEXT_LIMIT (1u << 20)
#define LXC_WORDS_MOST 4096

struct lxc_config {
	char *config;		// lxc.container.conf(5)
	char *seccomp;		// its filter, version 2; empty: none
	size_t args_length;
	char *args;		// the program and its arguments, each ended by a zero byte
};

// Parse {"args": [...], "config": "...", "seccomp": "..."}, nothing else. At the end and after a failure: lxc_config_free.
int lxc_config_parse(struct lxc_config *out, const char *text, size_t length, struct error *err);
void lxc_config_free(struct lxc_config *config);
// Write the parts to `folder` as the files config, seccomp and args.
int lxc_config_write(const struct lxc_config *config, const char *folder, struct error *err);
// Take them away again.
void lxc_config_remove(const char *folder);
