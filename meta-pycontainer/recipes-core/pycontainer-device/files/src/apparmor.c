// SPDX-License-Identifier: MIT
#include "apparmor.h"
#include "console.h"
#include "file.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define SECURITYFS "/sys/kernel/security"
#define FOLDER SECURITYFS "/apparmor"
#define PARAMETER "/sys/module/apparmor/parameters/enabled"

bool apparmor_enabled(void)
{
	struct error ignored;
	size_t length;
	char *text = file_read(AT_FDCWD, PARAMETER, 16, &length, &ignored);
	bool enabled = text != NULL && text[0] == 'Y';

	free(text);
	return enabled;
}

static int show_kernel(struct error *err)
{
	static bool mounted;

	if (!mounted && mount("securityfs", SECURITYFS, "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    errno != EBUSY)
		return fail_errno(err, SECURITYFS);
	mounted = true;
	return 0;
}

// The kernel wants all of it in one write.
static int tell(const char *path, const char *bytes, size_t length, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	ssize_t written = write(fd, bytes, length);
	int result = written == (ssize_t)length ? 0 : written < 0 ? fail_errno(err, "%s", path)
								   : fail(err, "%s: took only a part", path);
	close(fd);
	return result;
}

int apparmor_load(const struct layer *layer, int policy, struct error *err)
{
	size_t length;

	if (layer->policy == NULL || !apparmor_enabled())
		return 0;
	char *bytes = show_kernel(err) < 0 ? NULL : store_read(layer->policy, policy, &length, err);
	if (bytes == NULL)
		return fail_in(err, "policy");
	int result = tell(FOLDER "/.replace", bytes, length, err);
	free(bytes);
	return result < 0 ? fail_in(err, "policy") : 0;
}

void apparmor_unload(const struct layer *layer)
{
	struct error err;

	if (layer->policy != NULL && apparmor_enabled() &&
	    tell(FOLDER "/.remove", layer->apparmor, strlen(layer->apparmor), &err) < 0)
		console_line("policy of %s: %s", layer->name, err.text);
}
