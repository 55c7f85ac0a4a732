// SPDX-License-Identifier: MIT
// A TCP connection within a time.
#pragma once
#include "error.h"
#include <stdint.h>

// Connect to an IPv4 or IPv6 address until `end` (clock_ms). Returns a descriptor that does not block, or -1.
int tcp_connect(const char *address, unsigned port, uint64_t end, struct error *err);
// Wait until events of poll(2) come, or `end`.
int tcp_wait(int fd, short events, uint64_t end, struct error *err);
