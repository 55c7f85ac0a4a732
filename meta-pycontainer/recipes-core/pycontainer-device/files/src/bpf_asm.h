// SPDX-License-Identifier: MIT
// Instructions of eBPF (linux/bpf.h, linux/bpf_common.h), one after the other.
#pragma once
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_MOST 160

struct bpf_code {
	struct bpf_insn at[CODE_MOST];
	size_t count;
};

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

// Returns its place. One too many is left out and counted for none: the program is refused by the kernel, and by a test before.
size_t bpf_put(struct bpf_code *code, unsigned opcode, unsigned to, unsigned from, int offset, int32_t value);
void bpf_copy(struct bpf_code *code, unsigned to, unsigned from);
void bpf_set(struct bpf_code *code, unsigned to, int32_t value);
void bpf_add(struct bpf_code *code, unsigned to, int32_t value);
// `size`: BPF_B, BPF_H, BPF_W or BPF_DW.
void bpf_load(struct bpf_code *code, unsigned size, unsigned to, unsigned from, size_t offset);
void bpf_store(struct bpf_code *code, unsigned size, unsigned to, size_t offset, unsigned from);
void bpf_store_number(struct bpf_code *code, unsigned size, unsigned to, size_t offset, int32_t value);
void bpf_call_helper(struct bpf_code *code, enum bpf_func_id function);
// `how`: 0, or BPF_PSEUDO_MAP_FD for the map behind a descriptor.
void bpf_load_wide(struct bpf_code *code, unsigned to, unsigned how, uint64_t value);
// A jump whose end is told by bpf_land; returns its place.
size_t bpf_jump_if(struct bpf_code *code, unsigned condition, unsigned what, int32_t value);
size_t bpf_jump(struct bpf_code *code);
// It leads to the next instruction.
void bpf_land(struct bpf_code *code, size_t jump);

// Jumps to one end.
struct bpf_exits {
	size_t at[16];
	size_t count;
};

void bpf_leave(struct bpf_exits *exits, size_t jump);
