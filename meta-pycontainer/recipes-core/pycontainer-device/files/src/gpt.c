// SPDX-License-Identifier: MIT
#include "gpt.h"
#include "text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 92
#define REVISION 0x00010000

// Where the members of header and entry lie.
enum {
	AT_REVISION = 8, AT_SIZE = 12, AT_CRC = 16, AT_ZERO = 20, AT_OWN = 24, AT_OTHER = 32, AT_FIRST = 40, AT_LAST = 48,
	AT_DISK = 56, AT_TABLE = 72, AT_COUNT = 80, AT_ENTRY_SIZE = 84, AT_ENTRIES_CRC = 88,
	ENTRY_ID = 16, ENTRY_FIRST = 32, ENTRY_LAST = 40
};

static uint64_t get(const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static void put(unsigned char *bytes, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++, value >>= 8)
		bytes[i] = (unsigned char)value;
}

// A bit at a time: it is a few kilobytes, once.
uint32_t gpt_crc32(const void *bytes, size_t length)
{
	const unsigned char *next = bytes;
	uint32_t crc = ~0u;

	while (length-- > 0) {
		crc ^= *next++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint32_t header_crc(const unsigned char header[GPT_SECTOR], size_t size)
{
	unsigned char copy[GPT_SECTOR];

	memcpy(copy, header, size);
	put(copy + AT_CRC, 4, 0);
	return gpt_crc32(copy, size);
}

int gpt_parse_header(struct gpt *out, const unsigned char header[GPT_SECTOR], uint64_t own, uint64_t sectors,
		     uint32_t *crc, struct error *err)
{
	if (memcmp(header, "EFI PART", 8) != 0)
		return fail(err, "no GUID partition table in sector %" PRIu64, own);
	uint64_t size = get(header + AT_SIZE, 4);
	if (get(header + AT_REVISION, 4) != REVISION || size < HEADER_SIZE || size > GPT_SECTOR)
		return fail(err, "partition table of an unknown revision");
	if (header_crc(header, (size_t)size) != get(header + AT_CRC, 4))
		return fail(err, "the partition table's header is damaged");
	out->own = get(header + AT_OWN, 8);
	out->other = get(header + AT_OTHER, 8);
	out->first_usable = get(header + AT_FIRST, 8);
	out->last_usable = get(header + AT_LAST, 8);
	out->table = get(header + AT_TABLE, 8);
	memcpy(out->disk, header + AT_DISK, sizeof out->disk);
	*crc = (uint32_t)get(header + AT_ENTRIES_CRC, 4);
	if (get(header + AT_COUNT, 4) != GPT_ENTRIES || get(header + AT_ENTRY_SIZE, 4) != GPT_ENTRY_SIZE)
		return fail(err, "a partition table of other than %d entries of %d bytes", GPT_ENTRIES, GPT_ENTRY_SIZE);
	if (get(header + AT_ZERO, 4) != 0 || out->own != own || own >= sectors || out->other >= sectors || out->other == own ||
	    out->first_usable > out->last_usable || out->last_usable >= sectors)
		return fail(err, "the partition table does not fit its disk of %" PRIu64 " sectors", sectors);
	// The entries lie before all usable sectors or behind them, and not over their own header.
	if (sectors < GPT_TABLE_SECTORS || out->table < 2 || out->table > sectors - GPT_TABLE_SECTORS ||
	    (out->table <= out->last_usable && out->table + GPT_TABLE_SECTORS > out->first_usable) ||
	    (own >= out->table && own < out->table + GPT_TABLE_SECTORS))
		return fail(err, "the partition table's entries lie where they cannot");
	return 0;
}

int gpt_span(const struct gpt *gpt, unsigned number, uint64_t *first, uint64_t *last)
{
	static const unsigned char unused[16];

	if (number < 1 || number > GPT_ENTRIES)
		return -1;
	const unsigned char *entry = gpt->entries + (number - 1) * GPT_ENTRY_SIZE;
	if (memcmp(entry, unused, sizeof unused) == 0)
		return -1;
	*first = get(entry + ENTRY_FIRST, 8);
	*last = get(entry + ENTRY_LAST, 8);
	return 0;
}

int gpt_parse_entries(struct gpt *out, const unsigned char entries[GPT_TABLE_SIZE], uint32_t crc, struct error *err)
{
	uint64_t first, last, other_first, other_last;

	if (gpt_crc32(entries, GPT_TABLE_SIZE) != crc)
		return fail(err, "the partition table's entries are damaged");
	memcpy(out->entries, entries, GPT_TABLE_SIZE);
	for (unsigned i = 1; i <= GPT_ENTRIES; i++) {
		if (gpt_span(out, i, &first, &last) < 0)
			continue;
		if (first > last || first < out->first_usable || last > out->last_usable)
			return fail(err, "partition %u does not lie within the usable sectors", i);
		for (unsigned other = 1; other < i; other++)
			if (gpt_span(out, other, &other_first, &other_last) == 0 && first <= other_last && other_first <= last)
				return fail(err, "partitions %u and %u overlap", other, i);
	}
	return 0;
}

void gpt_encode_header(unsigned char out[GPT_SECTOR], const struct gpt *gpt)
{
	memset(out, 0, GPT_SECTOR);
	memcpy(out, "EFI PART", 8);
	put(out + AT_REVISION, 4, REVISION);
	put(out + AT_SIZE, 4, HEADER_SIZE);
	put(out + AT_OWN, 8, gpt->own);
	put(out + AT_OTHER, 8, gpt->other);
	put(out + AT_FIRST, 8, gpt->first_usable);
	put(out + AT_LAST, 8, gpt->last_usable);
	memcpy(out + AT_DISK, gpt->disk, sizeof gpt->disk);
	put(out + AT_TABLE, 8, gpt->table);
	put(out + AT_COUNT, 4, GPT_ENTRIES);
	put(out + AT_ENTRY_SIZE, 4, GPT_ENTRY_SIZE);
	put(out + AT_ENTRIES_CRC, 4, gpt_crc32(gpt->entries, GPT_TABLE_SIZE));
	put(out + AT_CRC, 4, header_crc(out, HEADER_SIZE));
}

void gpt_set_last(struct gpt *gpt, unsigned number, uint64_t last)
{
	put(gpt->entries + (number - 1) * GPT_ENTRY_SIZE + ENTRY_LAST, 8, last);
}

// The first three parts of a GUID are little-endian numbers, the other two plain bytes.
static void uuid_text(char out[GPT_UUID_SIZE], const unsigned char id[16])
{
	char rest[17];

	text_to_hex(rest, id + 8, 8);
	snprintf(out, GPT_UUID_SIZE, "%08x-%04x-%04x-%.4s-%.12s", (unsigned)get(id, 4), (unsigned)get(id + 4, 2),
		 (unsigned)get(id + 6, 2), rest, rest + 4);
}

unsigned gpt_find(const struct gpt *gpt, const char *uuid)
{
	uint64_t first, last;
	char text[GPT_UUID_SIZE];

	for (unsigned i = 1; i <= GPT_ENTRIES; i++) {
		if (gpt_span(gpt, i, &first, &last) < 0)
			continue;
		uuid_text(text, gpt->entries + (i - 1) * GPT_ENTRY_SIZE + ENTRY_ID);
		if (strcmp(text, uuid) == 0)
			return i;
	}
	return 0;
}
