// SPDX-License-Identifier: MIT
// Product facts of foreign bytes.
#include "facts.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct facts facts;
	struct error err;

	if (facts_parse(&facts, (const char *)data, size, &err) == 0 &&
	    (facts.threshold < 1 || facts.threshold > facts.key_count || facts.key_count > KEYS_MOST))
		__builtin_trap();
	return 0;
}
