// SPDX-License-Identifier: MIT
#include "check.h"
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static void test_build(void)
{
	// Written out by hand from netlink(7), little-endian: length, type, flags, number, port; then attributes.
	static const unsigned char expected[] = {
		60, 0, 0, 0, 0x10, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0,
		7, 0, 3, 0, 'a', 'b', 0, 0, 20, 0, 0x12, 0x80, 8, 0, 1, 0, 1, 2, 3, 4, 8, 0, 2, 0, 4, 3, 2, 1,
		5, 0, 4, 0, 9, 0, 0, 0, 4, 0, 5, 0,
		16, 0, 0, 0, 0x11, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0};
	unsigned char bytes[sizeof expected];
	struct netlink link;

	// The buffer is exactly as long as it must be, and then a byte shorter: nothing is written past its end.
	for (size_t room = sizeof bytes; room > 0; room--) {
		unsigned char *exact = malloc(room);
		netlink_init(&link, exact, room);
		netlink_message(&link, 0x10, NLM_F_ACK, "\xaa\xbb\xcc", 3);
		netlink_put_text(&link, 3, "ab");
		size_t nest = netlink_nest(&link, 0x12);
		netlink_put(&link, 1, "\1\2\3\4", 4);
		netlink_put_be32(&link, 2, 0x04030201);
		netlink_nest_end(&link, nest);
		netlink_put(&link, 4, "\t", 1);
		netlink_put(&link, 5, NULL, 0);
		netlink_message(&link, 0x11, 0, NULL, 0);
		check(link.full == (room < sizeof expected));
		if (room == sizeof expected)
			check(link.used == room && memcmp(exact, expected, room) == 0 && link.last == 1 && link.sequence == 2);
		else
			check_error(netlink_exchange(&link, NETLINK_ROUTE, err), "does not fit");
		free(exact);
	}
}

static void test_limits(void)
{
	static unsigned char bytes[200000], big[70000];
	struct netlink link;

	// An attribute's length has 16 bits.
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, 1, NLM_F_ACK, NULL, 0);
	netlink_put(&link, 1, big, UINT16_MAX - sizeof(struct nlattr));
	check(!link.full);
	netlink_put(&link, 1, big, UINT16_MAX - sizeof(struct nlattr) + 1);
	check(link.full);
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, 1, NLM_F_ACK, NULL, 0);
	size_t nest = netlink_nest(&link, 1);
	for (int i = 0; i < 2; i++)
		netlink_put(&link, 1, big, 40000);
	check(!link.full);
	netlink_nest_end(&link, nest);
	check(link.full);
	// Nobody would answer this one.
	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, 1, 0, NULL, 0);
	check_error(netlink_exchange(&link, NETLINK_ROUTE, err), "netlink");
}

// An answer to message `number`: capped, with the kernel's words behind it if there are any.
static size_t answer(unsigned char *out, uint32_t number, int error, const char *why)
{
	struct nlmsghdr header = {.nlmsg_type = NLMSG_ERROR, .nlmsg_flags = NLM_F_CAPPED, .nlmsg_seq = number};
	struct nlmsgerr body = {.error = error, .msg = {.nlmsg_len = 500, .nlmsg_seq = number}};
	size_t length = sizeof header + sizeof body;

	memcpy(out + sizeof header, &body, sizeof body);
	if (why != NULL) {
		struct nlattr attribute = {.nla_len = (uint16_t)(sizeof attribute + strlen(why) + 1), .nla_type = NLMSGERR_ATTR_MSG};
		memcpy(out + length, &attribute, sizeof attribute);
		strcpy((char *)out + length + sizeof attribute, why);
		length += attribute.nla_len;
		header.nlmsg_flags |= NLM_F_ACK_TLVS;
	}
	header.nlmsg_len = (uint32_t)length;
	memcpy(out, &header, sizeof header);
	return length;
}

static void test_parse(void)
{
	unsigned char bytes[512] = {0};
	struct netlink_reply reply;
	struct error none;

	check(netlink_parse(&reply, bytes, 0, 1, &none) == 0 && !reply.done);
	size_t length = answer(bytes, 7, 0, NULL);
	check(netlink_parse(&reply, bytes, length, 7, &none) == 0 && reply.done && reply.problem == 0);
	// An earlier message's success is not the end; a refusal is, of whichever message.
	check(netlink_parse(&reply, bytes, length, 8, &none) == 0 && !reply.done);
	length += answer(bytes + length, 3, -EEXIST, "no such luck");
	check(netlink_parse(&reply, bytes, length, 8, &none) == 0 && reply.done && reply.problem == EEXIST);
	check(strcmp(reply.why, "no such luck") == 0);
	for (size_t cut = 1; cut < length; cut++)
		if (cut != 36)
			check_error(netlink_parse(&reply, bytes, cut, 8, err), "netlink: ");
	// The whole request between the error and the words.
	unsigned char whole[512];
	struct nlmsghdr *header = (struct nlmsghdr *)(void *)whole;
	struct nlmsgerr *body = (struct nlmsgerr *)(void *)(whole + sizeof *header);
	length = answer(whole, 1, -EPERM, NULL);
	memset(whole + length, 0xee, 24);
	answer(bytes, 1, -EPERM, "why not");
	memcpy(whole + length + 24, bytes + 36, 12);
	header->nlmsg_len = (uint32_t)length + 24 + 12;
	header->nlmsg_flags = NLM_F_ACK_TLVS;
	body->msg.nlmsg_len = sizeof body->msg + 24;
	check(netlink_parse(&reply, whole, header->nlmsg_len, 1, &none) == 0 && strcmp(reply.why, "why not") == 0);
	body->msg.nlmsg_len = sizeof body->msg + 40;
	check_error(netlink_parse(&reply, whole, header->nlmsg_len, 1, err), "answer to a message");
	body->msg.nlmsg_len = UINT32_MAX;
	check_error(netlink_parse(&reply, whole, header->nlmsg_len, 1, err), "answer to a message");
	body->error = 1;
	check_error(netlink_parse(&reply, whole, header->nlmsg_len, 1, err), "answer 1");
	body->error = INT32_MIN;
	check_error(netlink_parse(&reply, whole, header->nlmsg_len, 1, err), "answer -");
	header->nlmsg_type = NLMSG_OVERRUN;
	check_error(netlink_parse(&reply, whole, header->nlmsg_len, 1, err), "lost");
	header->nlmsg_type = RTM_NEWLINK;
	check(netlink_parse(&reply, whole, header->nlmsg_len, 1, &none) == 0 && !reply.done);
}

// A real kernel, as any user: loopback cannot be deleted, and what is asked of no interface is refused.
static void test_kernel(void)
{
	struct ifinfomsg header = {.ifi_index = 1};
	unsigned char bytes[256];
	struct netlink link;

	netlink_init(&link, bytes, sizeof bytes);
	netlink_message(&link, RTM_DELLINK, NLM_F_ACK, &header, sizeof header);
	check_error(netlink_exchange(&link, NETLINK_ROUTE, err), "the kernel refuses");
	check(errno == EOPNOTSUPP || errno == EPERM);
	check_error(netlink_exchange(&link, 99, err), "netlink 99");
}

int main(void)
{
	test_build();
	test_limits();
	test_parse();
	test_kernel();
	return check_result("netlink");
}
