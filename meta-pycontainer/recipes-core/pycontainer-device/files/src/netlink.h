// SPDX-License-Identifier: MIT
// Netlink messages (interfaces, addresses, routes, nf_tables): written into a bounded buffer, answered by the kernel.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink {
	unsigned char *bytes;	// the caller's
	size_t room, used;
	size_t start;		// of the message that is being written
	uint32_t sequence;	// its number; the first one is 1
	uint32_t last;		// the number of the last message that asks for an answer
	bool full;		// something did not fit: nothing of it will be sent
};

// What one datagram of the kernel said.
struct netlink_reply {
	bool done;		// the last answer that was asked for, or a refusal
	int problem;		// errno of a refusal, 0: none
	char why[128];		// the kernel's own words about it, if any
};

void netlink_init(struct netlink *link, void *bytes, size_t room);
// Begin a message with its type's own header. NLM_F_REQUEST is added; flags may hold NLM_F_ACK, which the last message
// of an exchange must.
void netlink_message(struct netlink *link, unsigned type, unsigned flags, const void *header, size_t length);
void netlink_put(struct netlink *link, unsigned type, const void *bytes, size_t length);
// A text with its terminating zero; a number as this machine writes it, and as the network does.
void netlink_put_text(struct netlink *link, unsigned type, const char *text);
void netlink_put_u32(struct netlink *link, unsigned type, uint32_t value);
void netlink_put_be32(struct netlink *link, unsigned type, uint32_t value);
// A bare structure, as some attributes begin with.
void netlink_put_header(struct netlink *link, const void *header, size_t length);
// An attribute that holds those that are put before its end.
size_t netlink_nest(struct netlink *link, unsigned type);
void netlink_nest_end(struct netlink *link, size_t nest);

// Send all messages at once, in the network namespace of this process, and wait for the answer. After a refusal errno
// is the kernel's.
int netlink_exchange(struct netlink *link, int protocol, struct error *err);
// Parse one datagram that answers a request whose last message has this number.
int netlink_parse(struct netlink_reply *out, const unsigned char *bytes, size_t length, uint32_t last,
		  struct error *err);
// Bring an interface up.
int netlink_up(const char *name, struct error *err);
