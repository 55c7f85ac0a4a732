// SPDX-License-Identifier: MIT
// bpf(2), which the C library does not have.
#pragma once
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int bpf_call(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static inline uint64_t bpf_pointer(const void *at)
{
	return (uint64_t)(uintptr_t)at;
}
