// SPDX-License-Identifier: MIT
// GUID partition tables (UEFI Specification 2.10, chapter 5.3): strict reading, and writing them back. Pure; sectors of
// 512 bytes and 128 entries of 128 bytes, as orchestrator/image/gpt.py and every usual tool make them.
#pragma once
#include "error.h"
#include <stddef.h>
#include <stdint.h>

#define GPT_SECTOR 512
#define GPT_ENTRIES 128
#define GPT_ENTRY_SIZE 128
#define GPT_TABLE_SIZE (GPT_ENTRIES * GPT_ENTRY_SIZE)
#define GPT_TABLE_SECTORS (GPT_TABLE_SIZE / GPT_SECTOR)
#define GPT_UUID_SIZE 37

struct gpt {
	uint64_t own, other;			// sectors of this header and of the other one
	uint64_t first_usable, last_usable;
	uint64_t table;				// first sector of the entries
	unsigned char disk[16];
	unsigned char entries[GPT_TABLE_SIZE];
};

uint32_t gpt_crc32(const void *bytes, size_t length);
// Read the header that was found in sector `own` of a disk of `sectors`; *crc gets what the entries must have.
int gpt_parse_header(struct gpt *out, const unsigned char header[GPT_SECTOR], uint64_t own, uint64_t sectors,
		     uint32_t *crc, struct error *err);
// Take in the entries that the header speaks of: each within the usable sectors, none over another.
int gpt_parse_entries(struct gpt *out, const unsigned char entries[GPT_TABLE_SIZE], uint32_t crc, struct error *err);
void gpt_encode_header(unsigned char out[GPT_SECTOR], const struct gpt *gpt);

// Entries are numbered from 1, as the kernel numbers partitions. First and last sector of one; -1: it is not used.
int gpt_span(const struct gpt *gpt, unsigned number, uint64_t *first, uint64_t *last);
void gpt_set_last(struct gpt *gpt, unsigned number, uint64_t last);
// The number of the partition with this unique id (lower-case text, as GRUB and the kernel write it); 0: none.
unsigned gpt_find(const struct gpt *gpt, const char *uuid);
