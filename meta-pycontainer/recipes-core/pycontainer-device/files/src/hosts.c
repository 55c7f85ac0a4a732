// SPDX-License-Identifier: MIT
#include "hosts.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char head[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

// "255.255.255.255\t" and the end of the line.
#define LINE_SIZE (NAME_SIZE + 18)

char *hosts_text(const struct host hosts[], size_t count, const char *own, size_t own_length, size_t *length,
		 struct error *err)
{
	size_t size = sizeof head + count * LINE_SIZE + (own == NULL ? 0 : own_length) + 1;
	char *text = malloc(size);

	if (text == NULL) {
		fail_errno(err, "hosts");
		return NULL;
	}
	size_t used = (size_t)snprintf(text, size, "%s", head);
	for (size_t i = 0; i < count; i++) {
		uint32_t a = hosts[i].address;
		used += (size_t)snprintf(text + used, size - used, "%u.%u.%u.%u\t%.*s\n", a >> 24, a >> 16 & 255, a >> 8 & 255,
					 a & 255, NAME_SIZE - 1, hosts[i].name);
	}
	// Last, so that no name of the image's takes the place of a neighbour's.
	if (own != NULL)
		memcpy(text + used, own, own_length);
	*length = used + (own == NULL ? 0 : own_length);
	return text;
}

int hosts_own(int root, char **own, size_t *length, struct error *err)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	struct stat status;
	int fd = (int)syscall(SYS_openat2, root, "etc/hosts", &how, sizeof how);

	*own = NULL;
	*length = 0;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : fail_errno(err, "/etc/hosts");
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		*own = file_read_fd(fd, HOSTS_OWN_MOST, length, err);
		close(fd);
		return *own == NULL ? fail_in(err, "/etc/hosts") : 0;
	}
	close(fd);
	return 0;
}

int hosts_put(const char *folder, const char *layer, const char *text, size_t length, struct error *err)
{
	char path[PATH_MAX];
	size_t done = 0;

	if (!text_is_name(layer))
		return fail(err, "hosts: no layer's name");
	if (folder_make(folder, 0755, err) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/%s", folder, layer);
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(err, "%s", path);
	// The old text is overwritten and not truncated first: a reader finds the one or the other.
	while (done < length) {
		ssize_t wrote = pwrite(fd, text + done, length - done, (off_t)done);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			break;
		done += (size_t)wrote;
	}
	int result = done == length ? ftruncate(fd, (off_t)length) : -1;
	if (result < 0)
		fail_errno(err, "%s", path);
	close(fd);
	return result;
}
