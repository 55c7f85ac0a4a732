// SPDX-License-Identifier: MIT
// The containers' own network: a bridge, and for each container a network namespace with one interface on it.
#pragma once
#include "error.h"
#include <stdint.h>

#define BRIDGE "pycbr0"
// 10.88.0.0/24, in the host's byte order. A device's LAN rarely lies there: routers hand out 192.168 networks and the
// lower end of 10.0.0.0/8, container engines 172.17 and above. Where it does all the same, what the device sends to such
// an address goes to the bridge: it and those neighbours do not reach each other.
#define BRIDGE_NETWORK 0x0a580000u
#define BRIDGE_PREFIX 24
#define BRIDGE_INDEX_MOST 200

// The kernel modules that bridge and nat need; all come with the BSP. The kernel asks for each by itself
// (rtnl-link-veth, nft-expr-masq ...), but in dozens of rounds; NULL ends the list.
extern const char *const bridge_modules[];

// The bridge itself, 10.88.0.1, or a container, 10.88.0.(2 + index); in the host's byte order.
uint32_t bridge_gateway(void);
uint32_t bridge_address(unsigned index);

// Make the bridge, with its address and up; one that is there is kept.
int bridge_make(struct error *err);
// Give a layer its place on the bridge: the network namespace /run/pycontainer/netns/<layer> with eth0, the bridge made
// when missing. The index is 1 to BRIDGE_INDEX_MOST, this layer's alone. What is there already is kept, what does not
// fit is made anew.
int bridge_attach(unsigned index, const char *layer, struct error *err);
// Take all of that away; what is not there is fine. The container must have ended.
int bridge_detach(unsigned index, const char *layer, struct error *err);
