// SPDX-License-Identifier: MIT
#include "http.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// HTTP/1.<digit> <three digits>, as RFC 9112 has it; '0' stands for a digit.
static bool begins_well(const char *text, size_t length)
{
	static const char form[] = "HTTP/1.0 000";

	for (size_t i = 0; i < length && i < sizeof form - 1; i++)
		if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i])
			return false;
	return true;
}

int http_status(const char *text, size_t length)
{
	enum { code_at = 9, code_end = 12 };

	if (!begins_well(text, length))
		return -1;
	const char *newline = memchr(text, '\n', length < STATUS_LINE_MOST ? length : STATUS_LINE_MOST);
	if (newline == NULL)
		return length < STATUS_LINE_MOST ? 0 : -1;
	size_t end = (size_t)(newline - text);
	if (end > 0 && text[end - 1] == '\r')
		end--;
	// The reason may be missing, and with it, from some servers, the blank before it.
	if (end < code_end || (end > code_end && text[code_end] != ' '))
		return -1;
	for (size_t i = code_end; i < end; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return -1;
	int status = (text[code_at] - '0') * 100 + (text[code_at + 1] - '0') * 10 + text[code_at + 2] - '0';
	return status >= 100 && status <= 599 ? status : -1;
}
