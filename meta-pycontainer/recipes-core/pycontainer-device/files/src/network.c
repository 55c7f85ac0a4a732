// SPDX-License-Identifier: MIT
#include "network.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int network_setup(const char *hostname, struct error *err)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (sethostname(hostname, strlen(hostname)) < 0)
		return fail_errno(err, "setting the host name");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(err, "loopback interface");
	int result = ioctl(fd, SIOCSIFFLAGS, &request);
	if (result < 0)
		fail_errno(err, "loopback interface");
	close(fd);
	return result;
}
