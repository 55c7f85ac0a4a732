// SPDX-License-Identifier: MIT
#include "image.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

// Attach to a free loop device that frees itself after the unmount; returns it open, its path in `path`.
static int attach(int image, char *path, size_t size, struct error *err)
{
	struct loop_config config = {
		.fd = (unsigned)image, .block_size = 512, .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return fail_errno(err, "/dev/loop-control");
	for (int attempt = 0; attempt < 8; attempt++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0) {
			fail_errno(err, "no free loop device");
			break;
		}
		snprintf(path, size, "/dev/loop%d", number);
		int device = open(path, O_RDONLY | O_CLOEXEC);
		if (device < 0) {
			fail_errno(err, "%s", path);
			break;
		}
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
			close(control);
			return device;
		}
		fail_errno(err, "%s", path);
		int taken = errno == EBUSY;
		close(device);
		if (!taken)
			break;
	}
	close(control);
	return -1;
}

int image_mount(int image, const char *target, struct error *err)
{
	char path[32];

	if (folder_make(target, 0755, err) < 0)
		return -1;
	int device = attach(image, path, sizeof path, err);
	if (device < 0)
		return -1;
	int result = mount(path, target, "squashfs", MS_RDONLY | MS_NODEV, NULL);
	if (result < 0)
		fail_errno(err, "mounting %s on %s", path, target);
	close(device);
	return result;
}

// The folder inside a mounted image that holds `name`, whatever the image calls its root; -1 when there is none.
static int find_folder(char *out, size_t size, const char *mounted, const char *const candidates[], const char *name)
{
	struct stat status;
	char path[PATH_MAX];

	for (size_t i = 0; candidates[i] != NULL; i++) {
		snprintf(out, size, "%s%s", mounted, candidates[i]);
		snprintf(path, sizeof path, "%s/%s", out, name);
		if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
			return 0;
	}
	return -1;
}

static int cover(const char *source, const char *target, struct error *err)
{
	if (folder_make(target, 0755, err) < 0)
		return -1;
	return mount(source, target, NULL, MS_BIND, NULL) < 0 ? fail_errno(err, "mounting on %s", target) : 0;
}

int image_mount_modules(int image, struct error *err)
{
	static const char target[] = "/run/pycontainer/layers/modules";
	static const char *const places[] = {"/lib/modules", "/usr/lib/modules", "", NULL};
	char source[PATH_MAX];
	struct utsname system;

	if (uname(&system) < 0)
		return fail_errno(err, "uname");
	if (image_mount(image, target, err) < 0)
		return -1;
	if (find_folder(source, sizeof source, target, places, system.release) < 0)
		return fail(err, "the modules image has nothing for the running kernel %s", system.release);
	return cover(source, "/lib/modules", err);
}

int image_mount_firmware(int image, struct error *err)
{
	static const char target[] = "/run/pycontainer/layers/firmware";
	static const char *const places[] = {"/lib", "/usr/lib", NULL};
	char source[PATH_MAX];

	if (image_mount(image, target, err) < 0)
		return -1;
	if (find_folder(source, sizeof source, target, places, "firmware") == 0)
		strncat(source, "/firmware", sizeof source - strlen(source) - 1);
	else
		snprintf(source, sizeof source, "%s", target);
	return cover(source, "/lib/firmware", err);
}
