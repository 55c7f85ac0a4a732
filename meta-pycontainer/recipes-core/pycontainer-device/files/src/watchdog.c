// SPDX-License-Identifier: MIT
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RUN_S 30
#define LEAVE_S 120	// containers have ended by then; what is left is to unmount storage
#define UNKNOWN_S 3	// a driver that does not tell: feed it every second

static const char *const devices[] = {"/dev/watchdog0", "/dev/watchdog", NULL};

static int real_control(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

// Ask for so many seconds, and for less when that is too much for the hardware; the driver says what it is.
static unsigned set_timeout(struct watchdog *watchdog, int wanted)
{
	int seconds;

	for (; wanted > 0; wanted /= 2) {
		seconds = wanted;
		if (watchdog->control(watchdog->fd, WDIOC_SETTIMEOUT, &seconds) == 0 && seconds > 0)
			return (unsigned)seconds;
	}
	if (watchdog->control(watchdog->fd, WDIOC_GETTIMEOUT, &seconds) == 0 && seconds > 0)
		return (unsigned)seconds;
	return UNKNOWN_S;
}

static int start(struct watchdog *watchdog, uint64_t now_ms)
{
	struct watchdog_info info = {0};

	if (watchdog->control(watchdog->fd, WDIOC_GETSUPPORT, &info) < 0)
		return -1;
	memcpy(watchdog->identity, info.identity, sizeof info.identity);
	watchdog->timeout_s = set_timeout(watchdog, RUN_S);
	watchdog->next_ms = now_ms;
	watchdog_feed(watchdog, now_ms);
	return 0;
}

int watchdog_open_at(struct watchdog *watchdog, const char *const paths[],
		     int (*control)(int fd, unsigned long request, void *argument), uint64_t now_ms, struct error *err)
{
	*watchdog = (struct watchdog){.fd = -1, .next_ms = UINT64_MAX, .control = control};
	for (size_t i = 0; paths[i] != NULL; i++) {
		int fd = open(paths[i], O_WRONLY | O_CLOEXEC);
		// No such device file, or no device behind it.
		if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
			continue;
		if (fd < 0)
			return fail_errno(err, "%s", paths[i]);
		watchdog->fd = fd;
		if (start(watchdog, now_ms) == 0)
			return 1;
		fail_errno(err, "%s", paths[i]);
		close(fd);
		watchdog->fd = -1;
		return -1;
	}
	return 0;
}

int watchdog_open(struct watchdog *watchdog, uint64_t now_ms, struct error *err)
{
	return watchdog_open_at(watchdog, devices, real_control, now_ms, err);
}

void watchdog_feed(struct watchdog *watchdog, uint64_t now_ms)
{
	if (watchdog->fd < 0 || now_ms < watchdog->next_ms)
		return;
	// A driver without this call is fed by any write but that of the letter that stops it.
	if (watchdog->control(watchdog->fd, WDIOC_KEEPALIVE, NULL) < 0 && write(watchdog->fd, "", 1) < 0) {
		// Nothing better can be done than to try again soon.
		watchdog->next_ms = now_ms + 1000;
		return;
	}
	// Three times in its time: one late turn of the loop is no failure.
	watchdog->next_ms = now_ms + watchdog->timeout_s * UINT64_C(1000) / 3;
}

unsigned watchdog_leave(struct watchdog *watchdog)
{
	if (watchdog->fd < 0)
		return 0;
	watchdog->timeout_s = set_timeout(watchdog, LEAVE_S);
	watchdog->next_ms = 0;
	watchdog_feed(watchdog, 0);
	return watchdog->timeout_s;
}
