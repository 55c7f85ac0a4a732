// SPDX-License-Identifier: MIT
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// The kernel answers before send(2) returns; this bounds a kernel that does not.
#define ANSWER_S 10
#define ERRNO_MOST 4095

void netlink_init(struct netlink *link, void *bytes, size_t room)
{
	*link = (struct netlink){.bytes = bytes, .room = room};
}

// Append with the padding that every part of a message has; what does not fit is remembered and not written.
static void append(struct netlink *link, const void *bytes, size_t length)
{
	size_t padded = NLMSG_ALIGN(length);

	if (link->full || length > link->room || padded > link->room - link->used) {
		link->full = true;
		return;
	}
	memset(link->bytes + link->used, 0, padded);
	if (length > 0)
		memcpy(link->bytes + link->used, bytes, length);
	link->used += padded;
	uint32_t total = (uint32_t)(link->used - link->start);
	memcpy(link->bytes + link->start, &total, sizeof total);
}

void netlink_message(struct netlink *link, unsigned type, unsigned flags, const void *header, size_t length)
{
	struct nlmsghdr message = {.nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST)};

	message.nlmsg_seq = ++link->sequence;
	if (flags & NLM_F_ACK)
		link->last = link->sequence;
	link->start = link->used;
	append(link, &message, sizeof message);
	append(link, header, length);
}

void netlink_put(struct netlink *link, unsigned type, const void *bytes, size_t length)
{
	struct nlattr attribute = {.nla_type = (uint16_t)type};

	if (length > UINT16_MAX - sizeof attribute) {
		link->full = true;
		return;
	}
	attribute.nla_len = (uint16_t)(sizeof attribute + length);
	append(link, &attribute, sizeof attribute);
	append(link, bytes, length);
}

void netlink_put_text(struct netlink *link, unsigned type, const char *text)
{
	netlink_put(link, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink *link, unsigned type, uint32_t value)
{
	netlink_put(link, type, &value, sizeof value);
}

void netlink_put_be32(struct netlink *link, unsigned type, uint32_t value)
{
	netlink_put_u32(link, type, htonl(value));
}

void netlink_put_header(struct netlink *link, const void *header, size_t length)
{
	append(link, header, length);
}

size_t netlink_nest(struct netlink *link, unsigned type)
{
	size_t nest = link->used;

	netlink_put(link, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_nest_end(struct netlink *link, size_t nest)
{
	size_t length = link->used - nest;

	if (length > UINT16_MAX)
		link->full = true;
	if (link->full)
		return;
	uint16_t size = (uint16_t)length;
	memcpy(link->bytes + nest, &size, sizeof size);
}

// The kernel's words stand in an attribute behind the error; no other attribute is of use here.
static int parse_why(struct netlink_reply *out, const unsigned char *bytes, size_t length, struct error *err)
{
	struct nlattr attribute;

	while (length > 0) {
		if (length < sizeof attribute)
			return fail(err, "netlink: cut attribute");
		memcpy(&attribute, bytes, sizeof attribute);
		if (attribute.nla_len < sizeof attribute || attribute.nla_len > length)
			return fail(err, "netlink: attribute of %u bytes in %zu", attribute.nla_len, length);
		const char *text = (const char *)bytes + sizeof attribute;
		size_t size = strnlen(text, attribute.nla_len - sizeof attribute);
		if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			snprintf(out->why, sizeof out->why, "%.*s", (int)size, text);
		size_t step = NLA_ALIGN(attribute.nla_len);
		step = step < length ? step : length;
		bytes += step;
		length -= step;
	}
	return 0;
}

static int parse_error(struct netlink_reply *out, const struct nlmsghdr *message, const unsigned char *bytes,
		       size_t length, uint32_t last, struct error *err)
{
	struct nlmsgerr answer;

	if (length < sizeof answer)
		return fail(err, "netlink: cut answer");
	memcpy(&answer, bytes, sizeof answer);
	if (answer.error > 0 || answer.error < -ERRNO_MOST)
		return fail(err, "netlink: answer %d", answer.error);
	out->done = answer.error < 0 || answer.msg.nlmsg_seq == last;
	out->problem = -answer.error;
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return 0;
	// The request itself lies in between, unless it was capped to its header.
	size_t skip = sizeof answer;
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (answer.msg.nlmsg_len < sizeof answer.msg ||
		    answer.msg.nlmsg_len - sizeof answer.msg > length - skip)
			return fail(err, "netlink: answer to a message of %u bytes", answer.msg.nlmsg_len);
		skip += NLMSG_ALIGN(answer.msg.nlmsg_len - sizeof answer.msg);
	}
	return skip < length ? parse_why(out, bytes + skip, length - skip, err) : 0;
}

int netlink_parse(struct netlink_reply *out, const unsigned char *bytes, size_t length, uint32_t last,
		  struct error *err)
{
	*out = (struct netlink_reply){0};
	while (length > 0 && !out->done) {
		struct nlmsghdr message;
		if (length < sizeof message)
			return fail(err, "netlink: cut message");
		memcpy(&message, bytes, sizeof message);
		if (message.nlmsg_len < sizeof message || message.nlmsg_len > length)
			return fail(err, "netlink: message of %u bytes in %zu", message.nlmsg_len, length);
		if (message.nlmsg_type == NLMSG_OVERRUN)
			return fail(err, "netlink: answers were lost");
		if (message.nlmsg_type == NLMSG_ERROR && parse_error(out, &message, bytes + sizeof message,
								     message.nlmsg_len - sizeof message, last, err) < 0)
			return -1;
		size_t step = NLMSG_ALIGN((size_t)message.nlmsg_len);
		step = step < length ? step : length;
		bytes += step;
		length -= step;
	}
	return 0;
}

static int receive(int fd, struct netlink_reply *reply, uint32_t last, struct error *err)
{
	unsigned char bytes[8192];
	struct sockaddr_nl sender;
	socklen_t size = sizeof sender;
	ssize_t got = recvfrom(fd, bytes, sizeof bytes, MSG_TRUNC, (struct sockaddr *)&sender, &size);

	*reply = (struct netlink_reply){0};
	if (got < 0)
		return errno == EINTR ? 0 : fail_errno(err, "netlink: no answer");
	// Anybody may send to a netlink socket; the kernel's own port is 0.
	if (size != sizeof sender || sender.nl_pid != 0)
		return 0;
	if ((size_t)got > sizeof bytes) {
		errno = EPROTO;
		return fail(err, "netlink: answer of %zd bytes", got);
	}
	if (netlink_parse(reply, bytes, (size_t)got, last, err) == 0)
		return 0;
	// Callers look for the kernel's own errno; this is none of its refusals.
	errno = EPROTO;
	return -1;
}

static int talk(int fd, const struct netlink *link, struct error *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct timeval limit = {.tv_sec = ANSWER_S};
	struct netlink_reply reply;
	int on = 1, room = (int)link->used * 2 + 65536;

	// The kernel's own words in an answer, and not the whole request again.
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0)
		return fail_errno(err, "netlink: options");
	// A batch goes in one piece or not at all.
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) < 0)
		return fail_errno(err, "netlink: buffer");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
		return fail_errno(err, "netlink: time limit");
	if (sendto(fd, link->bytes, link->used, 0, (struct sockaddr *)&kernel, sizeof kernel) != (ssize_t)link->used)
		return fail_errno(err, "netlink: sending");
	do {
		if (receive(fd, &reply, link->last, err) < 0)
			return -1;
	} while (!reply.done);
	if (reply.problem == 0)
		return 0;
	fail(err, "the kernel refuses: %s%s%s", strerror(reply.problem), reply.why[0] == '\0' ? "" : ": ", reply.why);
	errno = reply.problem;
	return -1;
}

int netlink_exchange(struct netlink *link, int protocol, struct error *err)
{
	errno = EMSGSIZE;
	if (link->full || link->last == 0)
		return fail(err, "netlink: the request does not fit its buffer");
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return fail_errno(err, "netlink %d", protocol);
	int result = talk(fd, link, err);
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

int netlink_up(const char *name, struct error *err)
{
	unsigned char bytes[64];
	struct netlink link;
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	header.ifi_index = (int)if_nametoindex(name);
	if (header.ifi_index == 0)
		return fail_errno(err, "%s", name);
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_NEWLINK, NLM_F_ACK, &header, sizeof header);
	return netlink_exchange(&link, NETLINK_ROUTE, err) < 0 ? fail_in(err, "%s: up", name) : 0;
}
