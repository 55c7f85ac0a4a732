// SPDX-License-Identifier: MIT
#include "console.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	// dup2 clears O_CLOEXEC; children set their own standard streams.
	for (int target = 0; target < 3; target++)
		if (fd != target)
			dup2(fd, target);
	if (fd > 2)
		close(fd);
}

uint64_t clock_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void console_line(const char *format, ...)
{
	char line[512];
	uint64_t now = clock_ms();
	va_list args;
	int head = snprintf(line, sizeof line, "pycontainer[%4" PRIu64 ".%03" PRIu64 "] ", now / 1000, now % 1000);

	va_start(args, format);
	int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
	va_end(args);
	if (body < 0)
		return;
	size_t length = (size_t)head + (size_t)body;
	if (length > sizeof line - 2)
		length = sizeof line - 2;
	// Parts of a text may come from files and containers: no escape sequence reaches a terminal.
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	for (size_t done = 0; done < length;) {
		ssize_t wrote = write(STDERR_FILENO, line + done, length - done);
		if (wrote <= 0)
			return;
		done += (size_t)wrote;
	}
}
