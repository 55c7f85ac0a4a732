// SPDX-License-Identifier: MIT
#include "tcp.h"
#include "console.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int tcp_wait(int fd, short events, uint64_t end, struct error *err)
{
	struct pollfd wait = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = clock_ms();
		if (now >= end)
			return fail(err, "no answer in time");
		int found = poll(&wait, 1, end - now > INT_MAX ? INT_MAX : (int)(end - now));
		if (found > 0)
			return 0;
		if (found < 0 && errno != EINTR)
			return fail_errno(err, "poll");
	}
}

static int finish(int fd, uint64_t end, struct error *err)
{
	int problem = 0;
	socklen_t size = sizeof problem;

	if (tcp_wait(fd, POLLOUT, end, err) < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
		return fail_errno(err, "connecting");
	errno = problem;
	return problem != 0 ? fail_errno(err, "connecting") : 0;
}

// Where nobody listens on a port that the kernel hands out itself, a connection may by chance meet its own other end.
static bool is_own_end(int fd)
{
	struct sockaddr_storage here = {0}, there = {0};
	socklen_t here_size = sizeof here, there_size = sizeof there;

	return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 && here_size == there_size &&
	       memcmp(&here, &there, here_size) == 0;
}

int tcp_connect(const char *address, unsigned port, uint64_t end, struct error *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	const struct sockaddr *target = (const struct sockaddr *)&v4;
	socklen_t size = sizeof v4;

	if (inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
		if (inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
			return fail(err, "not an IP address: %.60s", address);
		target = (const struct sockaddr *)&v6;
		size = sizeof v6;
	}
	int fd = socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(err, "%s", address);
	int result = 0;
	if (connect(fd, target, size) < 0)
		result = errno == EINPROGRESS ? finish(fd, end, err) : fail_errno(err, "connecting");
	if (result == 0 && is_own_end(fd))
		result = fail(err, "nobody listens");
	if (result == 0)
		return fd;
	close(fd);
	return fail_in(err, "%s port %u", address, port);
}
