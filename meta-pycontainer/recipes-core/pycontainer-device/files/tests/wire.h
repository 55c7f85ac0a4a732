// SPDX-License-Identifier: MIT
// Network namespaces with servers and clients in them, for the tests of what passes between them.
#pragma once
#include "check.h"
#include "file.h"
#include "netlink.h"
#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HERE (-1)	// the namespace of the test itself
// What must answer may take its time; what must not has long enough for an answer on any machine that is not stuck.
#define LONG_MS 30000
#define SHORT_MS 500

static inline void text_to_file(const char *path, const char *text)
{
	struct error err = {""};

	if (file_put(path, text, &err) < 0)
		printf("%s\n", err.text);
	check(err.text[0] == '\0');
}

// Private network and mount namespaces, as root or as the root of a new user namespace; false with errno.
static inline bool sandbox(void)
{
	struct error err;
	char uid[64], gid[64];

	snprintf(uid, sizeof uid, "0 %u 1", geteuid());
	snprintf(gid, sizeof gid, "0 %u 1", getegid());
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0 || file_put("/proc/self/setgroups", "deny", &err) < 0 ||
	     file_put("/proc/self/uid_map", uid, &err) < 0 || file_put("/proc/self/gid_map", gid, &err) < 0))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0;
}

static inline void exchange(struct netlink *link)
{
	struct error err = {""};

	if (netlink_exchange(link, NETLINK_ROUTE, &err) < 0)
		printf("%s\n", err.text);
	check(err.text[0] == '\0');
}

// Give an interface an address of a /24 network, and all else a way over a gateway if there is one.
static inline void configure(const char *name, const char *address, const char *gateway)
{
	unsigned char bytes[256];
	struct netlink link;
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = if_nametoindex(name)};
	struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
	struct error err;

	check(netlink_up(name, &err) == 0);
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE, &header, sizeof header);
	netlink_put_u32(&link, IFA_LOCAL, inet_addr(address));
	netlink_put_u32(&link, IFA_ADDRESS, inet_addr(address));
	exchange(&link);
	if (gateway == NULL)
		return;
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &route, sizeof route);
	netlink_put_u32(&link, RTA_GATEWAY, inet_addr(gateway));
	exchange(&link);
}

// Run a part in a namespace; it exits with how many of its checks failed.
#define inside(netns, body)                                                                                            \
	do {                                                                                                           \
		int status_ = -1;                                                                                      \
		fflush(stdout);                                                                                        \
		pid_t child_ = fork();                                                                                 \
		if (child_ == 0) {                                                                                     \
			failed = 0;                                                                                    \
			check((netns) == HERE || setns((netns), CLONE_NEWNET) == 0);                                    \
			body;                                                                                          \
			fflush(stdout);                                                                                \
			_exit(failed > 0);                                                                             \
		}                                                                                                      \
		check(waitpid(child_, &status_, 0) == child_ && status_ == 0);                                          \
	} while (0)

// A namespace behind a cable: `name` at our end with the gateway's address, eth0 at its end.
static inline int plug(const char *name, const char *gateway, const char *address)
{
	static const struct ifinfomsg header;
	unsigned char bytes[512];
	struct netlink link;
	struct error err;
	int netns = netns_open(name, &err);

	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, name);
	size_t info = netlink_nest(&link, IFLA_LINKINFO);
	netlink_put_text(&link, IFLA_INFO_KIND, "veth");
	size_t data = netlink_nest(&link, IFLA_INFO_DATA);
	size_t peer = netlink_nest(&link, VETH_INFO_PEER);
	netlink_put_header(&link, &header, sizeof header);
	netlink_put_text(&link, IFLA_IFNAME, "eth0");
	netlink_put_u32(&link, IFLA_NET_NS_FD, (uint32_t)netns);
	netlink_nest_end(&link, peer);
	netlink_nest_end(&link, data);
	netlink_nest_end(&link, info);
	exchange(&link);
	configure(name, gateway, NULL);
	inside(netns, configure("eth0", address, gateway));
	return netns;
}

static inline struct sockaddr_in endpoint(const char *address, unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = inet_addr(address)};
}

// Serve until the test ends: to whoever asks, the server's name and the address that it sees the asker at.
static inline void serve(int netns, const char *name, const char *address, unsigned port, bool udp)
{
	int ready[2];
	char text[64];

	check(pipe2(ready, O_CLOEXEC) == 0);
	fflush(stdout);
	pid_t child = fork();
	if (child != 0) {
		close(ready[1]);
		check(child > 0 && read(ready[0], text, 1) == 1);
		close(ready[0]);
		return;
	}
	struct sockaddr_in own = endpoint(address, port), peer;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	int on = 1, fd = -1;
	if (netns == HERE || setns(netns, CLONE_NEWNET) == 0)
		fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || (!udp && listen(fd, 8) < 0) || write(ready[1], "", 1) != 1)
		_exit(1);
	close(ready[1]);
	for (;;) {
		socklen_t size = sizeof peer;
		int with = udp ? (int)recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&peer, &size)
			       : accept(fd, (struct sockaddr *)&peer, &size);
		if (with < 0)
			continue;
		int length = snprintf(text, sizeof text, "%s %s", name, inet_ntoa(peer.sin_addr));
		if (udp && sendto(fd, text, (size_t)length, 0, (struct sockaddr *)&peer, size) < 0)
			_exit(1);
		if (!udp && (write(with, text, (size_t)length) < 0 || close(with) < 0))
			_exit(1);
	}
}

static inline void question(int report, const char *address, unsigned port, bool udp, int wait_ms)
{
	struct sockaddr_in to = endpoint(address, port);
	char text[64];
	int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		return;
	if (udp && send(fd, "?", 1, 0) != 1)
		return;
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	if (poll(&wait, 1, wait_ms) != 1)
		return;
	ssize_t got = read(fd, text, sizeof text);
	if (got > 0 && write(report, text, (size_t)got) != got)
		_exit(1);
}

// What a server says to a client in a namespace; empty: it was not reached. Valid until the next call.
static inline const char *ask(int netns, const char *address, unsigned port, bool udp, int wait_ms)
{
	static char text[64];
	int report[2];

	check(pipe2(report, O_CLOEXEC) == 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		if (netns == HERE || setns(netns, CLONE_NEWNET) == 0)
			question(report[1], address, port, udp, wait_ms);
		_exit(0);
	}
	close(report[1]);
	ssize_t got = read(report[0], text, sizeof text - 1);
	text[got > 0 ? got : 0] = '\0';
	close(report[0]);
	check(child > 0 && waitpid(child, NULL, 0) == child);
	return text;
}

#define answers(netns, address, port, text)                                                                            \
	do {                                                                                                           \
		const char *said_ = ask(netns, address, port, false, LONG_MS);                                         \
		if (strcmp(said_, text) != 0)                                                                          \
			printf("%s:%d: got \"%s\"\n", __FILE__, __LINE__, said_);                                      \
		check(strcmp(said_, text) == 0);                                                                       \
	} while (0)

#define silent(netns, address, port) check(ask(netns, address, port, false, SHORT_MS)[0] == '\0')
