// SPDX-License-Identifier: MIT
// The storage file system: found by its UUID, repaired, mounted at /storage.
#pragma once
#include "error.h"
#include "modules.h"
#include <stdbool.h>
#include <stddef.h>

#define STORAGE "/storage"

// Is this the start (2048 bytes at least) of an ext4 file system, and if so, what is its UUID?
bool storage_uuid(char out[37], const unsigned char *start, size_t length);
// Put the right checksum into the superblock of an ext4 file system that has one; false when it is there already.
bool storage_seal(unsigned char start[2048]);
// Wait up to ten seconds for the device, loading modules for what appears meanwhile; check and mount it. `device` gets
// its path.
int storage_mount(const char *uuid, struct modules *modules, char device[64], struct error *err);
