// SPDX-License-Identifier: MIT
#include "text.h"

#include <string.h>

bool text_is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool text_is_hex64(const char *text)
{
	for (int i = 0; i < 64; i++)
		if (!text_is_hex_digit(text[i]))
			return false;
	return text[64] == '\0';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool text_is_name(const char *text)
{
	if (!is_name_start(text[0]))
		return false;
	size_t i = 1;
	for (; text[i] != '\0'; i++)
		if (i >= NAME_SIZE - 1 || !(is_name_start(text[i]) || text[i] == '.' || text[i] == '_' || text[i] == '-'))
			return false;
	return true;
}

int text_digest(char out[HEX_SIZE], const char *text, struct error *err)
{
	if (strncmp(text, "sha256:", 7) != 0 || !text_is_hex64(text + 7))
		return fail(err, "not a digest of the form sha256:<64 hex digits>: %.80s", text);
	memcpy(out, text + 7, HEX_SIZE);
	return 0;
}

void text_to_hex(char *out, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * length] = '\0';
}

int text_copy(char *out, size_t size, const char *text, struct error *err)
{
	size_t length = strlen(text);

	if (length == 0 || length >= size)
		return fail(err, "text of %zu bytes where 1 to %zu are allowed", length, size - 1);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return fail(err, "control character in a text");
	memcpy(out, text, length + 1);
	return 0;
}
