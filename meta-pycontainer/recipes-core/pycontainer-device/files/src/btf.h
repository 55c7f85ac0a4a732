// SPDX-License-Identifier: MIT
// The kernel's description of its own types, in /sys/kernel/btf/vmlinux (Documentation/bpf/btf.rst of the kernel): where
// a member lies in this very kernel.
#pragma once
#include "error.h"
#include <stddef.h>
#include <stdint.h>

struct btf {
	const unsigned char *types;
	size_t types_length;
	const char *strings;	// the last byte is zero
	size_t strings_length;
};

// Look at so many bytes, which must stay. The lengths are checked here, each type when it is met.
int btf_open(struct btf *btf, const unsigned char *bytes, size_t length, struct error *err);
// The number of a function.
int btf_function(const struct btf *btf, const char *name, uint32_t *id, struct error *err);
// How many bytes before the member of a struct, those of unnamed structs and unions in it included.
int btf_member(const struct btf *btf, const char *type, const char *member, uint16_t *offset, struct error *err);
