// SPDX-License-Identifier: MIT
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <unistd.h>

static bool has_power_key(int fd)
{
	unsigned char keys[KEY_MAX / 8 + 1] = {0};

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof keys), keys) >= 0 && (keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1) != 0;
}

static bool is_open(const struct buttons *buttons, const char *name)
{
	for (int i = 0; i < buttons->count; i++)
		if (strcmp(buttons->names[i], name) == 0)
			return true;
	return false;
}

void power_scan(struct buttons *buttons, void (*added)(int fd, void *context), void *context)
{
	DIR *entries = opendir("/dev/input");
	const struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL && buttons->count < BUTTONS_MOST) {
		if (strncmp(entry->d_name, "event", 5) != 0 || strlen(entry->d_name) >= sizeof buttons->names[0] ||
		    is_open(buttons, entry->d_name))
			continue;
		int fd = openat(dirfd(entries), entry->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!has_power_key(fd)) {
			close(fd);
			continue;
		}
		strcpy(buttons->names[buttons->count], entry->d_name);
		buttons->fds[buttons->count++] = fd;
		added(fd, context);
	}
	if (entries != NULL)
		closedir(entries);
}

bool power_pressed(struct buttons *buttons, int fd)
{
	struct input_event event;
	bool pressed = false;
	ssize_t got;

	while ((got = read(fd, &event, sizeof event)) == (ssize_t)sizeof event)
		pressed |= event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		for (int i = 0; i < buttons->count; i++)
			if (buttons->fds[i] == fd) {
				buttons->count--;
				buttons->fds[i] = buttons->fds[buttons->count];
				memcpy(buttons->names[i], buttons->names[buttons->count], sizeof buttons->names[i]);
				break;
			}
		close(fd);
	}
	return pressed;
}

void power_end(enum end end)
{
	reboot(end == END_POWER_OFF ? RB_POWER_OFF : RB_AUTOBOOT);
}
