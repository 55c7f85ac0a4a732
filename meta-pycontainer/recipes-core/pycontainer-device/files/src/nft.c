// SPDX-License-Identifier: MIT
#include "nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

// What nft(8) numbers from 1 are these: 16 bytes each, behind the verdict's.
#define REG NFT_REG_1

static void message(struct netlink *batch, unsigned type, unsigned flags)
{
	struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0};

	netlink_message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &header, sizeof header);
}

static void frame(struct netlink *batch, unsigned type)
{
	struct nfgenmsg header = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

	netlink_message(batch, type, 0, &header, sizeof header);
}

void nft_begin(struct netlink *batch)
{
	frame(batch, NFNL_MSG_BATCH_BEGIN);
}

void nft_end(struct netlink *batch, const char *table)
{
	// Changes nothing and is answered: the frame itself is not, on kernels before 6.10.
	message(batch, NFT_MSG_NEWTABLE, NLM_F_ACK);
	netlink_put_text(batch, NFTA_TABLE_NAME, table);
	frame(batch, NFNL_MSG_BATCH_END);
}

void nft_table_anew(struct netlink *batch, const char *table)
{
	static const struct {
		unsigned type, flags;
	} steps[] = {{NFT_MSG_NEWTABLE, NLM_F_CREATE}, {NFT_MSG_DELTABLE, 0}, {NFT_MSG_NEWTABLE, NLM_F_CREATE}};

	// To delete what is not there is an error, so it is made first.
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		message(batch, steps[i].type, steps[i].flags);
		netlink_put_text(batch, NFTA_TABLE_NAME, table);
	}
}

void nft_chain(struct netlink *batch, const char *table, const struct nft_chain *chain)
{
	message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	netlink_put_text(batch, NFTA_CHAIN_TABLE, table);
	netlink_put_text(batch, NFTA_CHAIN_NAME, chain->name);
	size_t hook = netlink_nest(batch, NFTA_CHAIN_HOOK);
	netlink_put_be32(batch, NFTA_HOOK_HOOKNUM, chain->hook);
	netlink_put_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
	netlink_nest_end(batch, hook);
	netlink_put_be32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
	netlink_put_text(batch, NFTA_CHAIN_TYPE, chain->type);
}

size_t nft_rule(struct netlink *batch, const char *table, const char *chain)
{
	message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	netlink_put_text(batch, NFTA_RULE_TABLE, table);
	netlink_put_text(batch, NFTA_RULE_CHAIN, chain);
	return netlink_nest(batch, NFTA_RULE_EXPRESSIONS);
}

struct expression {
	size_t element, data;
};

static struct expression begin(struct netlink *batch, const char *name)
{
	struct expression expression = {.element = netlink_nest(batch, NFTA_LIST_ELEM)};

	netlink_put_text(batch, NFTA_EXPR_NAME, name);
	expression.data = netlink_nest(batch, NFTA_EXPR_DATA);
	return expression;
}

static void end(struct netlink *batch, struct expression expression)
{
	netlink_nest_end(batch, expression.data);
	netlink_nest_end(batch, expression.element);
}

static void put_data(struct netlink *batch, unsigned type, const void *bytes, size_t length)
{
	size_t data = netlink_nest(batch, type);

	netlink_put(batch, NFTA_DATA_VALUE, bytes, length);
	netlink_nest_end(batch, data);
}

void nft_meta(struct netlink *batch, unsigned key)
{
	struct expression meta = begin(batch, "meta");

	netlink_put_be32(batch, NFTA_META_KEY, key);
	netlink_put_be32(batch, NFTA_META_DREG, REG);
	end(batch, meta);
}

void nft_ct(struct netlink *batch, unsigned key)
{
	struct expression ct = begin(batch, "ct");

	netlink_put_be32(batch, NFTA_CT_KEY, key);
	netlink_put_be32(batch, NFTA_CT_DREG, REG);
	end(batch, ct);
}

void nft_payload(struct netlink *batch, unsigned base, unsigned offset, unsigned length)
{
	struct expression payload = begin(batch, "payload");

	netlink_put_be32(batch, NFTA_PAYLOAD_DREG, REG);
	netlink_put_be32(batch, NFTA_PAYLOAD_BASE, base);
	netlink_put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	netlink_put_be32(batch, NFTA_PAYLOAD_LEN, length);
	end(batch, payload);
}

void nft_destination_kind(struct netlink *batch)
{
	struct expression fib = begin(batch, "fib");

	netlink_put_be32(batch, NFTA_FIB_DREG, REG);
	netlink_put_be32(batch, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	netlink_put_be32(batch, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	end(batch, fib);
}

void nft_and(struct netlink *batch, const void *mask, size_t length)
{
	static const unsigned char zero[16];
	struct expression bitwise = begin(batch, "bitwise");

	netlink_put_be32(batch, NFTA_BITWISE_SREG, REG);
	netlink_put_be32(batch, NFTA_BITWISE_DREG, REG);
	netlink_put_be32(batch, NFTA_BITWISE_LEN, (uint32_t)length);
	put_data(batch, NFTA_BITWISE_MASK, mask, length);
	put_data(batch, NFTA_BITWISE_XOR, zero, length);
	end(batch, bitwise);
}

void nft_load(struct netlink *batch, unsigned reg, const void *bytes, size_t length)
{
	struct expression immediate = begin(batch, "immediate");

	netlink_put_be32(batch, NFTA_IMMEDIATE_DREG, reg);
	put_data(batch, NFTA_IMMEDIATE_DATA, bytes, length);
	end(batch, immediate);
}

void nft_compare(struct netlink *batch, unsigned how, const void *bytes, size_t length)
{
	struct expression compare = begin(batch, "cmp");

	netlink_put_be32(batch, NFTA_CMP_SREG, REG);
	netlink_put_be32(batch, NFTA_CMP_OP, how);
	put_data(batch, NFTA_CMP_DATA, bytes, length);
	end(batch, compare);
}

void nft_verdict(struct netlink *batch, unsigned verdict)
{
	struct expression immediate = begin(batch, "immediate");

	netlink_put_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	size_t data = netlink_nest(batch, NFTA_IMMEDIATE_DATA);
	size_t value = netlink_nest(batch, NFTA_DATA_VERDICT);
	netlink_put_be32(batch, NFTA_VERDICT_CODE, verdict);
	netlink_nest_end(batch, value);
	netlink_nest_end(batch, data);
	end(batch, immediate);
}

void nft_masquerade(struct netlink *batch)
{
	end(batch, begin(batch, "masq"));
}

void nft_destination_nat(struct netlink *batch)
{
	struct expression nat = begin(batch, "nat");

	netlink_put_be32(batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	netlink_put_be32(batch, NFTA_NAT_FAMILY, NFPROTO_IPV4);
	netlink_put_be32(batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	netlink_put_be32(batch, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
	end(batch, nat);
}
