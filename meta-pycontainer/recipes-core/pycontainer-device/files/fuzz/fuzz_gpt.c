// SPDX-License-Identifier: MIT
// A partition table of foreign bytes, its checksums as they are or put right, and the growth of each of its partitions.
// After that the primary table must be readable, and nothing outside the disk be touched.
#include "disk.h"
#include "grow.h"

#include <string.h>

#define SECTORS 6144

static unsigned char bytes[SECTORS][GPT_SECTOR];

static int get(struct disk *disk, uint64_t sector, void *out, size_t count)
{
	if (sector >= disk->sectors || count > disk->sectors - sector)
		__builtin_trap();
	memcpy(out, bytes[sector], count * GPT_SECTOR);
	return 0;
}

static int put(struct disk *disk, uint64_t sector, const void *in, size_t count)
{
	if (sector >= disk->sectors || count > disk->sectors - sector)
		__builtin_trap();
	memcpy(bytes[sector], in, count * GPT_SECTOR);
	return 0;
}

static int sync_nothing(struct disk *disk)
{
	(void)disk;
	return 0;
}

static void put32(unsigned char *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(value >> 8 * i);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

// The first byte chooses; then a header and as much of the entries as there is.
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct gpt gpt;
	struct disk disk = {.read = get, .write = put, .sync = sync_nothing, .sectors = SECTORS};
	uint64_t first, last, old_first, old_last, grown, now;
	uint32_t block;
	struct error err;

	grow_blocks(data, size, 1ull << 40, &block, &now);
	if (size < 1 + GPT_SECTOR)
		return 0;
	unsigned number = 1 + (data[0] & 3u);
	bool right = (data[0] & 4) != 0;
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes[1], data + 1, GPT_SECTOR);
	size_t rest = size - 1 - GPT_SECTOR;
	memcpy(bytes[2], data + 1 + GPT_SECTOR, rest < GPT_TABLE_SIZE ? rest : GPT_TABLE_SIZE);
	if (right) {
		put32(bytes[1] + 12, 92);
		put32(bytes[1] + 88, gpt_crc32(bytes[2], GPT_TABLE_SIZE));
		put32(bytes[1] + 16, 0);
		put32(bytes[1] + 16, gpt_crc32(bytes[1], 92));
	}
	if (disk_read_gpt(&disk, &gpt, 1, &err) < 0 || gpt_span(&gpt, number, &old_first, &old_last) < 0)
		return 0;
	int result = disk_grow(&disk, number, &grown, &err);
	if (disk_read_gpt(&disk, &gpt, 1, &err) < 0 || gpt_span(&gpt, number, &first, &last) < 0 || first != old_first ||
	    last < old_last || (result <= 0 && last != old_last) || (result > 0 && grown != last - first + 1))
		__builtin_trap();
	gpt_find(&gpt, "01234567-89ab-8cde-8f01-23456789abcd");
	return 0;
}
