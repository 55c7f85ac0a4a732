// SPDX-License-Identifier: MIT
#include "crun.h"
#include "apparmor.h"
#include "file.h"
#include "idmap.h"
#include "image.h"
#include "lxc.h"
#include "process.h"
#include "program.h"
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLES "/run/pycontainer/bundles"
#define PATH_SIZE (NAME_SIZE + 96)
// Where crun keeps what it knows of a container, the configuration that it was started by among it.
#ifndef CRUN_STATE
#define CRUN_STATE "/run/crun"
#endif

const char *crun_program(const struct layer *layer)
{
	return layer->runtime == RUNTIME_LXC ? CRUN_LXC : CRUN;
}

const char *crun_name(const struct layer *layer)
{
	return layer->runtime == RUNTIME_LXC ? "lxc" : "crun";
}

const char *crun_program_of(const char *container)
{
	char path[PATH_SIZE];

	// The link is there from its start until LXC has forgotten it.
	snprintf(path, sizeof path, "/run/pycontainer/lxc/%s", container);
	return access(path, F_OK) == 0 ? CRUN_LXC : CRUN;
}

static void bundle_path(char out[PATH_SIZE], const struct layer *layer, const char *file)
{
	snprintf(out, PATH_SIZE, BUNDLES "/%s.%.12s.%.12s%s", layer->name, layer->rootfs->digest,
		 layer->run_config->digest, file);
}

// crun reads its configuration at each start, long after it was proven, so it gets the very bytes and not the file on
// storage, which without fs-verity could be another one by then.
static int copy_config(const struct layer *layer, int config, struct error *err)
{
	char path[PATH_SIZE];
	struct lxc_config parts;
	size_t length;
	int result;
	char *text = store_read(layer->run_config, config, &length, err);

	if (text == NULL)
		return -1;
	if (layer->runtime == RUNTIME_LXC) {
		bundle_path(path, layer, "");
		result = lxc_config_parse(&parts, text, length, err);
		if (result == 0)
			result = lxc_config_write(&parts, path, err);
		lxc_config_free(&parts);
	} else {
		bundle_path(path, layer, "/config.json");
		result = file_make(path, text, length, 0600, err);
	}
	free(text);
	// A part of it would say that all is there.
	if (result < 0)
		unlink(path);
	return result;
}

// Each bundle says which policy it needs, so that one is taken out with the last of them: a job of its own may have made the
// bundle, and what that counted process 1 would not know.
static int note_policy(const struct layer *layer, struct error *err)
{
	char path[PATH_SIZE];

	bundle_path(path, layer, "/policy");
	return layer->policy == NULL ? 0 : file_make(path, layer->apparmor, strlen(layer->apparmor), 0600, err);
}

static bool policy_is_needed(const char *name)
{
	DIR *folder = opendir(BUNDLES);
	bool needed = false;

	for (const struct dirent *entry; folder != NULL && !needed && (entry = readdir(folder)) != NULL;) {
		char path[sizeof BUNDLES + sizeof entry->d_name + 16];
		struct error ignored;
		size_t length;
		snprintf(path, sizeof path, BUNDLES "/%s/policy", entry->d_name);
		char *text = file_read(AT_FDCWD, path, PROFILE_SIZE, &length, &ignored);
		needed = text != NULL && length == strlen(name) && memcmp(text, name, length) == 0;
		free(text);
	}
	if (folder != NULL)
		closedir(folder);
	return needed;
}

int crun_prepare(const struct layer *layer, int rootfs, int config, int policy, struct error *err)
{
	char path[PATH_SIZE];

	bundle_path(path, layer, "/rootfs");
	// The configuration comes last: where it is, all is there.
	if (image_mount(rootfs, path, err) == 0 && idmap_mount(layer, path, err) == 0 && note_policy(layer, err) == 0 &&
	    apparmor_load(layer, policy, err) == 0 && copy_config(layer, config, err) == 0)
		return 0;
	crun_forget(layer);
	return -1;
}

bool crun_prepared(const struct layer *layer)
{
	char path[PATH_SIZE];

	bundle_path(path, layer, layer->runtime == RUNTIME_LXC ? "/args" : "/config.json");
	return access(path, F_OK) == 0;
}

int crun_open_root(const struct layer *layer, struct error *err)
{
	char path[PATH_SIZE];

	bundle_path(path, layer, "/rootfs");
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "%s", path) : fd;
}

void crun_rootfs(char *out, size_t size, const struct layer *layer)
{
	char path[PATH_SIZE];

	bundle_path(path, layer, "/rootfs");
	snprintf(out, size, "%s", path);
}

void crun_forget(const struct layer *layer)
{
	static const char *const files[] = {"/config.json", "/pid"};
	char path[PATH_SIZE];

	bundle_path(path, layer, "/policy");
	if (unlink(path) == 0 && !policy_is_needed(layer->apparmor))
		apparmor_unload(layer);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		bundle_path(path, layer, files[i]);
		unlink(path);
	}
	bundle_path(path, layer, "");
	lxc_config_remove(path);
	bundle_path(path, layer, "/rootfs");
	// Lazily: a process that could not be ended may still hold it.
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	rmdir(path);
	bundle_path(path, layer, "");
	rmdir(path);
}

pid_t crun_run(const struct layer *layer, int output, struct error *err)
{
	char bundle[PATH_SIZE], pid_file[PATH_SIZE];
	const char *const argv[] = {crun_program(layer), "--root", "/run/crun", "--cgroup-manager=cgroupfs", "run", "--detach",
				    "--bundle", bundle, "--pid-file", pid_file, layer->name, NULL};

	bundle_path(bundle, layer, "");
	bundle_path(pid_file, layer, "/pid");
	return program_start(argv, output, err);
}

static pid_t parse_pid(const char *text, const char **end)
{
	char *stop;
	long pid = strtol(text, &stop, 10);

	*end = stop;
	return stop != text && pid > 1 && pid <= INT_MAX ? (pid_t)pid : -1;
}

pid_t crun_pid(const struct layer *layer, pid_t *keeper, struct error *err)
{
	char path[PATH_SIZE];
	const char *end;
	size_t length;

	bundle_path(path, layer, "/pid");
	char *text = file_read(AT_FDCWD, path, 32, &length, err);
	if (text == NULL)
		return -1;
	pid_t pid = *keeper = parse_pid(text, &end);
	if (pid > 0 && *end == ' ')
		*keeper = parse_pid(end + 1, &end);
	bool good = pid > 0 && *keeper > 0 && (*end == '\0' || *end == '\n');
	free(text);
	return good ? pid : fail(err, "%s: not a process id", path);
}

pid_t crun_delete(const struct layer *layer, struct error *err)
{
	const char *const argv[] = {crun_program(layer), "--root", "/run/crun", "--cgroup-manager=cgroupfs", "delete", "--force",
				    layer->name, NULL};

	return program_start(argv, -1, err);
}

static void cgroup_path(char out[PATH_SIZE], const struct layer *layer, const char *file)
{
	snprintf(out, PATH_SIZE, "/sys/fs/cgroup/pycontainer/%s/%s", layer->name, file);
}

void crun_make_exec_group(const struct layer *layer)
{
	char path[PATH_SIZE];

	// LXC makes one by itself.
	cgroup_path(path, layer, "exec");
	if (layer->runtime == RUNTIME_CRUN)
		mkdir(path, 0755);
}

int crun_exec_words(const char *words[CRUN_EXEC_WORDS], const char *program, const char *container, const char *pid_file,
		    const char *process, const char *const *command, struct error *err)
{
	const char *const head[] = {program, "--root", "/run/crun", "--cgroup-manager=cgroupfs", "exec", "--no-new-privs"};
	size_t count = sizeof head / sizeof *head;
	char path[PATH_SIZE];
	size_t length = 0;

	memcpy(words, head, sizeof head);
	// LXC knows by itself what the container was started by, crun does not know all of it.
	if (strcmp(program, CRUN_LXC) != 0) {
		while (command[length] != NULL)
			length++;
		snprintf(path, sizeof path, CRUN_STATE "/%s/config.json", container);
		if (process_make(path, command, length, process, err) < 0)
			return fail_in(err, "container %s", container);
		words[count++] = "--process";
		words[count++] = process;
	}
	snprintf(path, sizeof path, "/sys/fs/cgroup/pycontainer/%s/exec", container);
	if (access(path, F_OK) == 0)
		words[count++] = "--cgroup=exec";
	words[count++] = "--pid-file";
	words[count++] = pid_file;
	words[count++] = container;
	return (int)count;
}

int crun_kill(const struct layer *layer, struct error *err)
{
	char path[PATH_SIZE];

	cgroup_path(path, layer, "cgroup.kill");
	return file_put(path, "1", err);
}

unsigned long crun_oom_kills(const struct layer *layer)
{
	char path[PATH_SIZE];
	struct error ignored;
	size_t length;

	cgroup_path(path, layer, "memory.events");
	char *text = file_read(AT_FDCWD, path, 4096, &length, &ignored);
	if (text == NULL)
		return 0;
	const char *line = strstr(text, "oom_kill ");
	unsigned long count = line == NULL ? 0 : strtoul(line + 9, NULL, 10);
	free(text);
	return count;
}
