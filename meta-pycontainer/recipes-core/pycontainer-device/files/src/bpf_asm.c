// SPDX-License-Identifier: MIT
#include "bpf_asm.h"

size_t bpf_put(struct bpf_code *code, unsigned opcode, unsigned to, unsigned from, int offset, int32_t value)
{
	if (code->count < CODE_MOST)
		code->at[code->count++] = (struct bpf_insn){.code = (uint8_t)opcode, .dst_reg = to & 0xf, .src_reg = from & 0xf,
							     .off = (int16_t)offset, .imm = value};
	return code->count - 1;
}

void bpf_copy(struct bpf_code *code, unsigned to, unsigned from)
{
	bpf_put(code, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

void bpf_set(struct bpf_code *code, unsigned to, int32_t value)
{
	bpf_put(code, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

void bpf_add(struct bpf_code *code, unsigned to, int32_t value)
{
	bpf_put(code, BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value);
}

void bpf_load(struct bpf_code *code, unsigned size, unsigned to, unsigned from, size_t offset)
{
	bpf_put(code, BPF_LDX | BPF_MEM | size, to, from, (int)offset, 0);
}

void bpf_store(struct bpf_code *code, unsigned size, unsigned to, size_t offset, unsigned from)
{
	bpf_put(code, BPF_STX | BPF_MEM | size, to, from, (int)offset, 0);
}

void bpf_store_number(struct bpf_code *code, unsigned size, unsigned to, size_t offset, int32_t value)
{
	bpf_put(code, BPF_ST | BPF_MEM | size, to, 0, (int)offset, value);
}

void bpf_call_helper(struct bpf_code *code, enum bpf_func_id function)
{
	bpf_put(code, BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)function);
}

void bpf_load_wide(struct bpf_code *code, unsigned to, unsigned how, uint64_t value)
{
	bpf_put(code, BPF_LD | BPF_DW | BPF_IMM, to, how, 0, (int32_t)(uint32_t)value);
	bpf_put(code, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

size_t bpf_jump_if(struct bpf_code *code, unsigned condition, unsigned what, int32_t value)
{
	return bpf_put(code, BPF_JMP | condition | BPF_K, what, 0, 0, value);
}

size_t bpf_jump(struct bpf_code *code)
{
	return bpf_put(code, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

void bpf_land(struct bpf_code *code, size_t jump)
{
	code->at[jump].off = (int16_t)(code->count - jump - 1);
}

void bpf_leave(struct bpf_exits *exits, size_t jump)
{
	if (exits->count < sizeof exits->at / sizeof *exits->at)
		exits->at[exits->count++] = jump;
}
