// SPDX-License-Identifier: MIT
// A netlink answer of foreign bytes.
#include "netlink.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct netlink_reply reply;
	struct error err;

	if (netlink_parse(&reply, data, size, 5, &err) < 0)
		return 0;
	if (reply.problem < 0 || reply.problem > 4095 || (reply.problem > 0 && !reply.done) ||
	    memchr(reply.why, '\0', sizeof reply.why) == NULL)
		__builtin_trap();
	return 0;
}
