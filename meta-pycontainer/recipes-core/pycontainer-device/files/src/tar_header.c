// SPDX-License-Identifier: MIT
#include "tar_header.h"

#include <string.h>

_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

int tar_number(uint64_t *out, const char *field, size_t length, struct error *err)
{
	uint64_t value = 0;
	size_t i = 0;

	if ((unsigned char)field[0] == 0x80) {
		for (i = 1; i < length; i++) {
			if (value >> 55 != 0)
				return fail(err, "number too large");
			value = value << 8 | (unsigned char)field[i];
		}
		*out = value;
		return 0;
	}
	while (i < length && field[i] == ' ')
		i++;
	size_t first = i;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	if (i == first)
		return fail(err, "not a number");
	for (; i < length; i++)
		if (field[i] != ' ' && field[i] != '\0')
			return fail(err, "not a number");
	*out = value;
	return 0;
}

int tar_check(const struct tar_header *header, struct error *err)
{
	const unsigned char *bytes = (const unsigned char *)header;
	uint64_t sum = 0, said;

	if (memcmp(header->magic, "ustar\00000", 8) != 0 && memcmp(header->magic, "ustar  \0", 8) != 0)
		return fail(err, "not a tar archive of today's format");
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool own = i >= offsetof(struct tar_header, checksum) &&
			   i < offsetof(struct tar_header, checksum) + sizeof header->checksum;
		sum += own ? ' ' : bytes[i];
	}
	if (tar_number(&said, header->checksum, sizeof header->checksum, err) < 0)
		return fail_in(err, "checksum");
	return sum == said ? 0 : fail(err, "the checksum of a header is wrong");
}

int tar_set_path(struct tar_extended *out, const char *text, size_t length, struct error *err)
{
	if (length == 0 || length >= sizeof out->path || memchr(text, '\0', length) != NULL)
		return fail(err, "a path is empty, too long or holds a zero");
	memcpy(out->path, text, length);
	out->path[length] = '\0';
	out->has_path = true;
	return 0;
}

static int set_size(struct tar_extended *out, const char *text, size_t length, struct error *err)
{
	out->size = 0;
	if (length == 0 || length > 18)
		return fail(err, "size: not a number");
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return fail(err, "size: not a number");
		out->size = out->size * 10 + (uint64_t)(text[i] - '0');
	}
	out->has_size = true;
	return 0;
}

// Records "<length> <key>=<value>\n", where the length is that of the whole record.
int tar_parse_extended(struct tar_extended *out, const char *text, size_t length, bool global, struct error *err)
{
	while (length > 0) {
		size_t total = 0, digits = 0;
		for (; digits < length && digits < 6 && text[digits] >= '0' && text[digits] <= '9'; digits++)
			total = total * 10 + (size_t)(text[digits] - '0');
		if (digits == 0 || total > length || total < digits + 4 || text[digits] != ' ' || text[total - 1] != '\n')
			return fail(err, "a record is not well formed");
		const char *key = text + digits + 1, *end = text + total - 1;
		const char *equals = memchr(key, '=', (size_t)(end - key));
		if (equals == NULL)
			return fail(err, "a record is not well formed");
		size_t key_length = (size_t)(equals - key), value_length = (size_t)(end - equals - 1);
		bool path = key_length == 4 && memcmp(key, "path", 4) == 0;
		bool size = key_length == 4 && memcmp(key, "size", 4) == 0;
		if (global && (path || size))
			return fail(err, "a path or size for all that follows");
		if ((path && tar_set_path(out, equals + 1, value_length, err) < 0) ||
		    (size && set_size(out, equals + 1, value_length, err) < 0))
			return -1;
		text += total;
		length -= total;
	}
	return 0;
}

void tar_own_path(struct tar_extended *out, const struct tar_header *header)
{
	size_t prefix = strnlen(header->prefix, sizeof header->prefix), name = strnlen(header->name, sizeof header->name);
	char *next = out->path;

	// GNU's format keeps other things in the place of the prefix.
	if (header->magic[5] == '\0' && prefix > 0) {
		memcpy(next, header->prefix, prefix);
		next[prefix] = '/';
		next += prefix + 1;
	}
	memcpy(next, header->name, name);
	next[name] = '\0';
}
