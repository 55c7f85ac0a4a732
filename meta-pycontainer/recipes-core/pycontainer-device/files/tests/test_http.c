// SPDX-License-Identifier: MIT
#include "check.h"
#include "http.h"

int main(void)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"", 0}, {"H", 0}, {"HTTP/1.1 200 OK\r", 0}, {"HTTP/1.1 200", 0}, {"HTTP/1.1 200 OK\r\n", 200},
		{"HTTP/1.0 204\n", 204}, {"HTTP/1.1 404 Not\tFound\r\nX: y\r\n", 404}, {"HTTP/1.1 503 \r\n", 503},
		{"HTTP/1.1 100 Continue\r\n", 100}, {"HTTP/1.1 599 \xc3\xa9\r\n", 599}, {"HTTP/1.1 600 \r\n", -1},
		{"HTTP/1.1 099 \r\n", -1}, {"HTTP/2 200\r\n", -1}, {"HTTP/1.x", -1}, {"http/1.1", -1}, {" HTTP/1.1", -1},
		{"\r\n", -1}, {"HTTP/1.1  200 OK\r\n", -1}, {"HTTP/1.1 20\r\n", -1}, {"HTTP/1.1 2000\r\n", -1},
		{"HTTP/1.1 200OK\r\n", -1}, {"HTTP/1.1 200 O\rK\r\n", -1}, {"HTTP/1.1 200 O\x7fK\r\n", -1}, {"SSH-2.0", -1},
	};
	char much[STATUS_LINE_MOST + 2];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(http_status(cases[i].text, strlen(cases[i].text)) == cases[i].status);
	check(http_status("HTTP/1.1 200 a\0b\r\n", 18) == -1);
	memset(much, 'x', sizeof much);
	memcpy(much, "HTTP/1.1 200 ", 13);
	check(http_status(much, STATUS_LINE_MOST - 1) == 0 && http_status(much, STATUS_LINE_MOST) == -1);
	much[STATUS_LINE_MOST] = '\n';
	check(http_status(much, sizeof much) == -1);
	much[STATUS_LINE_MOST - 1] = '\n';
	check(http_status(much, sizeof much) == 200);
	return check_result("http");
}
