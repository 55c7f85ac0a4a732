// SPDX-License-Identifier: MIT
#include "background.h"
#include "console.h"
#include "storage.h"
#include "store.h"

#include <linux/ioprio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool background_is_early(const struct blob *blob)
{
	static const char *const roles[] = {"rootfs", "run-config", "modules", "firmware"};

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(blob->role, roles[i]) == 0)
			return true;
	return false;
}

static void verify(const struct revision *revision)
{
	struct seal_counts counts = {0};
	struct error err;
	unsigned bad = 0;

	for (size_t i = 0; i < revision->blob_count; i++) {
		if (background_is_early(&revision->blobs[i]))
			continue;
		int fd = store_open(STORAGE, &revision->blobs[i], &counts, &err);
		if (fd < 0) {
			bad++;
			console_line("verify: DAMAGED: %s", err.text);
			continue;
		}
		close(fd);
	}
	// At later boots there is nothing to say.
	if (bad == 0 && counts.newly + counts.hashed > 0)
		console_line("verify: the other %u blobs are whole, %u sealed now", counts.sealed + counts.newly + counts.hashed,
			     counts.newly);
}

pid_t background_verify(const struct revision *revision)
{
	pid_t child = fork();

	if (child < 0) {
		console_line("verify: no process for the other blobs");
		return 0;
	}
	if (child > 0)
		return child;
	if (nice(19) < 0 || syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) < 0)
		console_line("verify: at full priority");
	verify(revision);
	_exit(0);
}
