// SPDX-License-Identifier: MIT
#include "bpf_code.h"
#include "observed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

// linux/fs.h has it for the kernel only: FMODE_WRITE, a file that was opened for writing.
#define OPENED_TO_WRITE 2

#define CONTEXT R6	// what the kernel calls with, or the object that it is about
#define CGROUP R7
#define TOLD R8		// what is counted of it
#define RECORD R9

// On the stack, from its end.
enum { KEY = -8, FOUND = -16, ASIDE = -24, TAKEN = -32, SHARED = -40 };

static void store_aside(struct bpf_code *code, unsigned size, int place, unsigned from)
{
	bpf_put(code, BPF_STX | BPF_MEM | size, R10, from, place, 0);
}

static void set_aside(struct bpf_code *code, unsigned size, int place, int32_t value)
{
	bpf_put(code, BPF_ST | BPF_MEM | size, R10, 0, place, value);
}

static void load_aside(struct bpf_code *code, unsigned size, unsigned to, int place)
{
	bpf_put(code, BPF_LDX | BPF_MEM | size, to, R10, place, 0);
}

// R0 becomes the entry of a map under the key that is on the stack, or 0.
static void look_up(struct bpf_code *code, int map)
{
	bpf_load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)map);
	bpf_copy(code, R2, R10);
	bpf_add(code, R2, KEY);
	bpf_call_helper(code, BPF_FUNC_map_lookup_elem);
}

// What is counted of those that are not known yet, as of one container. One of them may be about to begin, with rules.
static void share(struct bpf_code *code, struct bpf_exits *exits, const struct bpf_place *place)
{
	set_aside(code, BPF_W, SHARED, 1);
	set_aside(code, BPF_W, KEY, BPF_UNKNOWN_WANTED);
	look_up(code, place->unknown);
	bpf_leave(exits, bpf_jump_if(code, BPF_JEQ, R0, 0));
	bpf_load(code, BPF_W, R1, R0, offsetof(struct bpf_wanted, taken));
	store_aside(code, BPF_W, TAKEN, R1);
	set_aside(code, BPF_W, KEY, BPF_UNKNOWN_TOLD);
	look_up(code, place->unknown);
	bpf_copy(code, TOLD, R0);
	bpf_leave(exits, bpf_jump_if(code, BPF_JEQ, TOLD, 0));
}

// Only for a process of a container, and only when this kind is wanted of it; leaves its cgroup and what is counted of it.
static void choose(struct bpf_code *code, struct bpf_exits *exits, const struct bpf_place *place, uint32_t kind)
{
	bpf_set(code, R1, place->level - 1);
	bpf_call_helper(code, BPF_FUNC_get_current_ancestor_cgroup_id);
	bpf_load_wide(code, R1, 0, place->cgroup);
	bpf_leave(exits, bpf_put(code, BPF_JMP | BPF_JNE | BPF_X, R0, R1, 0, 0));
	bpf_set(code, R1, place->level);
	bpf_call_helper(code, BPF_FUNC_get_current_ancestor_cgroup_id);
	bpf_leave(exits, bpf_jump_if(code, BPF_JEQ, R0, 0));
	bpf_copy(code, CGROUP, R0);
	store_aside(code, BPF_DW, KEY, CGROUP);
	set_aside(code, BPF_W, SHARED, 0);
	look_up(code, place->wanted);
	size_t unknown = bpf_jump_if(code, BPF_JEQ, R0, 0);
	bpf_load(code, BPF_W, R1, R0, offsetof(struct bpf_wanted, kinds));
	bpf_put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, (int32_t)kind);
	bpf_leave(exits, bpf_jump_if(code, BPF_JEQ, R1, 0));
	bpf_load(code, BPF_W, R1, R0, offsetof(struct bpf_wanted, taken));
	store_aside(code, BPF_W, TAKEN, R1);
	look_up(code, place->told);
	bpf_copy(code, TOLD, R0);
	size_t known = bpf_jump_if(code, BPF_JNE, TOLD, 0);
	bpf_land(code, unknown);
	share(code, exits, place);
	bpf_land(code, known);
}

static void count(struct bpf_code *code, size_t member, int32_t more)
{
	bpf_set(code, R1, more);
	bpf_put(code, BPF_STX | BPF_ATOMIC | BPF_W, TOLD, R1, (int)member, BPF_ADD);
}

// Room for the record, if it may have it: what waits of one container never takes more than is left free beside it and the
// others, so one that does much leaves half of the ring, two a third, and pushes nobody out.
static void reserve(struct bpf_code *code, struct bpf_exits *exits, const struct bpf_place *place, size_t size)
{
	bpf_load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)place->ring);
	bpf_set(code, R2, BPF_RB_AVAIL_DATA);
	bpf_call_helper(code, BPF_FUNC_ringbuf_query);
	bpf_load(code, BPF_W, R1, TOLD, offsetof(struct bpf_told, written));
	load_aside(code, BPF_W, R2, TAKEN);
	bpf_put(code, BPF_ALU | BPF_SUB | BPF_X, R1, R2, 0, 0);
	bpf_put(code, BPF_ALU | BPF_ADD | BPF_X, R1, R0, 0, 0);
	// With a sign: what was taken is a moment older or newer than what was written when an entry had to be made anew.
	size_t much = bpf_put(code, BPF_JMP32 | BPF_JSGT | BPF_K, R1, 0, 0, (int32_t)(BPF_RING_BYTES - bpf_room(size)));
	bpf_load_wide(code, R1, BPF_PSEUDO_MAP_FD, (uint64_t)(uint32_t)place->ring);
	bpf_set(code, R2, (int32_t)size);
	bpf_set(code, R3, 0);
	bpf_call_helper(code, BPF_FUNC_ringbuf_reserve);
	bpf_copy(code, RECORD, R0);
	size_t room = bpf_jump_if(code, BPF_JNE, RECORD, 0);
	bpf_land(code, much);
	count(code, offsetof(struct bpf_told, lost), 1);
	bpf_leave(exits, bpf_jump(code));
	bpf_land(code, room);
	count(code, offsetof(struct bpf_told, written), (int32_t)bpf_room(size));
}

static void begin(struct bpf_code *code, struct bpf_exits *exits, const struct bpf_place *place, uint32_t kind, size_t size)
{
	reserve(code, exits, place, size);
	bpf_store(code, BPF_DW, RECORD, offsetof(struct observed_head, cgroup), CGROUP);
	bpf_call_helper(code, BPF_FUNC_ktime_get_boot_ns);
	bpf_store(code, BPF_DW, RECORD, offsetof(struct observed_head, when_ns), R0);
	bpf_store_number(code, BPF_W, RECORD, offsetof(struct observed_head, kind), (int32_t)kind);
	bpf_call_helper(code, BPF_FUNC_get_current_pid_tgid);
	bpf_put(code, BPF_ALU64 | BPF_RSH | BPF_K, R0, 0, 0, 32);
	bpf_store(code, BPF_W, RECORD, offsetof(struct observed_head, pid), R0);
	bpf_call_helper(code, BPF_FUNC_get_current_uid_gid);
	bpf_store(code, BPF_W, RECORD, offsetof(struct observed_head, uid), R0);
	load_aside(code, BPF_W, R1, SHARED);
	bpf_store(code, BPF_W, RECORD, offsetof(struct observed_head, shared), R1);
	bpf_copy(code, R1, RECORD);
	bpf_add(code, R1, offsetof(struct observed_head, program));
	bpf_set(code, R2, sizeof((struct observed_head *)0)->program);
	bpf_call_helper(code, BPF_FUNC_get_current_comm);
}

// `allow`: what the kernel is answered, which never stands in the way.
static void end(struct bpf_code *code, const struct bpf_exits *exits, int allow)
{
	bpf_copy(code, R1, RECORD);
	bpf_set(code, R2, 0);
	bpf_call_helper(code, BPF_FUNC_ringbuf_submit);
	for (size_t i = 0; i < exits->count; i++)
		bpf_land(code, exits->at[i]);
	bpf_set(code, R0, allow);
	bpf_put(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

#define BODY sizeof(struct observed_head)
#define PATH_AT (BODY + offsetof(struct observed_path, text))

// The text that a member of the object points to becomes the record's path.
static void copy_text(struct bpf_code *code, uint16_t member)
{
	bpf_store_number(code, BPF_DW, RECORD, BODY, 0);
	bpf_copy(code, R1, R10);
	bpf_add(code, R1, FOUND);
	bpf_set(code, R2, 8);
	bpf_copy(code, R3, CONTEXT);
	bpf_add(code, R3, member);
	bpf_call_helper(code, BPF_FUNC_probe_read_kernel);
	load_aside(code, BPF_DW, R3, FOUND);
	bpf_copy(code, R1, RECORD);
	bpf_add(code, R1, PATH_AT);
	bpf_set(code, R2, OBSERVED_PATH);
	bpf_call_helper(code, BPF_FUNC_probe_read_kernel_str);
	bpf_store(code, BPF_DW, RECORD, BODY, R0);
}

// Tracepoint sched_process_exec(task, old pid, struct linux_binprm *): an exec that succeeded, and the name that it was
// asked by.
static void make_exec(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct bpf_exits exits = {.count = 0};

	bpf_load(code, BPF_DW, CONTEXT, R1, 2 * sizeof(uint64_t));
	choose(code, &exits, place, OBSERVED_EXEC);
	begin(code, &exits, place, OBSERVED_EXEC, BODY + sizeof(struct observed_path));
	copy_text(code, kernel->bprm_filename);
	end(code, &exits, 0);
}

// On return of do_filp_open(int, struct filename *, const struct open_flags *): what was asked for as a path, and EROFS
// is only answered to who wants to write.
static void make_refused(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct bpf_exits exits = {.count = 0};

	bpf_load(code, BPF_DW, CONTEXT, R1, sizeof(uint64_t));
	bpf_load(code, BPF_DW, R2, R1, 3 * sizeof(uint64_t));
	// It is a pointer to the verifier, which does not compare pointers with numbers.
	store_aside(code, BPF_DW, ASIDE, R2);
	bpf_copy(code, R1, R10);
	bpf_add(code, R1, FOUND);
	bpf_set(code, R2, 8);
	bpf_copy(code, R3, R10);
	bpf_add(code, R3, ASIDE);
	bpf_call_helper(code, BPF_FUNC_probe_read_kernel);
	load_aside(code, BPF_DW, R1, FOUND);
	bpf_leave(&exits, bpf_jump_if(code, BPF_JNE, R1, -EROFS));
	choose(code, &exits, place, OBSERVED_REFUSED);
	begin(code, &exits, place, OBSERVED_REFUSED, BODY + sizeof(struct observed_path));
	copy_text(code, kernel->filename_name);
	end(code, &exits, 0);
}

// connect(2) of any kind, and a datagram that is sent without one: struct bpf_sock_addr.
static void make_connect(struct bpf_code *code, const struct bpf_place *place, bool six)
{
	struct bpf_exits exits = {.count = 0};

	bpf_copy(code, CONTEXT, R1);
	choose(code, &exits, place, OBSERVED_CONNECT);
	begin(code, &exits, place, OBSERVED_CONNECT, BODY + sizeof(struct observed_address));
	bpf_store_number(code, BPF_W, RECORD, BODY + offsetof(struct observed_address, family), six ? AF_INET6 : AF_INET);
	for (size_t i = 0; i < 4; i++) {
		size_t to = BODY + offsetof(struct observed_address, bytes) + i * 4;
		if (six)
			bpf_load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_ip6) + i * 4);
		else if (i == 0)
			bpf_load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_ip4));
		else
			bpf_set(code, R1, 0);
		bpf_store(code, BPF_W, RECORD, to, R1);
	}
	bpf_load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, user_port));
	bpf_store(code, BPF_H, RECORD, BODY + offsetof(struct observed_address, port), R1);
	bpf_store_number(code, BPF_H, RECORD, BODY + offsetof(struct observed_address, unused), 0);
	bpf_load(code, BPF_W, R1, CONTEXT, offsetof(struct bpf_sock_addr, protocol));
	bpf_store(code, BPF_W, RECORD, BODY + offsetof(struct observed_address, protocol), R1);
	end(code, &exits, 1);
}

// On entry of security_file_open(struct file *): an ordinary file is opened for writing, as the process's rights allow.
static void make_write(struct bpf_code *code, const struct bpf_place *place, const struct bpf_kernel *kernel)
{
	struct bpf_exits exits = {.count = 0};

	bpf_load(code, BPF_DW, CONTEXT, R1, 0);
	bpf_load(code, BPF_W, R1, CONTEXT, kernel->file_mode);
	bpf_put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, OPENED_TO_WRITE);
	bpf_leave(&exits, bpf_jump_if(code, BPF_JEQ, R1, 0));
	bpf_load(code, BPF_DW, R1, CONTEXT, kernel->file_inode);
	bpf_load(code, BPF_H, R1, R1, kernel->inode_mode);
	bpf_put(code, BPF_ALU64 | BPF_AND | BPF_K, R1, 0, 0, S_IFMT);
	bpf_leave(&exits, bpf_jump_if(code, BPF_JNE, R1, S_IFREG));
	// What is written to its volumes on storage needs no room in the ring, however much it is.
	bpf_load(code, BPF_DW, R1, CONTEXT, kernel->file_inode);
	bpf_load(code, BPF_DW, R1, R1, kernel->inode_sb);
	bpf_load(code, BPF_W, R1, R1, kernel->super_dev);
	bpf_leave(&exits, bpf_jump_if(code, BPF_JEQ, R1, (int32_t)place->storage));
	choose(code, &exits, place, OBSERVED_WRITE);
	begin(code, &exits, place, OBSERVED_WRITE, BODY + sizeof(struct observed_path));
	bpf_store_number(code, BPF_DW, RECORD, BODY, 0);
	bpf_copy(code, R1, CONTEXT);
	bpf_add(code, R1, kernel->file_path);
	bpf_copy(code, R2, RECORD);
	bpf_add(code, R2, PATH_AT);
	bpf_set(code, R3, OBSERVED_PATH);
	bpf_call_helper(code, BPF_FUNC_d_path);
	bpf_store(code, BPF_DW, RECORD, BODY, R0);
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
