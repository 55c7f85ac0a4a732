// SPDX-License-Identifier: MIT
// Partition tables: the form, what is refused, and the growth of a disk's last partition with the power failing at
// every sector that is written.
#include "check.h"
#include "disk.h"
#include "grow.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB 2048	// sectors
#define MOST (24 * MIB)
#define ESP "0a0b0c0d-1112-1314-8899-aabbccddeeff"
#define SFDISK "/usr/sbin/sfdisk"

// A disk in memory. What was written since the last sync may or may not be on the medium. The sectors that differ from
// zero are listed, so that starting anew costs only them.
static struct memory {
	struct disk disk;
	unsigned char now[MOST][GPT_SECTOR], medium[MOST][GPT_SECTOR];
	uint64_t dirty[512], touched[2048];
	size_t dirty_count, touched_count;
	unsigned steps, fail_at;	// sectors written and syncs; the power fails instead of this one
} memory;

static bool step(void)
{
	errno = EIO;
	if (memory.fail_at > 0 && memory.steps + 1 >= memory.fail_at)
		return false;
	memory.steps++;
	return true;
}

static void put_sector(uint64_t sector, const void *bytes)
{
	memcpy(memory.now[sector], bytes, GPT_SECTOR);
	check(memory.touched_count < 2048);
	memory.touched[memory.touched_count++] = sector;
}

static int memory_read(struct disk *disk, uint64_t sector, void *bytes, size_t count)
{
	check(sector + count <= disk->sectors);
	memcpy(bytes, memory.now[sector], count * GPT_SECTOR);
	return 0;
}

static int memory_write(struct disk *disk, uint64_t sector, const void *bytes, size_t count)
{
	check(sector + count <= disk->sectors);
	for (size_t i = 0; i < count; i++, sector++) {
		if (!step())
			return -1;
		put_sector(sector, (const char *)bytes + i * GPT_SECTOR);
		check(memory.dirty_count < 512);
		memory.dirty[memory.dirty_count++] = sector;
	}
	return 0;
}

static void settle(uint64_t sector)
{
	memcpy(memory.medium[sector], memory.now[sector], GPT_SECTOR);
}

static int memory_sync(struct disk *disk)
{
	(void)disk;
	if (!step())
		return -1;
	for (size_t i = 0; i < memory.dirty_count; i++)
		settle(memory.dirty[i]);
	memory.dirty_count = 0;
	return 0;
}

static void power_returns(void)
{
	for (size_t i = 0; i < memory.touched_count; i++)
		memcpy(memory.now[memory.touched[i]], memory.medium[memory.touched[i]], GPT_SECTOR);
	memory.dirty_count = memory.fail_at = memory.steps = 0;
}

static void reset(uint64_t sectors)
{
	for (size_t i = 0; i < memory.touched_count; i++) {
		memset(memory.now[memory.touched[i]], 0, GPT_SECTOR);
		memset(memory.medium[memory.touched[i]], 0, GPT_SECTOR);
	}
	memory.dirty_count = memory.touched_count = memory.fail_at = memory.steps = 0;
	memory.disk = (struct disk){.read = memory_read, .write = memory_write, .sync = memory_sync, .sectors = sectors};
}

static void put64(unsigned char *bytes, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
}

// An image as the build side lays it out: the table and its backup at the image's end, ESP, storage, 1 MiB behind it.
static void image(uint64_t image_sectors, uint64_t disk_sectors)
{
	struct gpt gpt = {.own = 1, .other = image_sectors - 1, .first_usable = 34, .last_usable = image_sectors - 34,
			  .table = 2};
	unsigned char mbr[GPT_SECTOR] = {0};

	reset(disk_sectors);
	memcpy(gpt.disk, "a disk's own id", 16);
	for (unsigned i = 0; i < 2; i++) {
		unsigned char *entry = gpt.entries + i * GPT_ENTRY_SIZE;
		memcpy(entry, "type of such one", 16);
		memcpy(entry + 16, "\x0d\x0c\x0b\x0a\x12\x11\x14\x13\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
		entry[16] = (unsigned char)(entry[16] + i);
		put64(entry + 32, i == 0 ? MIB : 3 * MIB);
		put64(entry + 40, i == 0 ? 3 * MIB - 1 : image_sectors - MIB - 1);
	}
	mbr[446 + 4] = 0xee, mbr[446 + 8] = 1, mbr[510] = 0x55, mbr[511] = 0xaa;
	put64(mbr + 446 + 12, image_sectors - 1);
	memcpy(mbr, "boot code", 9);
	unsigned char header[GPT_SECTOR];
	put_sector(0, mbr);
	gpt_encode_header(header, &gpt);
	put_sector(1, header);
	gpt.own = image_sectors - 1, gpt.other = 1, gpt.table = image_sectors - 33;
	gpt_encode_header(header, &gpt);
	put_sector(gpt.own, header);
	for (size_t i = 0; i < GPT_TABLE_SECTORS; i++) {
		put_sector(2 + i, gpt.entries + i * GPT_SECTOR);
		put_sector(gpt.table + i, gpt.entries + i * GPT_SECTOR);
	}
	for (size_t i = 0; i < memory.touched_count; i++)
		settle(memory.touched[i]);
}

static void test_form(void)
{
	static struct gpt gpt;
	uint64_t first, last;
	struct error none = {""};

	check(gpt_crc32("123456789", 9) == 0xcbf43926);
	image(8 * MIB, 8 * MIB);
	check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0);
	check(gpt_span(&gpt, 1, &first, &last) == 0 && first == MIB && last == 3 * MIB - 1);
	check(gpt_span(&gpt, 2, &first, &last) == 0 && first == 3 * MIB && last == 7 * MIB - 1);
	check(gpt_span(&gpt, 3, &first, &last) < 0 && gpt_span(&gpt, 0, &first, &last) < 0);
	check(gpt_span(&gpt, 129, &first, &last) < 0);
	check(gpt_find(&gpt, ESP) == 1 && gpt_find(&gpt, "00000000-0000-0000-0000-000000000000") == 0);
	check(disk_read_gpt(&memory.disk, &gpt, 8 * MIB - 1, &none) == 0 && gpt.other == 1);
	check_error(disk_read_gpt(&memory.disk, &gpt, 2, err), "no GUID partition table");
	check_error(disk_read_gpt(&memory.disk, &gpt, 8 * MIB, err), "16384 sectors");
	// The same bytes on a disk that is too small for what they say.
	memory.disk.sectors = 8 * MIB - 1;
	check_error(disk_read_gpt(&memory.disk, &gpt, 1, err), "does not fit its disk");

	// No changed bit of header or entries goes unnoticed.
	size_t accepted = 0;
	memory.disk.sectors = 8 * MIB;
	for (size_t bit = 0; bit < 8 * 92; bit++) {
		memory.now[1][bit / 8] ^= (unsigned char)(1 << bit % 8);
		accepted += disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0;
		memory.now[1][bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (size_t byte = 0; byte < GPT_TABLE_SIZE; byte += 61) {
		memory.now[2 + byte / GPT_SECTOR][byte % GPT_SECTOR] ^= 4;
		accepted += disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0;
		memory.now[2 + byte / GPT_SECTOR][byte % GPT_SECTOR] ^= 4;
	}
	check(accepted == 0 && disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0);
}

// Tables whose checksums are right and whose content is not.
static void test_content(void)
{
	static struct gpt good, gpt, back;
	unsigned char header[GPT_SECTOR];
	uint32_t crc;
	struct error none;

	image(8 * MIB, 8 * MIB);
	check(disk_read_gpt(&memory.disk, &good, 1, &none) == 0);
#define REFUSED(change, why)                                                                                           \
	do {                                                                                                           \
		gpt = good;                                                                                            \
		change;                                                                                                \
		gpt_encode_header(header, &gpt);                                                                       \
		check_error(gpt_parse_header(&back, header, 1, 8 * MIB, &crc, err) < 0                                 \
				    ? -1 : gpt_parse_entries(&back, gpt.entries, crc, err), why);                      \
	} while (0)
	REFUSED(gpt.own = 2, "does not fit");
	REFUSED(gpt.other = 1, "does not fit");
	REFUSED(gpt.other = 8 * MIB, "does not fit");
	REFUSED(gpt.first_usable = gpt.last_usable + 1, "does not fit");
	REFUSED(gpt.last_usable = 8 * MIB, "does not fit");
	REFUSED(gpt.table = 1, "where they cannot");
	REFUSED(gpt.table = 3, "where they cannot");
	REFUSED(gpt.table = UINT64_MAX, "where they cannot");
	REFUSED(gpt.table = 8 * MIB - 31, "where they cannot");
	REFUSED(gpt.first_usable = 4 * MIB, "partition 1 does not lie");
	REFUSED(gpt.last_usable = 7 * MIB - 2, "partition 2 does not lie");
	REFUSED(gpt_set_last(&gpt, 1, MIB - 1), "partition 1 does not lie");
	REFUSED(gpt_set_last(&gpt, 1, 3 * MIB), "partitions 1 and 2 overlap");
	check(gpt_parse_header(&back, header, 1, 16, &crc, &none) < 0);
	gpt_encode_header(header, &good);
	check(gpt_parse_header(&back, header, 1, 8 * MIB, &crc, &none) == 0);
	check(gpt_parse_entries(&back, good.entries, crc, &none) == 0);
}

static void test_nothing_to_do(void)
{
	unsigned char other[GPT_SECTOR];
	uint64_t size = 0;
	struct error none = {""};

	memset(other, 0xff, sizeof other);
	// The image's own size, and so little more that the backup keeps the MiB behind the partition from being whole.
	for (uint64_t more = 0; more < 33; more += 32) {
		image(8 * MIB, 8 * MIB + more);
		check(disk_grow(&memory.disk, 2, &size, &none) == 0 && memory.steps == 0);
	}
	// Not the last one.
	image(8 * MIB, 16 * MIB);
	check(disk_grow(&memory.disk, 1, &size, &none) == 0 && memory.steps == 0);
	check_error(disk_grow(&memory.disk, 3, &size, err), "no partition 3");
	// A table that is damaged, or lies elsewhere, is not touched.
	memory.now[3][0] = 1;
	check_error(disk_grow(&memory.disk, 2, &size, err), "entries are damaged");
	static struct gpt gpt;
	image(8 * MIB, 16 * MIB);
	check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0);
	gpt.table = 100, gpt.first_usable = 132;
	gpt_encode_header(memory.now[1], &gpt);
	for (size_t i = 0; i < GPT_TABLE_SECTORS; i++)
		put_sector(100 + i, gpt.entries + i * GPT_SECTOR);
	memory.now[20][0] = 1;
	check_error(disk_grow(&memory.disk, 2, &size, err), "does not lie where it usually does");
	// All room before the first partition is taken.
	image(8 * MIB, 16 * MIB);
	for (size_t sector = 34; sector < MIB; sector += 32)
		put_sector(sector, other);
	check_error(disk_grow(&memory.disk, 2, &size, err), "no room before the first partition");
	check(memory.steps == 0);
}

// The primary table alone: what GRUB and Linux read. Both spans, and that a file system at the old size still fits.
static void check_readable(uint64_t old_last, uint64_t new_last)
{
	static struct gpt gpt;
	uint64_t first = 0, last = 0;
	struct error none;

	check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0);
	check(gpt_span(&gpt, 1, &first, &last) == 0 && first == MIB && last == 3 * MIB - 1);
	check(gpt_span(&gpt, 2, &first, &last) == 0 && first == 3 * MIB && (last == old_last || last == new_last));
}

static unsigned char grown[MOST][GPT_SECTOR];

static void grow_whole(uint64_t image_sectors, uint64_t disk_sectors, uint64_t new_last)
{
	static struct gpt gpt;
	uint64_t size = 0, first, last;
	struct error none = {""};

	image(image_sectors, disk_sectors);
	check(disk_grow(&memory.disk, 2, &size, &none) == 1 && size == new_last - 3 * MIB + 1);
	check(memory.dirty_count == 0);
	check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0 && gpt.other == disk_sectors - 1 && gpt.table == 2);
	check(gpt.first_usable == 34 && gpt.last_usable == disk_sectors - 34);
	check(gpt_span(&gpt, 2, &first, &last) == 0 && last == new_last);
	check(disk_read_gpt(&memory.disk, &gpt, disk_sectors - 1, &none) == 0);
	check(gpt.other == 1 && gpt.table == disk_sectors - 33);
	check(gpt_span(&gpt, 2, &first, &last) == 0 && first == 3 * MIB && last == new_last && gpt.first_usable == 34);
	check(memcmp(memory.now[0], "boot code", 9) == 0 && memory.now[0][446 + 12] == ((disk_sectors - 1) & 0xff));
	memcpy(grown, memory.now, sizeof grown);
	// Done once, there is nothing to do.
	memory.steps = 0;
	check(disk_grow(&memory.disk, 2, &size, &none) == 0 && memory.steps == 0);
}

// Cut at every sector, then at every sector with each of many choices of what of the unsynced is on the medium.
static void test_power(uint64_t image_sectors, uint64_t disk_sectors)
{
	uint64_t old_last = image_sectors - MIB - 1, new_last = (disk_sectors - 33) / MIB * MIB - 1, size;
	struct error none;
	unsigned total = 0;
	uint32_t random = 1;

	grow_whole(image_sectors, disk_sectors, new_last);
	for (unsigned cut = 1; total == 0; cut++) {
		for (unsigned choice = 0; choice < 6 && total == 0; choice++) {
			image(image_sectors, disk_sectors);
			memory.fail_at = cut;
			if (disk_grow(&memory.disk, 2, &size, &none) == 1) {
				total = memory.steps;
				break;
			}
			for (size_t i = 0; i < memory.dirty_count; i++) {
				random = random * 1664525 + 1013904223;
				// All, none, or each by chance.
				if (choice == 0 || (choice > 1 && random >> 31 != 0))
					settle(memory.dirty[i]);
			}
			power_returns();
			check_readable(old_last, new_last);
			// The next boot brings it to the very same end.
			int again = disk_grow(&memory.disk, 2, &size, &none);
			check(again == 1 || (again == 0 && memory.steps == 0));
			check_readable(new_last, new_last);
			check(memcmp(memory.now, grown, 34 * GPT_SECTOR) == 0);
			check(memcmp(memory.now[disk_sectors - 33], grown[disk_sectors - 33], 33 * GPT_SECTOR) == 0);
		}
	}
	check(total == 4 * GPT_TABLE_SECTORS + 4 + 6);
}

// An interrupted growth, and then the disk itself grew: each moment of the second growth may be interrupted too.
static void test_power_twice(void)
{
	uint64_t size;
	struct error none;

	for (unsigned first = 60; first <= 138; first += 6)
		for (unsigned second = 1; second < 170; second += 2) {
			image(8 * MIB, 12 * MIB);
			memory.fail_at = first;
			check(disk_grow(&memory.disk, 2, &size, &none) < 0);
			memory.fail_at = 0;
			memory_sync(&memory.disk);
			power_returns();
			memory.disk.sectors = 20 * MIB;
			memory.fail_at = second;
			int result = disk_grow(&memory.disk, 2, &size, &none);
			memory.fail_at = 0;
			memory_sync(&memory.disk);
			power_returns();
			static struct gpt gpt;
			uint64_t start, last;
			check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0 && gpt_span(&gpt, 2, &start, &last) == 0);
			check(start == 3 * MIB && (last == 7 * MIB - 1 || last == 11 * MIB - 1 || last == 19 * MIB - 1));
			check(result < 0 || last == 19 * MIB - 1);
		}
}

// What the build side writes (tests/data/gpt), read here.
static void test_vector(void)
{
	static struct gpt gpt;
	json_t *vector = json_load_file(VECTORS "/gpt/image.json", 0, NULL);
	const json_t *each;
	struct error none = {""};
	uint64_t first, last, size;
	size_t i, length;

	check(json_is_object(vector));
	uint64_t sectors = (uint64_t)json_integer_value(json_object_get(vector, "sectors"));
	check(sectors > 0 && sectors <= 16 * MIB);
	reset(20 * MIB);
	json_array_foreach(json_object_get(vector, "written"), i, each) {
		uint64_t sector = (uint64_t)json_integer_value(json_object_get(each, "sector"));
		const char *b64 = json_string_value(json_object_get(each, "bytes"));
		check(sector < sectors && b64 != NULL);
		unsigned char bytes[GPT_SECTOR];
		check(sodium_base642bin(bytes, sizeof bytes, b64, strlen(b64), NULL, &length, NULL,
					sodium_base64_VARIANT_ORIGINAL) == 0 && length == GPT_SECTOR);
		put_sector(sector, bytes);
	}
	memory.disk.sectors = sectors;
	check(disk_read_gpt(&memory.disk, &gpt, 1, &none) == 0 && disk_grow(&memory.disk, 2, &size, &none) == 0);
	json_array_foreach(json_object_get(vector, "partitions"), i, each) {
		const char *uuid = json_string_value(json_object_get(each, "uuid"));
		unsigned number = gpt_find(&gpt, uuid);
		check(number == i + 1 && gpt_span(&gpt, number, &first, &last) == 0);
		check((json_int_t)first == json_integer_value(json_object_get(each, "first")));
		check((json_int_t)last == json_integer_value(json_object_get(each, "last")));
	}
	check(i == 2 && disk_read_gpt(&memory.disk, &gpt, sectors - 1, &none) == 0);
	memory.disk.sectors = 20 * MIB;
	check(disk_grow(&memory.disk, 2, &size, &none) == 1 && size == 19 * MIB - first);
	json_decref(vector);
}

// Run sfdisk over a file; its standard input is another one. What it says, or NULL when it fails.
static const char *sfdisk(const char *argument, const char *path, const char *input)
{
	static char said[4096];
	int status, pipes[2];

	check(pipe(pipes) == 0);
	pid_t child = fork();
	if (child == 0) {
		int in = open(input, O_RDONLY);
		if (in < 0 || dup2(in, 0) < 0 || dup2(pipes[1], 1) < 0 || dup2(pipes[1], 2) < 0)
			_exit(99);
		setenv("LC_ALL", "C", 1);
		execl(SFDISK, "sfdisk", argument, path, (char *)NULL);
		_exit(99);
	}
	close(pipes[1]);
	size_t used = 0;
	ssize_t got;
	while (used < sizeof said - 1 && (got = read(pipes[0], said + used, sizeof said - 1 - used)) > 0)
		used += (size_t)got;
	said[used] = '\0';
	close(pipes[0]);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? said : NULL;
}

static bool is_fault(const char *said)
{
	return said == NULL || strstr(said, "No errors detected") == NULL || strstr(said, "backup GPT") != NULL ||
	       strstr(said, "mismatch") != NULL;
}

static void write_to(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

// A table that sfdisk made, grown by us in a file, and sfdisk's judgement of it.
static void test_sfdisk(void)
{
	static const char layout[] = "label: gpt\nstart=2048, size=4096, uuid=0A0B0C0D-1112-1314-8899-AABBCCDDEEFF\n"
				     "start=6144, size=8192\n";
	char path[] = "/tmp/pyc-gpt-XXXXXX", script[64];
	static struct gpt gpt;
	struct disk disk;
	uint64_t size = 0;
	struct error none = {""};

	if (access(SFDISK, X_OK) < 0) {
		printf("gpt: no sfdisk here to judge\n");
		return;
	}
	int fd = mkstemp(path);
	check(fd >= 0 && ftruncate(fd, 8 << 20) == 0);
	close(fd);
	snprintf(script, sizeof script, "%s.txt", path);
	write_to(script, layout, sizeof layout - 1);
	check(sfdisk("--quiet", path, script) != NULL);
	check(truncate(path, 20 << 20) == 0 && disk_open(&disk, path, true, &none) == 0 && disk.sectors == 20 * MIB);
	check(disk_read_gpt(&disk, &gpt, 1, &none) == 0 && gpt_find(&gpt, ESP) == 1);
	uint64_t first_usable = gpt.first_usable;
	check(disk_grow(&disk, 2, &size, &none) == 1 && size == 16 * MIB);
	check(disk_read_gpt(&disk, &gpt, 1, &none) == 0 && gpt.first_usable == first_usable);
	check(disk_read_gpt(&disk, &gpt, 20 * MIB - 1, &none) == 0 && gpt_find(&gpt, ESP) == 1);
	disk_close(&disk);
	check(!is_fault(sfdisk("--verify", path, "/dev/null")));
	// Its judgement means something: it sees a table whose backup is not at the end.
	check(truncate(path, 30 << 20) == 0 && is_fault(sfdisk("--verify", path, "/dev/null")));
	unlink(script);
	unlink(path);
	check_error(disk_open(&disk, path, false, err), "No such file");
}

static void test_file_system(void)
{
	unsigned char start[2048] = {0}, *super = start + 1024;
	uint64_t now;
	uint32_t block;

	check(grow_blocks(start, sizeof start, 1 << 30, &block, &now) == 0 && now == 0);
	super[0x38] = 0x53, super[0x39] = 0xef, super[0x18] = 2;
	super[0x4 + 2] = 1;	// 65536 blocks of 4096 bytes: 256 MiB
	check(grow_blocks(start, sizeof start, 256u << 20, &block, &now) == 0 && block == 4096 && now == 65536);
	check(grow_blocks(start, sizeof start, (272u << 20) - 1, &block, &now) == 0);
	check(grow_blocks(start, sizeof start, (272u << 20) + 4095, &block, &now) == 69632);
	check(grow_blocks(start, sizeof start - 1, 1 << 30, &block, &now) == 0);
	check(grow_blocks(start, sizeof start, 100, &block, &now) == 0);
	// The high half counts with the feature 64bit only.
	super[0x150] = 1;
	check(grow_blocks(start, sizeof start, 1 << 30, &block, &now) == 262144 && now == 65536);
	super[0x60] = 0x80;
	check(grow_blocks(start, sizeof start, 1 << 30, &block, &now) == 0 && now == (1ull << 32) + 65536);
	check(grow_blocks(start, sizeof start, 1ull << 50, &block, &now) == 1ull << 38);
	super[0x18] = 7;
	check(grow_blocks(start, sizeof start, 1ull << 50, &block, &now) == 0);
}

static void test_names(void)
{
	char disk[64];
	unsigned number;
	struct error none;
	struct grown out;

	check(disk_of_partition(disk, &number, "no-such-device", &none) == 0);
	check_error(grow_storage("/dev/no-such-device", "/", &out, err), "/dev/no-such-device: No such file");
}

int main(void)
{
	check(sodium_init() >= 0);
	test_form();
	test_content();
	test_nothing_to_do();
	test_power(8 * MIB, 16 * MIB + 77);
	test_power(8 * MIB, 9 * MIB);
	test_power(8 * MIB, 24 * MIB);
	test_power_twice();
	test_vector();
	test_sfdisk();
	test_file_system();
	test_names();
	return check_result("gpt");
}
