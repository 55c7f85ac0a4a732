// SPDX-License-Identifier: MIT
// What passes between the containers' bridge and everything else: the nf_tables table "ip pycontainer".
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>

#define PORTS_MOST 256

// A port of the host's addresses that leads to a container's.
struct published {
	unsigned host, container;	// port numbers
	bool udp;			// or TCP
	unsigned index;			// the container's place on the bridge
};

// Publish these ports and no others. All rules are replaced in one step: a refusal leaves the former ones. Forwarding is
// turned on, the bridge is made when missing.
//
// A container reaches the outside under the host's address, every other container directly, and whatever listens on
// the host's own addresses but 127.0.0.0/8. A published port is reached from outside, from the host (127.0.0.1 too) and
// from every container. From outside nothing else enters the bridge. Between two other interfaces nothing is forwarded
// either, unless forwarding was on before (kernel argument sysctl.net.ipv4.ip_forward=1): a router stays one, but
// nothing else becomes one.
int nat_set(const struct published *ports, size_t count, struct error *err);
