// SPDX-License-Identifier: MIT
// A note about a trial of foreign bytes.
#include "boot.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct record record = {.generation = 7, .left = 2};
	struct note note;
	struct boot boot;
	struct error err;

	if (note_parse(&note, (const char *)data, size, &err) < 0)
		return 0;
	if (!text_is_hex64(note.revision) || !text_is_hex64(note.from) || strlen(note.reason) >= sizeof note.reason)
		__builtin_trap();
	memset(record.rev, 'a', 64);
	strcpy(record.attempt, note.revision);
	boot_outcome(&boot, note.revision, &record, &note);
	boot_outcome(&boot, record.rev, &record, &note);
	return 0;
}
