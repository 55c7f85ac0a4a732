// SPDX-License-Identifier: MIT
// The programs that watch containers in the kernel, instruction by instruction (bpf(2), bpf-helpers(7), linux/bpf.h): too
// short to want a compiler, and they fit the kernel that runs by its BTF.
#pragma once
#include "bpf_asm.h"
#include "btf.h"
#include "error.h"
#include <stddef.h>
#include <stdint.h>

enum bpf_watch { BPF_WATCH_EXEC, BPF_WATCH_CONNECT4, BPF_WATCH_CONNECT6, BPF_WATCH_SEND4, BPF_WATCH_SEND6, BPF_WATCH_WRITE,
		 BPF_WATCH_REFUSED, BPF_WATCHES };

// What the programs must know of the kernel.
struct bpf_kernel {
	uint32_t open_function;		// security_file_open
	uint32_t look_function;		// do_filp_open
	uint16_t bprm_filename, filename_name, file_mode, file_inode, file_path, inode_mode, inode_sb, super_dev;
};

// What the programs are bound to.
struct bpf_place {
	uint64_t cgroup;	// that all containers are in
	int level;		// of a container's own, counted from the root's 0
	uint32_t storage;	// its device, as the kernel itself numbers it: of it a container sees its volumes only
	int wanted;		// map: a container's cgroup -> struct bpf_wanted
	int told;		// map: a container's cgroup -> struct bpf_told
	int unknown;		// map: both for all that have none there: BPF_UNKNOWN_WANTED, BPF_UNKNOWN_TOLD
	int ring;		// map: where they write what struct observed_head (observed.h) describes
};

// Of bytes in the ring only differences count: both go round.

// What we write and the kernel reads. Without an entry all kinds are told of.
struct bpf_wanted {
	uint32_t kinds;		// a set of enum observed_kind
	uint32_t taken;		// bytes of its records that were taken out of the ring
};

// What the kernel writes and we read.
struct bpf_told {
	uint32_t lost;		// records that found no room in the ring
	uint32_t written;	// bytes of its records that were written to the ring
};

enum { BPF_UNKNOWN_WANTED, BPF_UNKNOWN_TOLD, BPF_UNKNOWN };
_Static_assert(sizeof(struct bpf_wanted) == sizeof(struct bpf_told), "values of one map");

#define BPF_RING_BYTES (2u * 1024 * 1024)	// half of it for one that is alone: some 950 paths

// What a record of this size takes of the ring.
static inline uint32_t bpf_room(size_t size)
{
	return (uint32_t)((size + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7);
}

int bpf_kernel_find(struct bpf_kernel *out, const struct btf *btf, struct error *err);
void bpf_code_make(struct bpf_code *code, enum bpf_watch watch, const struct bpf_place *place,
		   const struct bpf_kernel *kernel);
