// SPDX-License-Identifier: MIT
// Kernel modules without kmod: the index files of depmod, and finit_module(2).
#pragma once
#include "error.h"
#include <stddef.h>

struct modules;

// Read /lib/modules/<running release>/modules.{dep,alias,softdep}. NULL with an error when there is no such folder.
struct modules *modules_open(struct error *err);
// The same for another folder, and with another function in place of finit_module: for the tests. `insert` returns 0,
// or -1 with an error.
struct modules *modules_open_at(const char *folder, int (*insert)(const char *path, void *context, struct error *err),
				void *context, struct error *err);
void modules_close(struct modules *index);

// Load a module or an alias such as "fs-ext4" or "pci:v00001AF4d...", what it needs first. Returns how many modules
// entered the kernel, 0 when all were there or nothing matches, -1 when the kernel refused one.
int modules_load(struct modules *index, const char *name, struct error *err);

// Load the modules that /etc/pycontainer/modules names, one a line; a missing file names none. Refusals are reported
// on the console and do not stop the rest. Returns how many were loaded.
int modules_listed(struct modules *index, const char *path);
// Load what the devices of this machine ask for, until nothing new appears. Returns how many were loaded.
int modules_coldplug(struct modules *index);

// The kernel asks for a module by running this program as "<program> -q -- <name>": see modules_serve.
int modules_serve(const char *name);
int modules_register(struct error *err);
