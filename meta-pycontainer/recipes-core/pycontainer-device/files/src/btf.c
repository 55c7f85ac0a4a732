// SPDX-License-Identifier: MIT
#include "btf.h"

#include <stdbool.h>
#include <string.h>

#define MAGIC 0xeb9f
#define HEADER 24
#define TYPE 12		// of a type without what follows it
#define MEMBER 12
#define KINDS 20
#define KIND_STRUCT 4
#define KIND_UNION 5
#define KIND_FUNCTION 12
#define UNNAMED_MOST 64	// members that are looked into, all in all

struct type {
	const unsigned char *more;	// what follows it
	size_t more_length;
	const char *name;
	uint32_t id, kind, count;
	bool bits;			// members have widths, in the upper byte of their offsets
};

static uint32_t word(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

int btf_open(struct btf *btf, const unsigned char *bytes, size_t length, struct error *err)
{
	uint16_t magic;

	if (length < HEADER)
		return fail(err, "BTF: too short");
	memcpy(&magic, bytes, sizeof magic);
	uint64_t header = word(bytes + 4), types = word(bytes + 8), types_length = word(bytes + 12);
	uint64_t strings = word(bytes + 16), strings_length = word(bytes + 20);
	if (magic != MAGIC || bytes[2] != 1 || header < HEADER)
		return fail(err, "BTF: not in a form that is known");
	if (header + types + types_length > length || header + strings + strings_length > length || strings_length == 0)
		return fail(err, "BTF: cut short");
	*btf = (struct btf){bytes + header + types, types_length, (const char *)bytes + header + strings, strings_length};
	return btf->strings[strings_length - 1] == '\0' ? 0 : fail(err, "BTF: names without an end");
}

// How many bytes follow a type, for each kind: so many, and so many for each of its members.
static const struct {
	unsigned char always, each;
} sizes[KINDS] = {
	[1] = {4, 0}, [3] = {12, 0}, [KIND_STRUCT] = {0, MEMBER}, [KIND_UNION] = {0, MEMBER}, [6] = {0, 8}, [13] = {0, 8},
	[14] = {4, 0}, [15] = {0, 12}, [17] = {4, 0}, [19] = {0, 12},
};

// Go from one type to the next, the first from {0}. Returns 0 at the end.
static int next(const struct btf *btf, struct type *type, struct error *err)
{
	const unsigned char *at = type->id == 0 ? btf->types : type->more + type->more_length;
	size_t left = btf->types_length - (size_t)(at - btf->types);

	if (left == 0)
		return 0;
	if (left < TYPE)
		return fail(err, "BTF: a type is cut short");
	uint32_t name = word(at), info = word(at + 4);
	uint32_t kind = info >> 24 & 0x1f, count = info & 0xffff;
	if (name >= btf->strings_length || kind == 0 || kind >= KINDS)
		return fail(err, "BTF: type %u is of no form that is known", type->id + 1);
	size_t more = (size_t)sizes[kind].always + (size_t)sizes[kind].each * count;
	if (more > left - TYPE)
		return fail(err, "BTF: type %u is cut short", type->id + 1);
	*type = (struct type){at + TYPE, more, btf->strings + name, type->id + 1, kind, count, info >> 31};
	return 1;
}

int btf_function(const struct btf *btf, const char *name, uint32_t *id, struct error *err)
{
	struct type type = {.id = 0};
	int found;

	while ((found = next(btf, &type, err)) > 0)
		if (type.kind == KIND_FUNCTION && strcmp(type.name, name) == 0) {
			*id = type.id;
			return 0;
		}
	return found < 0 ? -1 : fail(err, "this kernel has no function %s", name);
}

static int member_in(const struct btf *btf, const struct type *type, const char *name, unsigned *left, uint32_t *bits,
		     struct error *err);

// A member without a name: what is in it counts as its owner's.
static int member_inside(const struct btf *btf, uint32_t id, const char *name, unsigned *left, uint32_t *bits,
			 struct error *err)
{
	struct type type = {.id = 0};
	int found = 1;

	if ((*left)-- == 0)
		return fail(err, "BTF: type %u is in too many others", id);
	while (found > 0 && type.id != id)
		found = next(btf, &type, err);
	if (found <= 0)
		return found;
	return type.kind == KIND_STRUCT || type.kind == KIND_UNION ? member_in(btf, &type, name, left, bits, err) : 0;
}

// Returns 1 when it is there.
static int member_in(const struct btf *btf, const struct type *type, const char *name, unsigned *left, uint32_t *bits,
		     struct error *err)
{
	for (uint32_t i = 0; i < type->count; i++) {
		const unsigned char *at = type->more + (size_t)i * MEMBER;
		uint32_t text = word(at), before = word(at + 8) & (type->bits ? 0xffffff : 0xffffffff);
		if (text >= btf->strings_length)
			return fail(err, "BTF: a member of type %u has no name", type->id);
		int found = strcmp(btf->strings + text, name) == 0;
		*bits = 0;
		if (!found && btf->strings[text] == '\0')
			found = member_inside(btf, word(at + 4), name, left, bits, err);
		*bits += before;
		if (found != 0)
			return found;
	}
	return 0;
}

int btf_member(const struct btf *btf, const char *owner, const char *member, uint16_t *offset, struct error *err)
{
	struct type type = {.id = 0};
	unsigned left = UNNAMED_MOST;
	uint32_t bits;
	int found;

	while ((found = next(btf, &type, err)) > 0) {
		if (type.kind != KIND_STRUCT || strcmp(type.name, owner) != 0)
			continue;
		found = member_in(btf, &type, member, &left, &bits, err);
		if (found < 0)
			return -1;
		if (found == 0 || bits % 8 != 0 || bits / 8 > INT16_MAX)
			break;
		*offset = (uint16_t)(bits / 8);
		return 0;
	}
	return found < 0 ? -1 : fail(err, "this kernel has no %s in its struct %s", member, owner);
}
