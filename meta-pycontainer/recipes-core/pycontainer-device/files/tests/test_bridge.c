// SPDX-License-Identifier: MIT
// The containers' network in namespaces of the test's own: who reaches whom, and as whom. Needs a kernel that lets us
// have them; any user will do where user namespaces are free.
#include "bridge.h"
#include "nat.h"
#include "wire.h"

#include <sys/ioctl.h>

#define WEB "10.88.0.3"
#define DB "10.88.0.4"
#define FORWARDING "/proc/sys/net/ipv4/ip_forward"

static int outside, lan, web, db;

static const struct published ports[] = {
	{.host = 8080, .container = 80, .index = 1},
	{.host = 5353, .container = 53, .udp = true, .index = 2},
};

// Why this kernel cannot do it at all, or NULL.
static const char *refusal(const struct error *err)
{
	static const char *const reasons[] = {"Operation not supported", "Protocol not supported", "Operation not permitted",
					      "Read-only file system"};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strstr(err->text, reasons[i]) != NULL)
			return err->text;
	return NULL;
}

static int place(unsigned index, const char *layer)
{
	struct error err = {""};
	int result = bridge_attach(index, layer, &err);

	if (result < 0)
		printf("%s\n", err.text);
	check(result == 0);
	return netns_open(layer, &err);
}

static bool publish(const struct published *list, size_t count)
{
	struct error err;
	bool good = nat_set(list, count, &err) == 0;

	if (!good)
		printf("%s\n", err.text);
	return good;
}

// The address of eth0, in the namespace of the caller.
static bool has_address(const char *address)
{
	struct ifreq request = {.ifr_name = "eth0"};
	struct sockaddr_in found;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool result = ioctl(fd, SIOCGIFADDR, &request) == 0;

	memcpy(&found, &request.ifr_addr, sizeof found);
	close(fd);
	return result && found.sin_addr.s_addr == inet_addr(address);
}

// Does any interface but loopback have an IPv6 address?
static bool has_ipv6(void)
{
	FILE *table = fopen("/proc/self/net/if_inet6", "re");
	char name[32];
	bool found = false;

	while (table != NULL && fscanf(table, "%*s %*s %*s %*s %*s %31s", name) == 1)
		found |= strcmp(name, "lo") != 0 && strcmp(name, "outside") != 0 && strcmp(name, "lan") != 0;
	if (table != NULL)
		fclose(table);
	return found;
}

static void test_refused(void)
{
	check_error(bridge_attach(0, "web", err), "no place 0");
	check_error(bridge_attach(BRIDGE_INDEX_MOST + 1, "web", err), "no place 201");
	check_error(bridge_attach(1, "../web", err), "no layer's name");
	check_error(bridge_detach(0, "web", err), "no place 0");
	check_error(bridge_detach(1, "", err), "no layer's name");
	struct published bad = {.host = 0, .container = 80, .index = 1};
	check_error(nat_set(&bad, 1, err), "published port 0 to 80");
	bad = (struct published){.host = 80, .container = 65536, .index = 1};
	check_error(nat_set(&bad, 1, err), "not 1 to 65535");
	bad = (struct published){.host = 80, .container = 80, .index = 201};
	check_error(nat_set(&bad, 1, err), "no place 201");
	const struct published twice[] = {ports[0], ports[1], ports[0]};
	check_error(nat_set(twice, 3, err), "TCP port 8080 is published twice");
	check_error(nat_set(NULL, PORTS_MOST + 1, err), "at most 256");
}

// Without rules: what the rules are against is possible, or the later checks would say nothing.
static void test_unprotected(int rogue)
{
	silent(outside, "198.51.100.2", 7);
	silent(outside, WEB, 80);
	text_to_file(FORWARDING, "1");
	answers(outside, "198.51.100.2", 7, "lan 192.0.2.2");
	answers(outside, WEB, 80, "web 192.0.2.2");
	text_to_file(FORWARDING, "0");
	silent(rogue, "127.0.0.1", 9001);
	text_to_file("/proc/sys/net/ipv4/conf/" BRIDGE "/route_localnet", "1");
	answers(rogue, "127.0.0.1", 9001, "loopback 10.88.0.5");
}

// A host that forwarded before goes on with it, and still lets nothing of it into the bridge.
static void router(void)
{
	text_to_file(FORWARDING, "1");
	check(publish(ports, 2));
	answers(outside, "198.51.100.2", 7, "lan 192.0.2.2");
	answers(outside, "192.0.2.1", 8080, "web 192.0.2.2");
	silent(outside, WEB, 80);
}

static void test_paths(int rogue)
{
	// Host and container, container and container, container and outside.
	answers(HERE, WEB, 80, "web 10.88.0.1");
	answers(web, "10.88.0.1", 9000, "host " WEB);
	answers(web, DB, 80, "db " WEB);
	answers(web, "127.0.0.1", 80, "web 127.0.0.1");
	answers(web, "192.0.2.2", 7, "outside 192.0.2.1");
	// It is the neighbour's port 8080 that a container wants, not the one published here.
	answers(db, "192.0.2.2", 8080, "other 192.0.2.1");

	// A published port: from outside, where the container sees who asks; from the host; from each container.
	answers(outside, "192.0.2.1", 8080, "web 192.0.2.2");
	answers(lan, "198.51.100.1", 8080, "web 198.51.100.2");
	answers(HERE, "127.0.0.1", 8080, "web 10.88.0.1");
	answers(HERE, "192.0.2.1", 8080, "web 192.0.2.1");
	answers(db, "10.88.0.1", 8080, "web 10.88.0.1");
	answers(db, "192.0.2.1", 8080, "web 10.88.0.1");
	answers(web, "192.0.2.1", 8080, "web 10.88.0.1");
	check(strcmp(ask(outside, "192.0.2.1", 5353, true, LONG_MS), "dns 192.0.2.2") == 0);
	check(strcmp(ask(HERE, "127.0.0.1", 5353, true, LONG_MS), "dns 10.88.0.1") == 0);

	// Anything else does not get in, nor past.
	silent(outside, WEB, 80);
	silent(outside, WEB, 81);
	silent(outside, "192.0.2.1", 81);
	silent(outside, "192.0.2.1", 80);
	silent(outside, "192.0.2.1", 5353);
	silent(outside, "198.51.100.2", 7);
	silent(rogue, "127.0.0.1", 9001);
	check(ask(outside, DB, 53, true, SHORT_MS)[0] == '\0');
}

static void test_replace(void)
{
	const struct published moved[] = {{.host = 8081, .container = 80, .index = 1}};
	static struct published many[PORTS_MOST];

	const struct published twice[] = {moved[0], moved[0]};
	check_error(nat_set(twice, 2, err), "twice");
	answers(outside, "192.0.2.1", 8080, "web 192.0.2.2");
	check(publish(moved, 1));
	silent(outside, "192.0.2.1", 8080);
	answers(outside, "192.0.2.1", 8081, "web 192.0.2.2");
	for (unsigned i = 0; i < PORTS_MOST; i++)
		many[i] = (struct published){.host = 10000 + i / 2, .udp = i % 2, .container = 80, .index = 2};
	check(publish(many, PORTS_MOST));
	answers(outside, "192.0.2.1", 10127, "db 192.0.2.2");
	silent(outside, "192.0.2.1", 8081);
	check(publish(NULL, 0));
	silent(outside, "192.0.2.1", 10127);
	answers(web, "192.0.2.2", 7, "outside 192.0.2.1");
}

static void test_detach(void)
{
	struct error err;

	// What is right is kept: the servers in it are still reached.
	close(place(2, "db"));
	answers(HERE, DB, 80, "db 10.88.0.1");
	check(bridge_detach(2, "db", &err) == 0 && access(NETNS "/db", F_OK) < 0 && if_nametoindex("vc2") == 0);
	silent(HERE, DB, 80);
	check(bridge_detach(2, "db", &err) == 0);
	int again = place(2, "db");
	serve(again, "again", "0.0.0.0", 80, false);
	answers(HERE, DB, 80, "again 10.88.0.1");
	close(again);

	// Leftovers: an empty file where the namespace should be; a namespace of another place; a cable into another one.
	check(bridge_detach(4, "late", &err) == 0);
	int file = open(NETNS "/late", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	check(file >= 0);
	close(file);
	int late = place(4, "late");
	inside(late, check(has_address("10.88.0.6")));
	close(late);
	late = place(5, "late");
	inside(late, check(has_address("10.88.0.7")));
	close(late);
	int other = place(5, "other");
	inside(other, check(has_address("10.88.0.7")));
	close(other);
	// Both ends are there and do not belong together.
	close(place(6, "third"));
	other = place(6, "other");
	inside(other, check(has_address("10.88.0.8")));
	close(other);
}

// A container whose 127.0.0.1 is not its own any more and leaves by its other interface.
static void turn_loopback_out(void)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = if_nametoindex("lo")};
	unsigned char bytes[128];
	struct netlink link;

	text_to_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1");
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_DELADDR, NLM_F_ACK, &header, sizeof header);
	netlink_put_u32(&link, IFA_LOCAL, inet_addr("127.0.0.1"));
	exchange(&link);
}

static void build(void)
{
	outside = plug("outside", "192.0.2.1", "192.0.2.2");
	lan = plug("lan", "198.51.100.1", "198.51.100.2");
	web = place(1, "web");
	db = place(2, "db");
	inside(web, check(has_address(WEB)));
	check(!has_ipv6());
	inside(db, check(!has_ipv6()));
	serve(outside, "outside", "0.0.0.0", 7, false);
	serve(outside, "other", "0.0.0.0", 8080, false);
	serve(lan, "lan", "0.0.0.0", 7, false);
	serve(web, "web", "0.0.0.0", 80, false);
	serve(web, "hidden", "0.0.0.0", 81, false);
	serve(db, "db", "0.0.0.0", 80, false);
	serve(db, "dns", "0.0.0.0", 53, true);
	serve(HERE, "host", "0.0.0.0", 9000, false);
	serve(HERE, "loopback", "127.0.0.1", 9001, false);
}

int main(void)
{
	struct error err;
	const char *why = NULL;

	if (!sandbox())
		why = strerror(errno);
	else if (bridge_attach(1, "web", &err) < 0)
		why = refusal(&err);
	if (why != NULL) {
		printf("bridge: skipped, the kernel refuses: %s\n", why);
		return 0;
	}
	check(netlink_up("lo", &err) == 0);
	build();
	test_refused();
	int rogue = place(3, "rogue");
	inside(rogue, turn_loopback_out());
	test_unprotected(rogue);
	inside(HERE, router());
	text_to_file(FORWARDING, "0");
	check(publish(ports, 2));
	test_paths(rogue);
	test_replace();
	test_detach();
	return check_result("bridge");
}
