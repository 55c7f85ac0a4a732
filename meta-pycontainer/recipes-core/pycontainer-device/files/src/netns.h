// SPDX-License-Identifier: MIT
// Named network namespaces: each is kept alive by a mount of it on a file.
#pragma once
#include "error.h"

#define NETNS "/run/pycontainer/netns"

// Open the network namespace of a layer; a new one has its loopback interface up. Returns a file descriptor.
int netns_open(const char *layer, struct error *err);
// Do something inside, in a process of its own: this one stays where it is. Whatever `run` changes in memory is lost.
int netns_run(int netns, int (*run)(void *context, struct error *err), void *context, struct error *err);
// Give up the name; the namespace ends with its last process. One that is not there is fine.
int netns_remove(const char *layer, struct error *err);
