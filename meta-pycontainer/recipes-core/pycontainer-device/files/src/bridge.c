// SPDX-License-Identifier: MIT
#include "bridge.h"
#include "file.h"
#include "netlink.h"
#include "netns.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSIDE "eth0"

const char *const bridge_modules[] = {"bridge",   "veth",     "nf_tables", "nft_chain_nat", "nft_nat",
				      "nft_masq", "nft_ct",   "nft_fib_ipv4", NULL};

uint32_t bridge_gateway(void)
{
	return BRIDGE_NETWORK + 1;
}

uint32_t bridge_address(unsigned index)
{
	return BRIDGE_NETWORK + 2 + index;
}

// Hardware addresses, local ones: neighbours remember them, so they must not change with each start. 0 is the bridge's,
// which would otherwise take on that of its lowest port, now one, now another.
static void hardware(unsigned char address[6], unsigned index)
{
	memcpy(address, (const unsigned char[]){0x02, 0x50, 0x59, 0x43, 0x00, (unsigned char)index}, 6);
}

static void put_hardware(struct netlink *link, unsigned index)
{
	unsigned char address[6];

	hardware(address, index);
	netlink_put(link, IFLA_ADDRESS, address, sizeof address);
}

// An interface that has come up with IPv6 would have taken an address by itself.
static int no_ipv6(const char *name, struct error *err)
{
	char path[96];

	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	return file_put(path, "1", err) < 0 && errno != ENOENT ? -1 : 0;
}

static int add_address(const char *name, uint32_t address, struct error *err)
{
	unsigned char bytes[128];
	struct netlink link;
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = BRIDGE_PREFIX};

	header.ifa_index = if_nametoindex(name);
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
	netlink_put_be32(&link, IFA_LOCAL, address);
	netlink_put_be32(&link, IFA_ADDRESS, address);
	netlink_put_be32(&link, IFA_BROADCAST, address | ((1u << (32 - BRIDGE_PREFIX)) - 1));
	return netlink_exchange(&link, NETLINK_ROUTE, err) < 0 ? fail_in(err, "%s: address", name) : 0;
}

static int add_default_route(const char *name, struct error *err)
{
	unsigned char bytes[128];
	struct netlink link;
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
			       .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};

	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
	netlink_put_be32(&link, RTA_GATEWAY, bridge_gateway());
	netlink_put_u32(&link, RTA_OIF, if_nametoindex(name));
	return netlink_exchange(&link, NETLINK_ROUTE, err) < 0 ? fail_in(err, "%s: default route", name) : 0;
}

int bridge_make(struct error *err)
{
	static const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	unsigned char bytes[256];
	struct netlink link;

	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, BRIDGE);
	put_hardware(&link, 0);
	size_t info = netlink_nest(&link, IFLA_LINKINFO);
	netlink_put_text(&link, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(&link, info);
	if (netlink_exchange(&link, NETLINK_ROUTE, err) < 0 && errno != EEXIST)
		return fail_in(err, BRIDGE);
	// With br_netfilter in the kernel, frames between two containers would meet the rules for what is routed, and one
	// that leads back to its sender, who called a port that it publishes itself, would end there.
	if (file_put("/proc/sys/net/bridge/bridge-nf-call-iptables", "0", err) < 0 && errno != ENOENT)
		return -1;
	if (no_ipv6(BRIDGE, err) < 0 || add_address(BRIDGE, bridge_gateway(), err) < 0)
		return -1;
	return netlink_up(BRIDGE, err);
}

// Both ends of the cable in one request: one on the bridge, the other one inside.
static int make_pair(unsigned index, const char *outside, int netns, struct error *err)
{
	static const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	unsigned char bytes[512];
	struct netlink link;

	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, outside);
	netlink_put_u32(&link, IFLA_MASTER, if_nametoindex(BRIDGE));
	size_t info = netlink_nest(&link, IFLA_LINKINFO);
	netlink_put_text(&link, IFLA_INFO_KIND, "veth");
	size_t data = netlink_nest(&link, IFLA_INFO_DATA);
	// The peer's attributes lie behind a header of their own.
	size_t peer = netlink_nest(&link, VETH_INFO_PEER);
	netlink_put_header(&link, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, INSIDE);
	put_hardware(&link, index);
	netlink_put_u32(&link, IFLA_NET_NS_FD, (uint32_t)netns);
	netlink_nest_end(&link, peer);
	netlink_nest_end(&link, data);
	netlink_nest_end(&link, info);
	if (netlink_exchange(&link, NETLINK_ROUTE, err) == 0)
		return 0;
	// "There already" is one end or the other.
	if (errno == EEXIST && if_nametoindex(outside) != 0)
		return 0;
	return fail_in(err, "%s", outside);
}

// The interface inside may be from another place on the bridge.
static int check_inside(unsigned index, struct error *err)
{
	struct ifreq request = {.ifr_name = INSIDE};
	unsigned char address[6];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	hardware(address, index);
	int result = fd < 0 ? -1 : ioctl(fd, SIOCGIFHWADDR, &request);
	if (result < 0)
		fail_errno(err, INSIDE);
	else if (memcmp(request.ifr_hwaddr.sa_data, address, sizeof address) != 0)
		result = fail(err, INSIDE ": of another place");
	if (fd >= 0)
		close(fd);
	return result;
}

static int set_up_inside(void *context, struct error *err)
{
	const unsigned *index = context;

	if (check_inside(*index, err) < 0 || netlink_up(INSIDE, err) < 0 ||
	    add_address(INSIDE, bridge_address(*index), err) < 0)
		return -1;
	return add_default_route(INSIDE, err);
}

static void outside_name(char name[IFNAMSIZ], unsigned index)
{
	snprintf(name, IFNAMSIZ, "vc%u", index);
}

static int attach(unsigned index, const char *layer, struct error *err)
{
	char outside[IFNAMSIZ];
	int netns = netns_open(layer, err);

	if (netns < 0)
		return -1;
	outside_name(outside, index);
	int result = make_pair(index, outside, netns, err);
	if (result == 0)
		result = no_ipv6(outside, err);
	if (result == 0)
		result = netlink_up(outside, err);
	if (result == 0)
		result = netns_run(netns, set_up_inside, &index, err);
	close(netns);
	return result;
}

// Before anything is touched: a wrong name must not cost the right one its cable.
static int check_place(unsigned index, const char *layer, struct error *err)
{
	if (index < 1 || index > BRIDGE_INDEX_MOST)
		return fail(err, "no place %u on the bridge", index);
	return text_is_name(layer) ? 0 : fail(err, "no layer's name");
}

int bridge_attach(unsigned index, const char *layer, struct error *err)
{
	if (check_place(index, layer, err) < 0 || bridge_make(err) < 0)
		return fail_in(err, "network of %.63s", layer);
	if (attach(index, layer, err) == 0)
		return 0;
	// Leftovers that do not fit each other: once more from nothing.
	if (bridge_detach(index, layer, err) < 0)
		return -1;
	return attach(index, layer, err) < 0 ? fail_in(err, "network of %.63s", layer) : 0;
}

int bridge_detach(unsigned index, const char *layer, struct error *err)
{
	static const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	unsigned char bytes[128];
	char outside[IFNAMSIZ];
	struct netlink link;

	if (check_place(index, layer, err) < 0)
		return fail_in(err, "network of %.63s", layer);
	outside_name(outside, index);
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_DELLINK, NLM_F_ACK, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, outside);
	if (netlink_exchange(&link, NETLINK_ROUTE, err) < 0 && errno != ENODEV)
		return fail_in(err, "network of %.63s: %s", layer, outside);
	return netns_remove(layer, err) < 0 ? fail_in(err, "network of %.63s", layer) : 0;
}
