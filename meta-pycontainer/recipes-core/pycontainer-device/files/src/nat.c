// SPDX-License-Identifier: MIT
#include "nat.h"
#include "bridge.h"
#include "file.h"
#include "nft.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "pycontainer"
#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"
// A port's two rules take a kilobyte, all the rest takes less than eight.
#define REST_BYTES 8192
#define PORT_BYTES 1280
// As the expression "ct state" gives it.
#define STATE_BIT(info) (1u << ((info) % IP_CT_IS_REPLY + 1))

enum chain { GUARD, PREROUTING, OUTPUT, POSTROUTING, FORWARD, CHAINS };

static const struct nft_chain chains[CHAINS] = {
	[GUARD] = {"guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW},
	[PREROUTING] = {"prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST},
	[OUTPUT] = {"output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST},
	[POSTROUTING] = {"postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC},
	[FORWARD] = {"forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER},
};

static size_t rule(struct netlink *batch, enum chain chain)
{
	return nft_rule(batch, TABLE, chains[chain].name);
}

// End a rule with a verdict.
static void rule_end(struct netlink *batch, size_t rule, unsigned verdict)
{
	nft_verdict(batch, verdict);
	netlink_nest_end(batch, rule);
}

// key: NFT_META_IIFNAME or NFT_META_OIFNAME; how: NFT_CMP_EQ or NFT_CMP_NEQ.
static void match_bridge(struct netlink *batch, unsigned key, unsigned how)
{
	static const char name[IFNAMSIZ] = BRIDGE;

	nft_meta(batch, key);
	nft_compare(batch, how, name, sizeof name);
}

static void match_network(struct netlink *batch, unsigned offset, uint32_t network, unsigned prefix)
{
	uint32_t mask = htonl(~0u << (32 - prefix)), value = htonl(network) & mask;

	nft_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof value);
	nft_and(batch, &mask, sizeof mask);
	nft_compare(batch, NFT_CMP_EQ, &value, sizeof value);
}

static void match_ct(struct netlink *batch, unsigned key, uint32_t bits)
{
	static const uint32_t none;

	nft_ct(batch, key);
	nft_and(batch, &bits, sizeof bits);
	nft_compare(batch, NFT_CMP_NEQ, &none, sizeof none);
}

#define SOURCE offsetof(struct iphdr, saddr)
#define DESTINATION offsetof(struct iphdr, daddr)

// 127.0.0.1 leads to published ports only because the bridge may route such addresses; it is the host's alone all the
// same.
static void put_guard(struct netlink *batch)
{
	static const unsigned fields[] = {SOURCE, DESTINATION};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		size_t entry = rule(batch, GUARD);
		match_bridge(batch, NFT_META_IIFNAME, NFT_CMP_EQ);
		match_network(batch, fields[i], INADDR_LOOPBACK, 8);
		rule_end(batch, entry, NF_DROP);
	}
}

static void put_port(struct netlink *batch, enum chain chain, const struct published *port)
{
	uint8_t protocol = port->udp ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t host = htons((uint16_t)port->host), container = htons((uint16_t)port->container);
	uint32_t address = htonl(bridge_address(port->index)), local = RTN_LOCAL;
	size_t entry = rule(batch, chain);

	nft_meta(batch, NFT_META_L4PROTO);
	nft_compare(batch, NFT_CMP_EQ, &protocol, sizeof protocol);
	// The destination port lies at the same place in both protocols.
	nft_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof host);
	nft_compare(batch, NFT_CMP_EQ, &host, sizeof host);
	// Only what is meant for this host: a container may call the same port elsewhere.
	nft_destination_kind(batch);
	nft_compare(batch, NFT_CMP_EQ, &local, sizeof local);
	nft_load(batch, NFT_REG_1, &address, sizeof address);
	nft_load(batch, NFT_REG_2, &container, sizeof container);
	nft_destination_nat(batch);
	netlink_nest_end(batch, entry);
}

static void put_masquerade(struct netlink *batch)
{
	size_t entry = rule(batch, POSTROUTING);

	match_network(batch, SOURCE, BRIDGE_NETWORK, BRIDGE_PREFIX);
	match_bridge(batch, NFT_META_OIFNAME, NFT_CMP_NEQ);
	nft_masquerade(batch);
	netlink_nest_end(batch, entry);
	// A container that called a published port awaits the answer from where it called, not from its neighbour.
	entry = rule(batch, POSTROUTING);
	match_network(batch, SOURCE, BRIDGE_NETWORK, BRIDGE_PREFIX);
	match_bridge(batch, NFT_META_OIFNAME, NFT_CMP_EQ);
	match_ct(batch, NFT_CT_STATUS, IPS_DST_NAT);
	nft_masquerade(batch);
	netlink_nest_end(batch, entry);
	// So does the host that called 127.0.0.1.
	entry = rule(batch, POSTROUTING);
	match_network(batch, SOURCE, INADDR_LOOPBACK, 8);
	match_bridge(batch, NFT_META_OIFNAME, NFT_CMP_EQ);
	nft_masquerade(batch);
	netlink_nest_end(batch, entry);
}

static void put_forward(struct netlink *batch, bool router)
{
	size_t entry = rule(batch, FORWARD);

	match_ct(batch, NFT_CT_STATE, STATE_BIT(IP_CT_ESTABLISHED) | STATE_BIT(IP_CT_RELATED));
	rule_end(batch, entry, NF_ACCEPT);
	// From a container, also to a port that a neighbour publishes.
	entry = rule(batch, FORWARD);
	match_bridge(batch, NFT_META_IIFNAME, NFT_CMP_EQ);
	rule_end(batch, entry, NF_ACCEPT);
	entry = rule(batch, FORWARD);
	match_bridge(batch, NFT_META_OIFNAME, NFT_CMP_EQ);
	match_ct(batch, NFT_CT_STATUS, IPS_DST_NAT);
	rule_end(batch, entry, NF_ACCEPT);
	entry = rule(batch, FORWARD);
	if (router)
		match_bridge(batch, NFT_META_OIFNAME, NFT_CMP_EQ);
	rule_end(batch, entry, NF_DROP);
}

static int check_ports(const struct published *ports, size_t count, struct error *err)
{
	if (count > PORTS_MOST)
		return fail(err, "%zu published ports: at most %d", count, PORTS_MOST);
	for (size_t i = 0; i < count; i++) {
		const struct published *port = &ports[i];
		if (port->host < 1 || port->host > UINT16_MAX || port->container < 1 || port->container > UINT16_MAX)
			return fail(err, "published port %u to %u: not 1 to 65535", port->host, port->container);
		if (port->index < 1 || port->index > BRIDGE_INDEX_MOST)
			return fail(err, "published port %u: no place %u on the bridge", port->host, port->index);
		for (size_t other = 0; other < i; other++)
			if (ports[other].host == port->host && ports[other].udp == port->udp)
				return fail(err, "%s port %u is published twice", port->udp ? "UDP" : "TCP", port->host);
	}
	return 0;
}

// Was this host a router before we made it forward? Asked once: afterwards it is one either way.
static int was_router(struct error *err)
{
	static int answer = -1;
	size_t length;

	if (answer >= 0)
		return answer;
	char *text = file_read(AT_FDCWD, IP_FORWARD, 16, &length, err);
	if (text == NULL)
		return -1;
	answer = text[0] == '1';
	free(text);
	return answer;
}

static int replace_rules(const struct published *ports, size_t count, bool router, struct error *err)
{
	struct netlink batch;
	size_t room = REST_BYTES + count * PORT_BYTES;
	void *bytes = malloc(room);

	if (bytes == NULL)
		return fail_errno(err, "published ports");
	netlink_init(&batch, bytes, room);
	nft_begin(&batch);
	nft_table_anew(&batch, TABLE);
	for (size_t i = 0; i < CHAINS; i++)
		nft_chain(&batch, TABLE, &chains[i]);
	put_guard(&batch);
	for (size_t i = 0; i < count; i++) {
		put_port(&batch, PREROUTING, &ports[i]);
		put_port(&batch, OUTPUT, &ports[i]);
	}
	put_masquerade(&batch);
	put_forward(&batch, router);
	nft_end(&batch, TABLE);
	int result = netlink_exchange(&batch, NETLINK_NETFILTER, err);
	free(bytes);
	return result;
}

int nat_set(const struct published *ports, size_t count, struct error *err)
{
	int router = check_ports(ports, count, err) < 0 ? -1 : was_router(err);

	if (router < 0 || bridge_make(err) < 0 || replace_rules(ports, count, router == 1, err) < 0)
		return fail_in(err, "published ports");
	// Only now, with the rules in force, do packets pass.
	if (file_put("/proc/sys/net/ipv4/conf/" BRIDGE "/route_localnet", "1", err) < 0 ||
	    file_put(IP_FORWARD, "1", err) < 0)
		return fail_in(err, "published ports");
	return 0;
}
