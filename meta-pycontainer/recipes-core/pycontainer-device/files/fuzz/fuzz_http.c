// SPDX-License-Identifier: MIT
// The first bytes of an answer, foreign ones; what is whole stays what it is when more follows.
#include "http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	int status = http_status(text, size);
	if (status < -1 || (status > 0 && (status < 100 || status > 599)) || (status == 0 && size >= STATUS_LINE_MOST))
		__builtin_trap();
	text[size] = 'x';
	if (status != 0 && http_status(text, size + 1) != status)
		__builtin_trap();
	free(text);
	return 0;
}
