// SPDX-License-Identifier: MIT
#include "uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int uevent_open(struct error *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return fail_errno(err, "device events");
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		fail_errno(err, "device events");
		close(fd);
		return -1;
	}
	return fd;
}

// "add@/devices/...\0ACTION=add\0SUBSYSTEM=input\0MODALIAS=...\0": returns the value of a key or NULL.
static const char *value(const char *message, size_t length, const char *key)
{
	size_t size = strlen(key);

	for (size_t i = 0; i < length; i += strnlen(message + i, length - i) + 1)
		if (length - i > size && memcmp(message + i, key, size) == 0 && message[i + size] == '=')
			return message + i + size + 1;
	return NULL;
}

static bool is_one_of(const char *text, const char *one, const char *other)
{
	return text != NULL && (strcmp(text, one) == 0 || strcmp(text, other) == 0);
}

void uevent_note(struct uevents *events, const char *message, size_t length)
{
	const char *action = value(message, length, "ACTION");
	const char *subsystem = value(message, length, "SUBSYSTEM");
	bool added = action != NULL && strcmp(action, "add") == 0;

	// A virtio port has its name only some time after it was added.
	if (added || (action != NULL && strcmp(action, "change") == 0))
		events->port |= is_one_of(subsystem, "virtio-ports", "tty");
	if (!added)
		return;
	events->device |= value(message, length, "MODALIAS") != NULL;
	events->input |= is_one_of(subsystem, "input", "input");
	// Older drivers have /dev/watchdog only, which is a miscellaneous device.
	events->watchdog |= is_one_of(subsystem, "watchdog", "misc");
}

struct uevents uevent_drain(int fd)
{
	struct uevents events = {0};
	char message[8192];

	for (;;) {
		struct sockaddr_nl sender;
		socklen_t size = sizeof sender;
		ssize_t length = recvfrom(fd, message, sizeof message - 1, 0, (struct sockaddr *)&sender, &size);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno == ENOBUFS) {
			// Events were lost: look at everything.
			events = (struct uevents){true, true, true, true};
			continue;
		}
		if (length <= 0)
			return events;
		if (size != sizeof sender || sender.nl_pid != 0)
			continue;
		message[length] = '\0';
		uevent_note(&events, message, (size_t)length);
	}
}

void uevent_wait(int fd, int timeout_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (poll(&wait, 1, timeout_ms) > 0)
		uevent_drain(fd);
}
