// SPDX-License-Identifier: MIT
// A machine id, machine-id(5), for a container whose init wants one: another for each device and each layer, and the
// same at every start. It follows from a secret of the device, state/machine below storage, made when first needed.
#pragma once
#include "error.h"
#include "fs.h"

#define MACHINE_ID_FOLDER "/run/pycontainer/machine-id"
#define MACHINE_ID_SIZE 34	// 32 hexadecimal digits, a line end, and the terminating zero

// The id of a layer, in the form of /etc/machine-id.
int machine_id_make(char out[MACHINE_ID_SIZE], struct fs *fs, const char *layer, struct error *err);
// Write it to MACHINE_ID_FOLDER/<layer>, where the container's configuration looks for it.
int machine_id_put(struct fs *fs, const char *layer, struct error *err);
