// SPDX-License-Identifier: MIT
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

// How long a line waits for a terminal that takes nothing.
#define WAIT_MS 1000

void console_open(const char *path)
{
	struct termios mode;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	// Standard streams that are not open would be given to the next files that are.
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	// One XOFF, typed or noise on an open line, would hold back all lines from then on.
	if (tcgetattr(fd, &mode) == 0 && (mode.c_iflag & (IXON | IXOFF)) != 0) {
		mode.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
		tcsetattr(fd, TCSANOW, &mode);
	}
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

static void put(const char *text, size_t length)
{
	// Waited for in vain once, it is waited for no more until it takes something.
	static bool stuck;

	while (length > 0) {
		struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
		ssize_t wrote = write(STDERR_FILENO, text, length);
		if (wrote > 0) {
			stuck = false;
			text += wrote;
			length -= (size_t)wrote;
		} else if (wrote < 0 && errno == EAGAIN && !stuck) {
			stuck = poll(&room, 1, WAIT_MS) <= 0;
		} else if (wrote == 0 || errno != EINTR) {
			return;
		}
	}
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
	// Parts of a text may come from files and containers: no escape sequence reaches a terminal, not one of the 8-bit
	// controls either.
	for (size_t i = 0; i < length; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			line[i] = '?';
	line[length++] = '\n';
	put(line, length);
}
