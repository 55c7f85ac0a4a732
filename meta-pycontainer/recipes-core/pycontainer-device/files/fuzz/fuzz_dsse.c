// SPDX-License-Identifier: MIT
// A signature envelope of foreign bytes; none may be accepted.
#include "dsse.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	// A key id that occurs in the corpus with a public key that signed nothing.
	static struct facts facts = {.threshold = 1, .key_count = 1};
	struct statement statement;
	struct error err;

	strcpy(facts.keys[0].id, "34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e");
	if (dsse_verify(&statement, (const char *)data, size, &facts, &err) >= 0)
		__builtin_trap();
	return 0;
}
