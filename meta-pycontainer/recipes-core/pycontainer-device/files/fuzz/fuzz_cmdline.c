// SPDX-License-Identifier: MIT
// A kernel command line and the start of a block device, both of foreign bytes.
#include "cmdline.h"
#include "storage.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct cmdline cmdline;
	struct error err;
	char uuid[37], *text = malloc(size + 1);

	storage_uuid(uuid, data, size);
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	cmdline_parse(&cmdline, text, &err);
	free(text);
	return 0;
}
