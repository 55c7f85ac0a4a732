// SPDX-License-Identifier: MIT
// The partition table of an image that was written to a larger disk, made to fit that disk.
//
// Neither Linux (without "gpt" on its command line) nor GRUB looks at the backup table, so the primary one must be
// valid at every moment, not only one of the two. Its header and its entries are several sectors, and disks write one
// sector at a time. So the new entries are first written to a free place, and the header, one sector, is changed to
// point there; then the same entries are written to the usual place, and the header is changed to point back. Each
// header is written after what it points to is on the medium, and nothing is written to where the header on the medium
// points. The backup at the disk's new end is written before all this, while the old primary table is valid; the old
// backup, which lies in what becomes the partition, is left to be overwritten. A partition's start never changes, and
// its end lies, in every table, at the old place or at the new one.
#include "disk.h"

#include <string.h>

#define MIB_SECTORS 2048
#define USUAL 2		// first sector of the primary entries
#define AFTER_USUAL (USUAL + GPT_TABLE_SECTORS)

static int write_table(struct disk *disk, uint64_t at, const struct gpt *gpt, struct error *err)
{
	if (disk->write(disk, at, gpt->entries, GPT_TABLE_SECTORS) < 0)
		return fail_errno(err, "writing the partition table");
	return 0;
}

static int write_header(struct disk *disk, const struct gpt *gpt, struct error *err)
{
	unsigned char header[GPT_SECTOR];

	gpt_encode_header(header, gpt);
	if (disk->write(disk, gpt->own, header, 1) < 0)
		return fail_errno(err, "writing the partition table");
	return 0;
}

static int sync_disk(struct disk *disk, struct error *err)
{
	return disk->sync(disk) < 0 ? fail_errno(err, "writing the partition table") : 0;
}

// The protective MBR covers the whole disk; one that also tells of partitions is not ours to change.
static int write_mbr(struct disk *disk, struct error *err)
{
	static const unsigned char none[48];
	unsigned char mbr[GPT_SECTOR];
	uint64_t size = disk->sectors - 1 < UINT32_MAX ? disk->sectors - 1 : UINT32_MAX;

	if (disk->read(disk, 0, mbr, 1) < 0)
		return fail_errno(err, "reading the partition table");
	unsigned char *record = mbr + 446;
	if (mbr[510] != 0x55 || mbr[511] != 0xaa || record[4] != 0xee || record[8] != 1 || memcmp(record + 9, none, 3) != 0 ||
	    memcmp(record + 16, none, sizeof none) != 0)
		return 0;
	for (int i = 0; i < 4; i++)
		record[12 + i] = (unsigned char)(size >> 8 * i);
	return disk->write(disk, 0, mbr, 1) < 0 ? fail_errno(err, "writing the partition table") : 0;
}

// A place for the entries between the table and the first partition that holds nothing: some boards are started from
// there.
static int find_place(struct disk *disk, const struct gpt *gpt, uint64_t *place, struct error *err)
{
	static const unsigned char zeros[GPT_TABLE_SIZE];
	unsigned char found[GPT_TABLE_SIZE];
	uint64_t first, last, end = gpt->last_usable;

	for (unsigned i = 1; i <= GPT_ENTRIES; i++)
		if (gpt_span(gpt, i, &first, &last) == 0 && first < end)
			end = first;
	for (*place = AFTER_USUAL; *place + GPT_TABLE_SECTORS <= end; *place += GPT_TABLE_SECTORS) {
		if (disk->read(disk, *place, found, GPT_TABLE_SECTORS) < 0)
			return fail_errno(err, "reading the partition table");
		if (memcmp(found, zeros, sizeof zeros) == 0)
			return 0;
	}
	return fail(err, "no room before the first partition to change the partition table safely");
}

// Is a table elsewhere than usual what an interrupted change left? Then the usual place holds the same entries but for
// the end of the partition that grows. Otherwise somebody put it there for a reason.
static int check_place(struct disk *disk, const struct gpt *gpt, unsigned number, struct error *err)
{
	struct gpt there = *gpt;
	uint64_t first, last;

	if (disk->read(disk, USUAL, there.entries, GPT_TABLE_SECTORS) < 0)
		return fail_errno(err, "reading the partition table");
	if (gpt_span(gpt, number, &first, &last) == 0)
		gpt_set_last(&there, number, last);
	return memcmp(there.entries, gpt->entries, sizeof there.entries) == 0
		       ? 0 : fail(err, "the partition table does not lie where it usually does; it is left alone");
}

static int write_all(struct disk *disk, struct gpt *wanted, uint64_t live, struct error *err)
{
	static const unsigned char zeros[GPT_TABLE_SIZE];
	struct gpt backup = *wanted, moved = *wanted;
	uint64_t place = live;

	backup.own = wanted->other, backup.other = wanted->own, backup.table = wanted->other - GPT_TABLE_SECTORS;
	if (live == USUAL && find_place(disk, wanted, &place, err) < 0)
		return -1;
	if (write_mbr(disk, err) < 0 || write_table(disk, backup.table, &backup, err) < 0 ||
	    write_header(disk, &backup, err) < 0 || sync_disk(disk, err) < 0)
		return -1;
	moved.table = place;
	if (moved.first_usable < place + GPT_TABLE_SECTORS)
		moved.first_usable = place + GPT_TABLE_SECTORS;
	if (live == USUAL && (write_table(disk, place, &moved, err) < 0 || sync_disk(disk, err) < 0 ||
			      write_header(disk, &moved, err) < 0 || sync_disk(disk, err) < 0))
		return -1;
	if (write_table(disk, USUAL, wanted, err) < 0 || sync_disk(disk, err) < 0 || write_header(disk, wanted, err) < 0 ||
	    sync_disk(disk, err) < 0)
		return -1;
	if (disk->write(disk, place, zeros, GPT_TABLE_SECTORS) < 0)
		return fail_errno(err, "writing the partition table");
	return sync_disk(disk, err);
}

int disk_grow(struct disk *disk, unsigned number, uint64_t *size, struct error *err)
{
	struct gpt gpt, backup;
	uint64_t first, last, other_first, other_last;
	struct error none;

	if (disk_read_gpt(disk, &gpt, 1, err) < 0)
		return -1;
	if (gpt_span(&gpt, number, &first, &last) < 0)
		return fail(err, "the partition table has no partition %u", number);
	for (unsigned i = 1; i <= GPT_ENTRIES; i++)
		if (gpt_span(&gpt, i, &other_first, &other_last) == 0 && other_first > last)
			return 0;
	// The backup's header is the last sector, its entries lie before it; a parsed table is within a disk larger than that.
	uint64_t end = (disk->sectors - 1 - GPT_TABLE_SECTORS) / MIB_SECTORS * MIB_SECTORS;
	bool grows = end > last && end - 1 - last >= MIB_SECTORS;
	uint64_t live = gpt.table;
	if (!grows && live == USUAL)
		return 0;
	if (live != USUAL) {
		if (check_place(disk, &gpt, number, err) < 0)
			return -1;
		// The header that pointed here had its first usable sector moved; the backup has the true one.
		if (disk_read_gpt(disk, &backup, gpt.other, &none) == 0)
			gpt.first_usable = backup.first_usable;
	}
	gpt.table = USUAL;
	if (grows) {
		gpt.other = disk->sectors - 1;
		gpt.last_usable = disk->sectors - GPT_TABLE_SECTORS - 2;
		gpt_set_last(&gpt, number, last = end - 1);
	}
	if (write_all(disk, &gpt, live, err) < 0)
		return -1;
	*size = last - first + 1;
	return 1;
}
