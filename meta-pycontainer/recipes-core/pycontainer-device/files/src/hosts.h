// SPDX-License-Identifier: MIT
// What a container on the bridge finds as /etc/hosts: itself and its neighbours by their layers' names, and what its own
// image has in that file; hosts(5).
#pragma once
#include "error.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

// Where the files lie, one a layer; the run configuration mounts it.
#define HOSTS "/run/pycontainer/hosts"
// Of the image's own file.
#define HOSTS_OWN_MOST 65536

struct host {
	const char *name;
	uint32_t address;	// IPv4, in this machine's byte order
};

// Returns a text to free, or NULL; `own` may be NULL.
char *hosts_text(const struct host hosts[], size_t count, const char *own, size_t own_length, size_t *length,
		 struct error *err);
// The image's own file below the folder `root`: a text to free; *own is NULL when there is none.
int hosts_own(int root, char **own, size_t *length, struct error *err);
// Write the file of a layer into a folder, which is made when missing. An existing file keeps its inode, because it is
// mounted in a container that runs.
int hosts_put(const char *folder, const char *layer, const char *text, size_t length, struct error *err);
