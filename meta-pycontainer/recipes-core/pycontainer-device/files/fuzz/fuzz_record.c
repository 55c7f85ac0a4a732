// SPDX-License-Identifier: MIT
// A boot record of foreign bytes. What is read from it must read the same again once it is written.
#include "record.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	unsigned char block[RECORD_SIZE];
	struct record record, again;
	struct error err;

	if (record_decode(&record, data, size) && (record_encode(block, &record, &err) < 0 ||
						   !record_decode(&again, block, sizeof block) || !record_equal(&record, &again)))
		__builtin_trap();
	return 0;
}
