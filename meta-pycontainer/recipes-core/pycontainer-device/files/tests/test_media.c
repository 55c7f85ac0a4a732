// SPDX-License-Identifier: MIT
// What the start of a device says of the file system on it.
#include "check.h"
#include "media.h"

static unsigned char start[MEDIA_START];

static const char *with(size_t at, const char *text, char label[LABEL_SIZE])
{
	memcpy(start + at, text, strlen(text));
	return media_identify(start, sizeof start, label);
}

static void boot_sector(void)
{
	memset(start, 0, sizeof start);
	start[510] = 0x55;
	start[511] = 0xaa;
}

int main(void)
{
	char label[LABEL_SIZE];

	check(media_identify(start, sizeof start, label) == NULL);
	start[1080] = 0x53;
	start[1081] = 0xef;
	const char *type = with(1024 + 0x78, "updates", label);
	check(type != NULL && strcmp(type, "ext4") == 0 && strcmp(label, "updates") == 0);
	check(media_identify(start, sizeof start - 1, label) == NULL);
	type = with(1024 + 0x78, "0123456789abcdefX", label);
	check(type != NULL && strcmp(label, "0123456789abcdef") == 0);
	type = with(1024 + 0x78, "a\033]b\xff", label);
	check(type != NULL && strncmp(label, "a?]b?", 5) == 0);

	boot_sector();
	check(with(82, "FAT32   ", label) != NULL && label[0] == '\0');
	type = with(71, "STICK      ", label);
	check(type != NULL && strcmp(type, "vfat") == 0 && strcmp(label, "STICK") == 0);
	start[511] = 0;
	check(media_identify(start, sizeof start, label) == NULL);
	boot_sector();
	with(54, "FAT16   ", label);
	type = with(43, "OLD STICK  ", label);
	check(type != NULL && strcmp(type, "vfat") == 0 && strcmp(label, "OLD STICK") == 0);
	boot_sector();
	type = with(3, "EXFAT   ", label);
	check(type != NULL && strcmp(type, "exfat") == 0 && label[0] == '\0');
	memset(start, 0, sizeof start);
	with(32769, "CD001", label);
	type = with(32808, "RELEASE 7                       ", label);
	check(type != NULL && strcmp(type, "iso9660") == 0 && strcmp(label, "RELEASE 7") == 0);
	return check_result("media");
}
