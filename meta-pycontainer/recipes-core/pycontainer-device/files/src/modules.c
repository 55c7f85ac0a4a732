// SPDX-License-Identifier: MIT
#include "modules.h"
#include "console.h"
#include "file.h"
#include "modules_index.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/module.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static int insert_into_kernel(const char *path, void *context, struct error *err)
{
	(void)context;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "%s", path);
	size_t length = strlen(path);
	int flags = length > 3 && strcmp(path + length - 3, ".ko") != 0 ? MODULE_INIT_COMPRESSED_FILE : 0;
	long result = syscall(SYS_finit_module, fd, "", flags);
	int saved = errno;
	close(fd);
	errno = saved;
	if (result == 0)
		return 0;
	if (saved == EEXIST)
		return 1;
	// A driver for hardware that is not there says so; nothing is wrong.
	if (saved == ENODEV)
		return 1;
	return fail_errno(err, "%s", path);
}

// What the kernel holds already need not be read, decompressed and offered to it again.
static void mark_loaded(struct modules *index)
{
	char line[4096];
	FILE *table = fopen("/proc/modules", "re");

	while (table != NULL && fgets(line, sizeof line, table) != NULL) {
		line[strcspn(line, " ")] = '\0';
		struct module *module = modules_find(index, line);
		if (module != NULL)
			module->done = true;
	}
	if (table != NULL)
		fclose(table);
}

struct modules *modules_open(struct error *err)
{
	struct utsname system;
	char folder[128];

	if (uname(&system) < 0) {
		fail_errno(err, "uname");
		return NULL;
	}
	snprintf(folder, sizeof folder, "/lib/modules/%s", system.release);
	struct modules *index = modules_open_at(folder, insert_into_kernel, NULL, err);
	if (index != NULL)
		mark_loaded(index);
	return index;
}

static int load_name(struct modules *index, const char *name, struct error *err);

static int load_soft(struct modules *index, const char *name, const char *when)
{
	int loaded = 0;

	for (size_t i = 0; i < index->softdep_count; i++) {
		char line[512], *save;
		snprintf(line, sizeof line, "%s", index->softdeps[i]);
		const char *word = strtok_r(line, " ", &save);
		if (word == NULL || modules_compare(word, name) != 0)
			continue;
		bool active = false;
		while ((word = strtok_r(NULL, " ", &save)) != NULL) {
			struct error ignored;
			if (strcmp(word, "pre:") == 0 || strcmp(word, "post:") == 0)
				active = strcmp(word, when) == 0;
			else if (active) {
				// Soft: whatever is wrong with it, the module itself is tried.
				int result = load_name(index, word, &ignored);
				loaded += result > 0 ? result : 0;
			}
		}
	}
	return loaded;
}

static int insert_one(struct modules *index, const char *relative, struct error *err)
{
	char path[PATH_MAX + 512];
	const char *base;
	char name[128];

	size_t length = modules_base(relative, &base);
	snprintf(name, sizeof name, "%.*s", (int)length, base);
	struct module *module = modules_find(index, name);
	if (module != NULL && module->done)
		return 0;
	snprintf(path, sizeof path, "%s/%.500s", index->folder, relative);
	int result = index->insert(path, index->context, err);
	if (result >= 0 && module != NULL)
		module->done = true;
	return result == 0 ? 1 : result < 0 ? -1 : 0;
}

static int load_module(struct modules *index, struct module *module, struct error *err)
{
	if (module->done || module->busy)
		return 0;
	module->busy = true;
	int loaded = load_soft(index, module->name, "pre:");
	// depmod lists what is needed in the order of need from the back: the last one needs nothing.
	const char *start = module->needs, *end = start + strlen(start);
	while (end > start) {
		while (end > start && end[-1] == ' ')
			end--;
		const char *word = end;
		while (word > start && word[-1] != ' ')
			word--;
		if (word < end) {
			char relative[512];
			snprintf(relative, sizeof relative, "%.*s", (int)(end - word), word);
			int result = insert_one(index, relative, err);
			if (result < 0)
				return -1;
			loaded += result;
		}
		end = word;
	}
	int result = insert_one(index, module->path, err);
	if (result < 0)
		return -1;
	return loaded + result + load_soft(index, module->name, "post:");
}

static int load_name(struct modules *index, const char *name, struct error *err)
{
	struct module *module = modules_find(index, name);
	int loaded = 0, refused = 0;

	if (module != NULL)
		return load_module(index, module, err);
	for (size_t i = 0; i < index->alias_count; i++) {
		const struct alias *alias = &index->aliases[i];
		if (strncmp(alias->pattern, name, alias->literal) != 0 || fnmatch(alias->pattern, name, 0) != 0)
			continue;
		module = modules_find(index, alias->module);
		int result = module == NULL ? 0 : load_module(index, module, err);
		loaded += result > 0 ? result : 0;
		refused += result < 0;
	}
	return refused > 0 && loaded == 0 ? -1 : loaded;
}

int modules_load(struct modules *index, const char *name, struct error *err)
{
	return load_name(index, name, err);
}

int modules_listed(struct modules *index, const char *path)
{
	struct error err;
	size_t length;
	int loaded = 0;

	if (access(path, F_OK) < 0)
		return 0;
	char *text = file_read(AT_FDCWD, path, 65536, &length, &err);
	if (text == NULL) {
		console_line("modules: %s", err.text);
		return 0;
	}
	char *rest = text, *line;
	while ((line = modules_line(&rest)) != NULL) {
		line[strcspn(line, " \t\r")] = '\0';
		int result = modules_load(index, line, &err);
		if (result < 0)
			console_line("modules: %s", err.text);
		else
			loaded += result;
	}
	free(text);
	return loaded;
}

int modules_register(struct error *err)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

	if (length < 0)
		return fail_errno(err, "/proc/self/exe");
	self[length] = '\0';
	return file_put("/proc/sys/kernel/modprobe", self, err);
}

int modules_serve(const char *name)
{
	struct error err;
	// The kernel's helper starts in the root below ours: join the mounts that PID 1 sees.
	int init = (int)syscall(SYS_pidfd_open, 1, 0);

	if (init < 0 || setns(init, CLONE_NEWNS) < 0)
		return 1;
	close(init);
	struct modules *index = modules_open(&err);
	if (index == NULL)
		return 1;
	int result = modules_load(index, name, &err);
	modules_close(index);
	return result < 0 ? 1 : 0;
}
