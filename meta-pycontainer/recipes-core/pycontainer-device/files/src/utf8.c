// SPDX-License-Identifier: MIT
#include "utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// The length of the valid character that starts here, or 0. Overlong forms, surrogates, what lies beyond U+10FFFF and
// the zero byte are not valid.
static size_t character(const unsigned char *bytes, size_t length)
{
	unsigned char first = bytes[0];
	size_t wanted = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	if (wanted == 0 || wanted > length || first == 0)
		return 0;
	for (size_t i = 1; i < wanted; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ||
	    (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f))
		return 0;
	return wanted;
}

size_t utf8_clean(char *out, const char *bytes, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length;) {
		size_t size = character((const unsigned char *)bytes + i, length - i);
		memcpy(out + used, size == 0 ? "\xef\xbf\xbd" : bytes + i, size == 0 ? 3 : size);
		used += size == 0 ? 3 : size;
		i += size == 0 ? 1 : size;
	}
	return used;
}

size_t utf8_cut(const char *bytes, size_t length, size_t most)
{
	if (length <= most)
		return length;
	// At most three bytes of a character can lie before the cut; where none begins there, any place is as good.
	for (size_t back = 0; back < 4 && back < most; back++)
		if (((unsigned char)bytes[most - back] & 0xc0) != 0x80)
			return most - back;
	return most;
}

json_t *utf8_json(const char *bytes, size_t length)
{
	char *clean = malloc(length * 3 + 1);

	if (clean == NULL)
		return NULL;
	json_t *text = json_stringn(clean, utf8_clean(clean, bytes, length));
	free(clean);
	return text;
}
