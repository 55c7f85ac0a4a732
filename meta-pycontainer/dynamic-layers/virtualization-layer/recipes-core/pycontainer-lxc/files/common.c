// SPDX-License-Identifier: MIT
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int complain(const char *what, const char *detail)
{
	fprintf(stderr, "lxc: %s: %s\n", what, detail);
	return -1;
}

int complain_errno(const char *what)
{
	return complain(what, strerror(errno));
}

int write_pids(const char *path, pid_t init, pid_t keeper)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%d %d\n", (int)init, (int)keeper);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return complain_errno(path);
	ssize_t wrote = write(fd, text, (size_t)length);
	close(fd);
	return wrote == length ? 0 : complain_errno(path);
}

struct lxc_container *open_container(const char *name)
{
	struct lxc_container *c = lxc_container_new(name, ROOT);

	if (c == NULL || !c->is_defined(c)) {
		complain(name, "its configuration cannot be read");
		return NULL;
	}
	return c;
}

unsigned long number_of(struct lxc_container *c, const char *key, unsigned long fallback)
{
	char text[64];

	return c->get_config_item(c, key, text, sizeof text) > 0 ? strtoul(text, NULL, 10) : fallback;
}

char *text_of(struct lxc_container *c, const char *key)
{
	int length = c->get_config_item(c, key, NULL, 0);
	char *text = length <= 0 ? NULL : calloc(1, (size_t)length + 1);

	if (text != NULL && c->get_config_item(c, key, text, length + 1) != length)
		text[0] = '\0';
	return text != NULL && text[0] != '\0' ? text : NULL;
}
