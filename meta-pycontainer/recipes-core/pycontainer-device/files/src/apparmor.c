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
// Those of a revision that runs, and of the next one.
#define POLICIES_MOST (2 * LAYERS_MOST)

static struct {
	char name[PROFILE_SIZE];
	unsigned users;
} policies[POLICIES_MOST];

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

static int find(const char *name)
{
	for (int i = 0; i < POLICIES_MOST; i++)
		if (policies[i].users > 0 && strcmp(policies[i].name, name) == 0)
			return i;
	return -1;
}

static int find_free(void)
{
	int place = 0;

	while (place < POLICIES_MOST && policies[place].users > 0)
		place++;
	return place < POLICIES_MOST ? place : -1;
}

int apparmor_load(const struct layer *layer, int policy, struct error *err)
{
	size_t length;

	if (layer->policy == NULL || !apparmor_enabled())
		return 0;
	int place = find(layer->apparmor);
	if (place >= 0) {
		policies[place].users++;
		return 0;
	}
	if ((place = find_free()) < 0)
		return fail(err, "policy: more than %d of them", POLICIES_MOST);
	char *bytes = show_kernel(err) < 0 ? NULL : store_read(layer->policy, policy, &length, err);
	if (bytes == NULL)
		return fail_in(err, "policy");
	int result = tell(FOLDER "/.replace", bytes, length, err);
	free(bytes);
	if (result < 0)
		return fail_in(err, "policy");
	strcpy(policies[place].name, layer->apparmor);
	policies[place].users = 1;
	return 0;
}

void apparmor_unload(const struct layer *layer)
{
	struct error err;
	int place = layer->policy == NULL ? -1 : find(layer->apparmor);

	if (place < 0 || --policies[place].users > 0)
		return;
	if (tell(FOLDER "/.remove", layer->apparmor, strlen(layer->apparmor), &err) < 0)
		console_line("policy of %s: %s", layer->name, err.text);
}
