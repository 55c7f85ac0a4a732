// SPDX-License-Identifier: MIT
#include "background.h"
#include "console.h"
#include "modules.h"
#include "storage.h"
#include "store.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

	if (nice(19) < 0 || syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) < 0)
		console_line("verify: at full priority");
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

static void drivers(void)
{
	struct error err;
	// The containers start at the same time, and they come first.
	setpriority(PRIO_PROCESS, 0, 10);
	struct modules *index = modules_open(&err);
	int loaded = index == NULL ? 0 : modules_coldplug(index);

	if (loaded > 0)
		console_line("modules: %d for new devices", loaded);
}

// True in the new process. It holds none of our descriptors: what it holds open, epoll does not forget when we close it.
static bool begin(struct background *work, const char *what)
{
	work->what = what;
	work->process = fork();
	if (work->process == 0) {
		close_range(3, ~0u, 0);
		return true;
	}
	if (work->process < 0) {
		console_line("%s: no process for it: %s", what, strerror(errno));
		work->process = 0;
	}
	return false;
}

void background_verify(struct background *work, const struct revision *revision)
{
	if (begin(work, "verify")) {
		verify(revision);
		_exit(0);
	}
}

void background_drivers(struct background *work)
{
	if (begin(work, "modules")) {
		drivers();
		_exit(0);
	}
}

bool background_ended(struct background *work, pid_t process, int status)
{
	if (work->process == 0 || work->process != process)
		return false;
	work->process = 0;
	if (WIFSIGNALED(status) && work->what != NULL)
		console_line("%s: ended early by signal %d", work->what, WTERMSIG(status));
	return true;
}

void background_end(struct background *work)
{
	// An end at our wish is no news.
	work->what = NULL;
	if (work->process > 0)
		kill(work->process, SIGKILL);
}
