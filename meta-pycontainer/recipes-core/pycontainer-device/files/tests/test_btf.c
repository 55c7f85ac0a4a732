// SPDX-License-Identifier: MIT
// The kernel's description of its types: a small one, made here, and what is left of it when it is cut short.
#include "check.h"
#include "btf.h"

#include <stdbool.h>
#include <stdint.h>

static unsigned char bytes[1024];
static size_t used;

static void put(uint32_t value)
{
	memcpy(bytes + used, &value, 4);
	used += 4;
}

static const char names[] = "\0file\0f_mode\0f_path\0open_it\0bits";
#define NAME_FILE 1
#define NAME_MODE 6
#define NAME_PATH 13
#define NAME_OPEN 20
#define NAME_BITS 28

static void type(uint32_t name, uint32_t kind, uint32_t count, bool flag, uint32_t size)
{
	put(name);
	put(kind << 24 | count | (uint32_t)flag << 31);
	put(size);
}

static void member(uint32_t name, uint32_t of, uint32_t bits)
{
	put(name);
	put(of);
	put(bits);
}

// struct file { int f_mode; union { int f_path; }; int bits : 3; }; void open_it(void);
static void make(void)
{
	used = 24;
	type(0, 1, 0, false, 4);			// 1: int
	put(32);
	type(0, 5, 1, false, 4);			// 2: union {}
	member(NAME_PATH, 1, 0);
	type(NAME_FILE, 4, 3, true, 16);		// 3: struct file
	member(NAME_MODE, 1, 32);
	member(0, 2, 64);
	member(NAME_BITS, 1, 3u << 24 | 97);
	type(0, 13, 0, false, 0);			// 4: its prototype
	type(NAME_OPEN, 12, 0, false, 4);		// 5: open_it
	size_t types = used - 24, all = used + sizeof names;
	memcpy(bytes + used, names, sizeof names);
	used = 0;
	put(0xeb9f | 1u << 16);
	put(24);
	put(0);
	put((uint32_t)types);
	put((uint32_t)types);
	put(sizeof names);
	used = all;
}

static void test_members_and_functions(void)
{
	struct btf btf;
	struct error other;
	uint16_t offset;
	uint32_t id;

	make();
	check(btf_open(&btf, bytes, used, &other) == 0);
	check(btf_member(&btf, "file", "f_mode", &offset, &other) == 0 && offset == 4);
	// What lies in a member without a name counts as its owner's.
	check(btf_member(&btf, "file", "f_path", &offset, &other) == 0 && offset == 8);
	check(btf_function(&btf, "open_it", &id, &other) == 0 && id == 5);
	check_error(btf_function(&btf, "file", &id, err), "this kernel has no function file");
	check_error(btf_member(&btf, "file", "f_none", &offset, err), "no f_none in its struct file");
	check_error(btf_member(&btf, "none", "f_mode", &offset, err), "no f_mode in its struct none");
	check_error(btf_member(&btf, "file", "bits", &offset, err), "no bits");
}

static void test_damage(void)
{
	struct btf btf;
	struct error other;
	uint16_t offset;
	uint32_t id;

	make();
	size_t whole = used;
	for (size_t length = 0; length < whole; length++) {
		unsigned char *copy = malloc(length + 1);
		memcpy(copy, bytes, length);
		check(btf_open(&btf, copy, length, &other) < 0);
		free(copy);
	}
	for (size_t at = 0; at < whole; at++) {
		make();
		bytes[at] ^= 0xff;
		if (btf_open(&btf, bytes, whole, &other) < 0)
			continue;
		btf_member(&btf, "file", "f_path", &offset, &other);
		btf_function(&btf, "open_it", &id, &other);
	}
	make();
	// The union holds itself.
	memcpy(bytes + 24 + 16 + 12, &(uint32_t){0}, 4);
	memcpy(bytes + 24 + 16 + 16, &(uint32_t){2}, 4);
	check(btf_open(&btf, bytes, whole, &other) == 0);
	check_error(btf_member(&btf, "file", "f_path", &offset, err), "in too many others");
}

int main(void)
{
	test_members_and_functions();
	test_damage();
	return check_result("btf");
}
