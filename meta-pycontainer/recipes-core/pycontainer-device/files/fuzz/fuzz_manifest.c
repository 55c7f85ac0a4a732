// SPDX-License-Identifier: MIT
// A manifest of foreign bytes.
#include "revision.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct revision revision;
	struct error err;

	revision_parse_manifest(&revision, (const char *)data, size, &err);
	revision_free(&revision);
	return 0;
}
