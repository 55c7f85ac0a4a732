// SPDX-License-Identifier: MIT
// The watchdog against drivers of several kinds; a temporary file stands for the device.
#include "check.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdbool.h>
#include <unistd.h>

// What the driver of this test can do.
static struct {
	int most, now;		// seconds: the largest that it takes, what it is set to
	bool settable, tells, fed_by_call;
	int feeds;
} driver;

static int control(int fd, unsigned long request, void *argument)
{
	struct watchdog_info info = {.identity = "a name of just thirty-two bytes."};

	check(fd >= 0);
	errno = EOPNOTSUPP;
	switch (request) {
	case WDIOC_GETSUPPORT:
		memcpy(argument, &info, sizeof info);
		return 0;
	case WDIOC_SETTIMEOUT:
		if (!driver.settable)
			return -1;
		errno = EINVAL;
		if (*(int *)argument > driver.most)
			return -1;
		driver.now = *(int *)argument;
		return 0;
	case WDIOC_GETTIMEOUT:
		*(int *)argument = driver.now;
		return driver.tells ? 0 : -1;
	case WDIOC_KEEPALIVE:
		driver.feeds++;
		return driver.fed_by_call ? 0 : -1;
	default:
		return -1;
	}
}

static int no_watchdog(int fd, unsigned long request, void *argument)
{
	(void)fd;
	(void)request;
	(void)argument;
	errno = ENOTTY;
	return -1;
}

int main(void)
{
	char path[] = "/tmp/pyc-watchdog-XXXXXX";
	const char *paths[] = {"/dev/no-such-watchdog", path, NULL}, *const none_there[] = {"/dev/no-such-watchdog", NULL};
	struct watchdog w;
	struct error none = {""};
	int file = mkstemp(path);

	check(file >= 0);
	check(watchdog_open_at(&w, none_there, control, 0, &none) == 0 && w.fd == -1 && w.next_ms == UINT64_MAX);
	watchdog_feed(&w, 5);
	check(watchdog_leave(&w) == 0 && driver.feeds == 0);
	check_error(watchdog_open_at(&w, paths, no_watchdog, 0, err), "Inappropriate ioctl");
	check(w.fd == -1);

	// All that one wishes for.
	driver.most = 1000, driver.settable = driver.tells = driver.fed_by_call = true;
	check(watchdog_open_at(&w, paths, control, 7000, &none) == 1 && w.timeout_s == 30 && driver.feeds == 1);
	check(strcmp(w.identity, "a name of just thirty-two bytes.") == 0 && w.next_ms == 17000);
	watchdog_feed(&w, 16999);
	check(driver.feeds == 1);
	watchdog_feed(&w, 17000);
	check(driver.feeds == 2 && w.next_ms == 27000);
	check(watchdog_leave(&w) == 120 && driver.feeds == 3 && driver.now == 120);
	close(w.fd);
	// It was not told to stop: nothing was written.
	check(lseek(file, 0, SEEK_END) == 0);

	// Hardware that cannot wait for long.
	driver.most = 16, driver.feeds = 0;
	check(watchdog_open_at(&w, paths, control, 0, &none) == 1 && w.timeout_s == 15 && w.next_ms == 5000);
	check(watchdog_leave(&w) == 15);
	close(w.fd);
	// A fixed time, then one that nobody knows; and fed by writing.
	driver.settable = driver.fed_by_call = false, driver.now = 60;
	check(watchdog_open_at(&w, paths, control, 0, &none) == 1 && w.timeout_s == 60 && w.next_ms == 20000);
	char byte;
	check(lseek(file, 0, SEEK_END) == 1 && pread(file, &byte, 1, 0) == 1 && byte != 'V');
	close(w.fd);
	driver.tells = false;
	check(watchdog_open_at(&w, paths, control, 0, &none) == 1 && w.timeout_s == 3 && w.next_ms == 1000);
	close(w.fd);
	close(file);
	unlink(path);
	return check_result("watchdog");
}
