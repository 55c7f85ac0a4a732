// SPDX-License-Identifier: MIT
// A file system in memory that can fail each single call and lose its power. It keeps apart what is so now, what is on the
// medium, and what a reader sees that does not replay the journal (the boot loader), and it is as forgetful as a file
// system may be: only what was synced by its own call is certain.
#pragma once
#include "fs.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_ERROR,	// the call fails and does nothing
	FAULT_SHORT,	// a read or write does half of it
	FAULT_CRASH	// the power fails: a write does half, any other call nothing; all later calls fail
};

// Shared by all file systems of one machine, whose calls are counted together.
struct fault {
	enum fault_kind kind;
	unsigned at;	// the number of the call, from 1
	int error;	// of FAULT_ERROR
	unsigned calls;	// made so far
	bool hit, down;
};

enum memfs_restart {
	MEMFS_NOTHING,		// only what was synced is left
	MEMFS_EVERYTHING,	// all is left
	MEMFS_NAMES,		// all names are, and no bytes that were not synced
	MEMFS_ZEROS,		// names and sizes are; the bytes are zero
	MEMFS_BYTES,		// all bytes are, and no names that were not synced
	MEMFS_SOME,		// of every other file and folder all is, of the others only what was synced
	MEMFS_OTHERS,		// the same the other way round
	MEMFS_RESTARTS,
	MEMFS_UNREPLAYED = MEMFS_RESTARTS	// what the boot loader sees before the kernel replays the journal
};

struct memfs {
	struct fs fs;		// what the code under test gets
	struct fault *fault;	// or NULL
	uint64_t capacity;	// 0: as much as wanted
	bool no_verity;
	bool fat;		// as Linux's vfat: renamed, a file begins on the medium where its new name's file did, or is
				// empty, until it is synced itself; without a name, its bytes are free once it is closed
	struct memfs_node *nodes;
	size_t count;
	struct {
		size_t node;	// 0: closed
		int how;
	} handles[16];
};

void memfs_init(struct memfs *memfs, struct fault *fault);
void memfs_copy(struct memfs *out, const struct memfs *memfs, struct fault *fault);
void memfs_free(struct memfs *memfs);
// Power is back, everything of before is closed.
void memfs_restart(struct memfs *memfs, enum memfs_restart how);
// How many files are open.
unsigned memfs_open(const struct memfs *memfs);
// A digest of all that is in it, whatever state that is in: equal ones behave alike.
void memfs_digest(const struct memfs *memfs, char digest[HEX_SIZE]);
// For setting up, without faults: put a file with its folders; read one (zero-terminated, NULL when missing); make all that
// is so now certain.
void memfs_put(struct memfs *memfs, const char *path, const void *bytes, size_t length);
const char *memfs_get(const struct memfs *memfs, const char *path, size_t *length);
void memfs_settle(struct memfs *memfs);
