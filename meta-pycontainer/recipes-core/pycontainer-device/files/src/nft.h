// SPDX-License-Identifier: MIT
// Tables, chains and rules of nf_tables as netlink messages: one batch, which the kernel takes whole or not at all.
#pragma once
#include "netlink.h"

struct nft_chain {
	const char *name, *type;	// type: "filter", "nat"
	unsigned hook;			// NF_INET_...
	int priority;
};

void nft_begin(struct netlink *batch);
// The end, and the question how it went.
void nft_end(struct netlink *batch, const char *table);
// Make a table of IPv4 empty, whether it was there or not.
void nft_table_anew(struct netlink *batch, const char *table);
void nft_chain(struct netlink *batch, const char *table, const struct nft_chain *chain);
// A rule holds the expressions that follow, up to netlink_nest_end with what this returns.
size_t nft_rule(struct netlink *batch, const char *table, const char *chain);

// Expressions. These put a value into the first register ...
void nft_meta(struct netlink *batch, unsigned key);
void nft_ct(struct netlink *batch, unsigned key);
void nft_payload(struct netlink *batch, unsigned base, unsigned offset, unsigned length);
// The kind of the destination address as RTN_LOCAL and others.
void nft_destination_kind(struct netlink *batch);
void nft_and(struct netlink *batch, const void *mask, size_t length);
void nft_load(struct netlink *batch, unsigned reg, const void *bytes, size_t length);
// ... this goes on with the rule only if it compares so (NFT_CMP_...) ...
void nft_compare(struct netlink *batch, unsigned how, const void *bytes, size_t length);
// ... and these decide.
void nft_verdict(struct netlink *batch, unsigned verdict);
void nft_masquerade(struct netlink *batch);
// To the IPv4 address in the first register and the port in the second.
void nft_destination_nat(struct netlink *batch);
