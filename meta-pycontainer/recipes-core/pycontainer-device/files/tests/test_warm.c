// SPDX-License-Identifier: MIT
// Which lines of a process's maps name a file, and that looking at a live process does no harm.
#include "check.h"
#include "warm.h"

#include <stdbool.h>
#include <unistd.h>

static bool is(const char *line, const char *path)
{
	char text[256];

	snprintf(text, sizeof text, "%s", line);
	const char *found = warm_path(text);
	return path == NULL ? found == NULL : found != NULL && strcmp(found, path) == 0;
}

int main(void)
{
	check(is("7f00-7f01 r-xp 00000000 07:02 1234    /usr/sbin/nginx\n", "/usr/sbin/nginx"));
	check(is("7f00-7f01 r-xp 00000000 07:02 1234 /a name/with blanks (deleted)\n", "/a name/with blanks (deleted)"));
	check(is("7f00-7f01 rw-p 00000000 00:00 0 \n", NULL));
	check(is("7f00-7f01 rw-p 00000000 00:00 0\n", NULL));
	check(is("7f00-7f01 rw-p 00000000 00:00 0   [heap]\n", NULL));
	check(is("7f00-7f01 rw-p 00000000 00:00 0   anon_inode:[perf]\n", NULL));
	check(is("", NULL) && is("\n", NULL) && is("/one/word\n", NULL));
	warm_like(getpid(), "/");
	warm_like(getpid(), "/nowhere");
	warm_like(0, "/");
	return check_result("warm");
}
