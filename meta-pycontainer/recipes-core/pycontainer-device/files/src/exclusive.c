// SPDX-License-Identifier: MIT
#include "exclusive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int exclusive_take(struct error *err)
{
	static const char path[] = "/run/pycontainer/exclusive";
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	// The descriptor stays open: the lock is as long as the process.
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	int problem = errno;
	close(fd);
	errno = problem;
	return problem == EWOULDBLOCK ? fail(err, "another install, removal or trial is at work; try again when it has ended")
				      : fail_errno(err, "%s", path);
}
