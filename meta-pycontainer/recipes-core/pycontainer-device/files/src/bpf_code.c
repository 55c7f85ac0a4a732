// SPDX-License-Identifier: MIT
#include "bpf_code.h"
#include "observed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

// linux/fs.h has it for the kernel only: FMODE_WRITE, a file that was opened for writing.
#define OPENED_TO_WRITE 2

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };
#define CONTEXT R6	// what the kernel calls with, or the object that it is about
#define CGROUP R7
#define WANTED R8	// its entry, or 0
#define RECORD R9

static size_t put(struct bpf_code *code, unsigned opcode, unsigned to, unsigned from, int offset, int32_t value)
{
	// One that is too long is refused by the kernel, and by a test before.
	if (code->count < CODE_MOST)
		code->at[code->count++] = (struct bpf_insn){.code = (uint8_t)opcode, .dst_reg = to & 0xf, .src_reg = from & 0xf,
							     .off = (int16_t)offset, .imm = value};
	return code->count - 1;
}

static void copy(struct bpf_code *code, unsigned to, unsigned from)
{
	put(code, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

static void set(struct bpf_code *code, unsigned to, int32_t value)
{
	put(code, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

static void add(struct bpf_code *code, unsigned to, int32_t value)
{
	put(code, BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value);
}

static void load(struct bpf_code *code, unsigned size, unsigned to, unsigned from, size_t offset)
{
	put(code, BPF_LDX | BPF_MEM | size, to, from, (int)offset, 0);
}

static void store(struct bpf_code *code, unsigned size, unsigned to, size_t offset, unsigned from)
{
	put(code, BPF_STX | BPF_MEM | size, to, from, (int)offset, 0);
}

static void store_number(struct bpf_code *code, unsigned size, unsigned to, size_t offset, int32_t value)
{
	put(code, BPF_ST | BPF_MEM | size, to, 0, (int)offset, value);
}

static void call(struct bpf_code *code, enum bpf_func_id function)
{
	put(code, BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)function);
}

static void load_wide(struct bpf_code *code, unsigned to, unsigned how, uint64_t value)
{
	put(code, BPF_LD | BPF_DW | BPF_IMM, to, how, 0, (int32_t)(uint32_t)value);
	put(code, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

// A jump whose end is told by land().
static size_t jump_if(struct bpf_code *code, unsigned condition, unsigned what, int32_t value)
{
	return put(code, BPF_JMP | condition | BPF_K, what, 0, 0, value);
}

static void land(struct bpf_code *code, size_t jump)
{
	code->at[jump].off = (int16_t)(code->count - jump - 1);
}

struct exits {
	size_t at[8];
	size_t count;
};

static void leave(struct exits *exits, size_t jump)
{
	if (exits->count < sizeof exits->at / sizeof *exits->at)
		exits->at[exits->count++] = jump;
}

// Only for a process of a container, and only when this kind is wanted of it; leaves its cgroup and its entry.
static void choose(struct bpf_code *code, struct exits *exits, const struct bpf_place *place, uint32_t kind)
{
	set(code, R1, place->level - 1);
	call(code, BPF_FUNC_get_current_ancestor_cgroup_id);
	load_wide(code, R1, 0, place->cgroup);
	leave(exits, put(code, BPF_JMP | BPF_JNE | BPF_X, R0, R1, 0, 0));
	set(code, R1, place->level);
	call(code, BPF_FUNC_get_current_ancestor_cgroup_id);
	leave(exits, jump_if(code, BPF_JEQ, R0, 0));
	copy(code, CGROUP, R0);
	put(code, BPF_STX | BPF_MEM | BPF_DW, R10, CGROUP, -8, 0);
	load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)place->wanted);
	copy(code, R2, R10);
	add(code, R2, -8);
	call(code, BPF_FUNC_map_lookup_elem);
	copy(code, WANTED, R0);
	size_t unknown = jump_if(code, BPF_JEQ, R0, 0);
	load(code, BPF_W, R1, R0, offsetof(struct bpf_wanted, kinds));
	put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, (int32_t)kind);
	leave(exits, jump_if(code, BPF_JEQ, R1, 0));
	land(code, unknown);
}

// Room for the record, and its head in it.
static void begin(struct bpf_code *code, struct exits *exits, const struct bpf_place *place, uint32_t kind, size_t size)
{
	load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)place->ring);
	set(code, R2, (int32_t)size);
	set(code, R3, 0);
	call(code, BPF_FUNC_ringbuf_reserve);
	copy(code, RECORD, R0);
	size_t room = jump_if(code, BPF_JNE, R0, 0);
	size_t known = jump_if(code, BPF_JNE, WANTED, 0);
	// It may be the start of one that has rules, so it is counted all the same.
	put(code, BPF_ST | BPF_MEM | BPF_W, R10, 0, -8, 0);
	load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)place->unknown);
	copy(code, R2, R10);
	add(code, R2, -8);
	call(code, BPF_FUNC_map_lookup_elem);
	copy(code, WANTED, R0);
	leave(exits, jump_if(code, BPF_JEQ, WANTED, 0));
	land(code, known);
	set(code, R1, 1);
	put(code, BPF_STX | BPF_ATOMIC | BPF_W, WANTED, R1, offsetof(struct bpf_wanted, lost), BPF_ADD);
	leave(exits, put(code, BPF_JMP | BPF_JA, 0, 0, 0, 0));
	land(code, room);
	store(code, BPF_DW, RECORD, offsetof(struct observed_head, cgroup), CGROUP);
	call(code, BPF_FUNC_ktime_get_boot_ns);
	store(code, BPF_DW, RECORD, offsetof(struct observed_head, when_ns), R0);
	store_number(code, BPF_W, RECORD, offsetof(struct observed_head, kind), (int32_t)kind);
	call(code, BPF_FUNC_get_current_pid_tgid);
	put(code, BPF_ALU64 | BPF_RSH | BPF_K, R0, 0, 0, 32);
	store(code, BPF_W, RECORD, offsetof(struct observed_head, pid), R0);
	call(code, BPF_FUNC_get_current_uid_gid);
	store(code, BPF_W, RECORD, offsetof(struct observed_head, uid), R0);
	store_number(code, BPF_W, RECORD, offsetof(struct observed_head, unused), 0);
	copy(code, R1, RECORD);
	add(code, R1, offsetof(struct observed_head, program));
	set(code, R2, sizeof((struct observed_head *)0)->program);
	call(code, BPF_FUNC_get_current_comm);
}

// `allow`: what the kernel is answered, which never stands in the way.
static void end(struct bpf_code *code, const struct exits *exits, int allow)
{
	copy(code, R1, RECORD);
	set(code, R2, 0);
	call(code, BPF_FUNC_ringbuf_submit);
	for (size_t i = 0; i < exits->count; i++)
		land(code, exits->at[i]);
	set(code, R0, allow);
	put(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

#define BODY sizeof(struct observed_head)
#define PATH_AT (BODY + offsetof(struct observed_path, text))

// The text that a member of the object points to becomes the record's path.
static void copy_text(struct bpf_code *code, uint16_t member)
{
	store_number(code, BPF_DW, RECORD, BODY, 0);
	copy(code, R1, R10);
	add(code, R1, -16);
	set(code, R2, 8);
	copy(code, R3, CONTEXT);
	add(code, R3, member);
	call(code, BPF_FUNC_probe_read_kernel);
	put(code, BPF_LDX | BPF_MEM | BPF_DW, R3, R10, -16, 0);
	copy(code, R1, RECORD);
	add(code, R1, PATH_AT);
	set(code, R2, OBSERVED_PATH);
	call(code, BPF_FUNC_probe_read_kernel_str);
	store(code, BPF_DW, RECORD, BODY, R0);
}

// Tracepoint sched_process_exec(task, old pid, struct linux_binprm *): an exec that succeeded, and the name that it was
// asked by.
static void make_exec(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct exits exits = {.count = 0};

	load(code, BPF_DW, CONTEXT, R1, 2 * sizeof(uint64_t));
	choose(code, &exits, place, OBSERVED_EXEC);
	begin(code, &exits, place, OBSERVED_EXEC, BODY + sizeof(struct observed_path));
	copy_text(code, kernel->bprm_filename);
	end(code, &exits, 0);
}

// On return of do_filp_open(int, struct filename *, const struct open_flags *): what was asked for as a path, and EROFS
// is only answered to who wants to write.
static void make_refused(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct exits exits = {.count = 0};

	load(code, BPF_DW, CONTEXT, R1, sizeof(uint64_t));
	load(code, BPF_DW, R2, R1, 3 * sizeof(uint64_t));
	// It is a pointer to the verifier, which does not compare pointers with numbers.
	put(code, BPF_STX | BPF_MEM | BPF_DW, R10, R2, -24, 0);
	copy(code, R1, R10);
	add(code, R1, -16);
	set(code, R2, 8);
	copy(code, R3, R10);
	add(code, R3, -24);
	call(code, BPF_FUNC_probe_read_kernel);
	put(code, BPF_LDX | BPF_MEM | BPF_DW, R1, R10, -16, 0);
	leave(&exits, jump_if(code, BPF_JNE, R1, -EROFS));
	choose(code, &exits, place, OBSERVED_REFUSED);
	begin(code, &exits, place, OBSERVED_REFUSED, BODY + sizeof(struct observed_path));
	copy_text(code, kernel->filename_name);
	end(code, &exits, 0);
}

// connect(2) of any kind, and a datagram that is sent without one: struct bpf_sock_addr.
static void make_connect(struct bpf_code *code, const struct bpf_place *place, bool six)
{
	struct exits exits = {.count = 0};

	copy(code, CONTEXT, R1);
	choose(code, &exits, place, OBSERVED_CONNECT);
	begin(code, &exits, place, OBSERVED_CONNECT, BODY + sizeof(struct observed_address));
	store_number(code, BPF_W, RECORD, BODY + offsetof(struct observed_address, family), six ? AF_INET6 : AF_INET);
	for (size_t i = 0; i < 4; i++) {
		size_t to = BODY + offsetof(struct observed_address, bytes) + i * 4;
		if (six)
			load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_ip6) + i * 4);
		else if (i == 0)
			load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_ip4));
		else
			set(code, R1, 0);
		store(code, BPF_W, RECORD, to, R1);
	}
	load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_port));
	store(code, BPF_H, RECORD, BODY + offsetof(struct observed_address, port), R1);
	store_number(code, BPF_H, RECORD, BODY + offsetof(struct observed_address, unused), 0);
	load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, protocol));
	store(code, BPF_W, RECORD, BODY + offsetof(struct observed_address, protocol), R1);
	end(code, &exits, 1);
}

// On entry of security_file_open(struct file *): an ordinary file is opened for writing, as the process's rights allow.
static void make_write(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct exits exits = {.count = 0};

	load(code, BPF_DW, CONTEXT, R1, 0);
	load(code, BPF_W, R1, CONTEXT, kernel->file_mode);
	put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, OPENED_TO_WRITE);
	leave(&exits, jump_if(code, BPF_JEQ, R1, 0));
	load(code, BPF_DW, R1, CONTEXT, kernel->file_inode);
	load(code, BPF_H, R1, R1, kernel->inode_mode);
	put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, S_IFMT);
	leave(&exits, jump_if(code, BPF_JNE, R1, S_IFREG));
	// What is written to its volumes on storage needs no room in the ring, however much it is.
	load(code, BPF_DW, R1, CONTEXT, kernel->file_inode);
	load(code, BPF_DW, R1, R1, kernel->inode_sb);
	load(code, BPF_W, R1, R1, kernel->super_dev);
	leave(&exits, jump_if(code, BPF_JEQ, R1, (int32_t)place->storage));
	choose(code, &exits, place, OBSERVED_WRITE);
	begin(code, &exits, place, OBSERVED_WRITE, BODY + sizeof(struct observed_path));
	store_number(code, BPF_DW, RECORD, BODY, 0);
	copy(code, R1, CONTEXT);
	add(code, R1, kernel->file_path);
	copy(code, R2, RECORD);
	add(code, R2, PATH_AT);
	set(code, R3, OBSERVED_PATH);
	call(code, BPF_FUNC_d_path);
	store(code, BPF_DW, RECORD, BODY, R0);
	end(code, &exits, 0);
}

int bpf_kernel_find(struct bpf_kernel *out, const struct btf *btf, struct error *err)
{
	return btf_function(btf, "security_file_open", &out->open_function, err) < 0 ||
		btf_function(btf, "do_filp_open", &out->look_function, err) < 0 ||
		btf_member(btf, "filename", "name", &out->filename_name, err) < 0 ||
		btf_member(btf, "linux_binprm", "filename", &out->bprm_filename, err) < 0 ||
		btf_member(btf, "file", "f_mode", &out->file_mode, err) < 0 ||
		btf_member(btf, "file", "f_inode", &out->file_inode, err) < 0 ||
		btf_member(btf, "file", "f_path", &out->file_path, err) < 0 ||
		btf_member(btf, "inode", "i_mode", &out->inode_mode, err) < 0 ||
		btf_member(btf, "inode", "i_sb", &out->inode_sb, err) < 0 ||
		btf_member(btf, "super_block", "s_dev", &out->super_dev, err) < 0 ? -1 : 0;
}

void bpf_code_make(struct bpf_code *code, enum bpf_watch watch, const struct bpf_place *place,
		   const struct bpf_kernel *kernel)
{
	code->count = 0;
	if (watch == BPF_WATCH_EXEC)
		make_exec(code, place, kernel);
	else if (watch == BPF_WATCH_WRITE)
		make_write(code, place, kernel);
	else if (watch == BPF_WATCH_REFUSED)
		make_refused(code, place, kernel);
	else
		make_connect(code, place, watch == BPF_WATCH_CONNECT6 || watch == BPF_WATCH_SEND6);
}
