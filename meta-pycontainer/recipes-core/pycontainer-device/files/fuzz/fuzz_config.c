// SPDX-License-Identifier: MIT
// A config of foreign bytes beside a good manifest.
#include "../tests/sample.h"
#include "revision.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct revision revision;
	struct error err;

	if (revision_parse_manifest(&revision, sample_manifest, sizeof sample_manifest - 1, &err) < 0)
		__builtin_trap();
	revision_parse_config(&revision, (const char *)data, size, &err);
	revision_free(&revision);
	return 0;
}
