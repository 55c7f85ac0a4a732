// SPDX-License-Identifier: MIT
// The programs that watch containers in the kernel, instruction by instruction (bpf(2), bpf-helpers(7), linux/bpf.h): too
// short to want a compiler, and they fit the kernel that runs by its BTF.
#pragma once
#include "btf.h"
#include "error.h"
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_MOST 128

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
	int unknown;		// map: 0 -> struct bpf_wanted, which counts what was lost of those without an entry
	int ring;		// map: where they write what struct observed_head (observed.h) describes
};

// Without an entry all kinds are told of.
struct bpf_wanted {
	uint32_t kinds;		// a set of enum observed_kind
	uint32_t lost;		// counted here: what found no room in the ring
};

struct bpf_code {
	struct bpf_insn at[CODE_MOST];
	size_t count;
};

int bpf_kernel_find(struct bpf_kernel *out, const struct btf *btf, struct error *err);
void bpf_code_make(struct bpf_code *code, enum bpf_watch watch, const struct bpf_place *place,
		   const struct bpf_kernel *kernel);
