// SPDX-License-Identifier: MIT
#include "checkpoint.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Documentation/admin-guide/ext4.rst; the kernel has it in no header for programs.
#define EXT4_IOC_CHECKPOINT _IOW('f', 43, __u32)

// A kernel before 5.15: freezing writes the journal back, too. Some file systems have neither journal nor freeze.
static int freeze_and_thaw(int fd)
{
	if (ioctl(fd, FIFREEZE, 0) < 0)
		return errno == EOPNOTSUPP || errno == EPERM || errno == ENOTTY ? 0 : -1;
	int result = ioctl(fd, FITHAW, 0);
	// Frozen for good, the device would stand still: there is nothing better than to try again.
	for (int attempt = 0; result < 0 && errno != EINVAL && attempt < 10; attempt++)
		result = ioctl(fd, FITHAW, 0);
	return result;
}

int checkpoint(int fd)
{
	__u32 flags = 0;

	if (syncfs(fd) < 0)
		return -1;
	// Freezing would write the superblock twice, and a process killed in between would leave storage frozen.
	if (ioctl(fd, EXT4_IOC_CHECKPOINT, &flags) == 0)
		return 0;
	bool other = errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL || errno == ENODEV || errno == EPERM;
	return other ? freeze_and_thaw(fd) : -1;
}
