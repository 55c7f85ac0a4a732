// SPDX-License-Identifier: MIT
// The watching programs, instruction by instruction, over maps and a ring of ours: what is told of whom when there is little
// room. That a kernel takes them is for the tests that boot one.
#include "check.h"
#include "bpf_maps.h"
#include "observed.h"

#include <linux/bpf.h>

enum { WANTED = 3, RING, UNKNOWN, TOLD };

static const struct bpf_place place = {.cgroup = 77, .level = 2, .wanted = WANTED, .told = TOLD, .unknown = UNKNOWN, .ring = RING};
static const struct bpf_kernel kernel = {.bprm_filename = 8};

// As the kernel has it of a container.
struct group {
	uint64_t id;
	bool is_wanted, is_told;
	struct bpf_wanted wanted;
	struct bpf_told told;
};

static struct group groups[3];
static struct bpf_wanted unknown_wanted;
static struct bpf_told unknown_told;
static uint64_t current;		// the container whose process runs
static uint32_t waiting;		// bytes in the ring
static struct {
	struct observed_head head;
	struct observed_path path;
} record;				// the last one
static size_t record_size;

static uint64_t at(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static void *pointer(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

static uint64_t look_up(uint64_t map, const void *key)
{
	uint64_t id;
	uint32_t index;

	if (map == UNKNOWN) {
		memcpy(&index, key, sizeof index);
		return index == BPF_UNKNOWN_WANTED ? at(&unknown_wanted) : index == BPF_UNKNOWN_TOLD ? at(&unknown_told) : 0;
	}
	memcpy(&id, key, sizeof id);
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].id == id)
			return map == WANTED && groups[i].is_wanted ? at(&groups[i].wanted) :
			       map == TOLD && groups[i].is_told ? at(&groups[i].told) : 0;
	return 0;
}

static uint64_t help(int function, const uint64_t *r)
{
	switch (function) {
	case BPF_FUNC_get_current_ancestor_cgroup_id:
		return r[1] == 1 ? place.cgroup : r[1] == 2 ? current : 0;
	case BPF_FUNC_map_lookup_elem:
		return look_up(r[1], pointer(r[2]));
	case BPF_FUNC_ringbuf_query:
		check(r[1] == RING && r[2] == BPF_RB_AVAIL_DATA);
		return waiting;
	case BPF_FUNC_ringbuf_reserve:
		check(r[1] == RING && r[2] <= sizeof record && r[3] == 0);
		record_size = r[2];
		memset(&record, 0xff, sizeof record);
		return waiting + bpf_room(record_size) <= BPF_RING_BYTES ? at(&record) : 0;
	case BPF_FUNC_ringbuf_submit:
		check(r[1] == at(&record));
		waiting += bpf_room(record_size);
		return 0;
	case BPF_FUNC_probe_read_kernel:
		memcpy(pointer(r[1]), pointer(r[3]), r[2]);
		return 0;
	case BPF_FUNC_probe_read_kernel_str:
		strcpy(pointer(r[1]), pointer(r[3]));
		return strlen(pointer(r[3])) + 1;
	case BPF_FUNC_get_current_comm:
		memset(pointer(r[1]), 0, r[2]);
		return 0;
	default:
		return 1;
	}
}

static const size_t sizes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8};

static void move(struct bpf_insn i, uint64_t *r)
{
	size_t size = sizes[(i.code & 0x18) >> 3];
	uint64_t value = 0, number = (uint64_t)(int64_t)i.imm;
	uint32_t *sum = pointer(r[i.dst_reg] + (uint64_t)i.off);

	if (i.code == (BPF_STX | BPF_ATOMIC | BPF_W)) {
		check(i.imm == BPF_ADD);
		*sum += (uint32_t)r[i.src_reg];
	} else if ((i.code & 7) == BPF_LDX) {
		memcpy(&value, pointer(r[i.src_reg] + (uint64_t)i.off), size);
		r[i.dst_reg] = value;
	} else {
		memcpy(pointer(r[i.dst_reg] + (uint64_t)i.off), (i.code & 7) == BPF_ST ? &number : &r[i.src_reg], size);
	}
}

static void calculate(struct bpf_insn i, uint64_t *r)
{
	uint64_t other = (i.code & BPF_X) != 0 ? r[i.src_reg] : (uint64_t)(int64_t)i.imm, *to = &r[i.dst_reg];

	switch (i.code & 0xf0) {
	case BPF_MOV: *to = other; break;
	case BPF_ADD: *to += other; break;
	case BPF_SUB: *to -= other; break;
	case BPF_AND: *to &= other; break;
	case BPF_RSH: *to >>= other; break;
	default: check(false);
	}
	if ((i.code & 7) == BPF_ALU)
		*to = (uint32_t)*to;
}

static bool jumps(struct bpf_insn i, const uint64_t *r)
{
	uint64_t one = r[i.dst_reg], other = (i.code & BPF_X) != 0 ? r[i.src_reg] : (uint64_t)(int64_t)i.imm;

	switch (i.code & 0xf0) {
	case BPF_JA: return true;
	case BPF_JEQ: return one == other;
	case BPF_JNE: return one != other;
	case BPF_JSGT:
		check((i.code & 7) == BPF_JMP32);
		return (int32_t)one > (int32_t)other;
	default:
		check(false);
		return false;
	}
}

// Little-endian machines have the low bytes of a register first, which `move` counts on; so has every one that this runs on.
static uint64_t execute(const struct bpf_code *code, const void *context)
{
	uint64_t stack[64] = {0}, r[11] = {[1] = at(context), [10] = at(stack + 64)};

	for (size_t n = 0; n < code->count; n++) {
		struct bpf_insn i = code->at[n];
		unsigned class = i.code & 7;
		if (i.code == (BPF_JMP | BPF_EXIT))
			return r[0];
		if (i.code == (BPF_LD | BPF_DW | BPF_IMM))
			r[i.dst_reg] = (uint32_t)i.imm | (uint64_t)(uint32_t)code->at[++n].imm << 32;
		else if (i.code == (BPF_JMP | BPF_CALL))
			r[0] = help(i.imm, r);
		else if (class == BPF_JMP || class == BPF_JMP32)
			n += jumps(i, r) ? (size_t)i.off : 0;
		else if (class == BPF_ALU64 || class == BPF_ALU)
			calculate(i, r);
		else
			move(i, r);
	}
	check(false);
	return 0;
}

// A program starts in a container. Returns whether that was told of.
static bool start(uint64_t group)
{
	static struct bpf_code code;
	static const char path[] = "/bin/sh";
	const uint64_t program[] = {0, at(path)}, context[] = {0, 0, at(program)};
	uint32_t before = waiting;

	current = group;
	bpf_code_make(&code, BPF_WATCH_EXEC, &place, &kernel);
	check(execute(&code, context) == 0);
	bool told = waiting != before;
	check(!told || (record.head.cgroup == group && record.head.kind == OBSERVED_EXEC && record.path.length == sizeof path &&
			strcmp(record.path.text, path) == 0));
	return told;
}

static unsigned start_many(uint64_t group)
{
	unsigned count = 0;

	for (unsigned i = 0; i < 2 * BPF_RING_BYTES / 1024; i++)
		count += start(group);
	return count;
}

static void begin(void)
{
	waiting = 0;
	unknown_wanted = (struct bpf_wanted){.taken = 0};
	unknown_told = (struct bpf_told){.lost = 0};
	for (uint32_t i = 0; i < 3; i++)
		groups[i] = (struct group){.id = 100 + i, .is_wanted = true, .is_told = true, .wanted = {.kinds = OBSERVED_EXEC}};
}

#define BYTES 1088	// of such a record in the ring
// As many as leave no room of their own size beside as much as they take.
#define HALF ((BPF_RING_BYTES - BYTES) / 2 / BYTES + 1)

static void test_much(void)
{
	begin();
	// One that does much gets half of the ring, and another's are told of all the same.
	check(start_many(100) == HALF && groups[0].told.lost > HALF);
	check(start(101) && start(102) && groups[1].told.lost == 0 && groups[2].told.lost == 0);
	check(!start(100) && record.head.shared == 0);
	// A second one that does much gets half of what the first one left, and so on.
	check(start_many(101) < HALF / 2 && groups[1].told.written > BPF_RING_BYTES / 4 - 2 * BYTES && start(102) && groups[2].told.lost == 0);
	check(waiting <= BPF_RING_BYTES && groups[0].told.written + groups[1].told.written + groups[2].told.written == waiting);
	// What was taken out makes room, for it as for others.
	groups[0].wanted.taken = groups[0].told.written;
	waiting -= groups[0].told.written;
	check(start(100) && record.head.shared == 0);
}

// Those that nobody has told the kernel of yet are counted as one.
static void test_unknown(void)
{
	begin();
	groups[0].is_wanted = groups[1].is_told = false;
	groups[2].wanted.kinds = OBSERVED_CONNECT;
	check(start_many(100) == HALF && record.head.shared == 1);
	uint32_t lost = unknown_told.lost;
	check(lost > HALF && unknown_told.written == waiting && groups[0].told.written == 0);
	check(!start(101) && unknown_told.lost == lost + 1);
	check(!start(102) && groups[2].told.lost == 0 && unknown_told.lost == lost + 1);
	groups[1].is_told = true;
	check(start(101) && record.head.shared == 0 && groups[1].told.written == BYTES);
	unknown_wanted.taken = unknown_told.written;
	waiting -= unknown_told.written;
	check(start(100) && record.head.shared == 1);
}

// The counters go round, and an entry that had to be made anew may be behind what is taken.
static void test_counters(void)
{
	begin();
	groups[0].told.written = groups[0].wanted.taken = UINT32_MAX - 5000;
	check(start_many(100) == HALF);
	begin();
	groups[0].wanted.taken = 4000;
	unsigned count = start_many(100);
	check(count >= HALF && count <= HALF + 4);
}

static void test_others(void)
{
	static struct bpf_code code;
	struct bpf_sock_addr address = {.user_ip4 = 0x0100007f, .user_port = 0x0900, .protocol = 6};

	begin();
	groups[0].wanted.kinds = OBSERVED_CONNECT;
	current = 100;
	bpf_code_make(&code, BPF_WATCH_CONNECT4, &place, &kernel);
	// A connection is never refused for being watched, told of or not.
	check(execute(&code, &address) == 1 && waiting == 88 && groups[0].told.written == 88);
	waiting = BPF_RING_BYTES;
	check(execute(&code, &address) == 1 && groups[0].told.lost == 1 && groups[0].told.written == 88);
	// What is in no container.
	current = 0;
	check(execute(&code, &address) == 1 && unknown_told.lost == 0);
}

int main(void)
{
	test_much();
	test_unknown();
	test_counters();
	test_others();
	return check_result("bpf");
}
