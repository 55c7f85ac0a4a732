// SPDX-License-Identifier: MIT
// The verbs that bring revisions to the device and take them away, each in a process of its own.
#include "bundle.h"
#include "console.h"
#include "exclusive.h"
#include "gc.h"
#include "handlers.h"
#include "install.h"
#include "media.h"
#include "request.h"
#include "state.h"
#include "storage.h"
#include "supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CANDIDATES_MOST 256

struct install {
	struct work *work;
	struct installer installer;
	char wanted[HEX_SIZE];		// or its beginning, or empty
	char id[HEX_SIZE];		// of what was installed
	unsigned bundles;		// looked at
	struct error last;		// why the last one was not taken
};

static void progress(void *context, const char *step, uint64_t done, uint64_t total)
{
	struct install *install = context;
	struct error ignored;

	// A client that went away does not end an install; it is asked for again, and finds what is there.
	work_progress(install->work, step, done, total, &ignored);
}

// Ids that no collection of garbage may touch, in the copy of what process 1 knew.
static void keep(const char *ids[4], struct supervisor *s)
{
	struct update *u = &s->update;
	size_t count = 0;

	ids[count++] = s->containers.now.revision->id;
	if (u->record.rev[0] != '\0')
		ids[count++] = u->record.rev;
	if (u->record.attempt[0] != '\0')
		ids[count++] = u->record.attempt;
	ids[count] = NULL;
}

// Only when it is known which revision the boot loader needs may any be taken away.
static int check_phase(const struct supervisor *s, struct error *err)
{
	if (s->update.phase == UPDATE_IDLE || (s->update.phase == UPDATE_UNMANAGED && s->cmdline->esp[0] == '\0'))
		return 0;
	if (s->update.phase == UPDATE_UNMANAGED)
		return fail(err, "the boot record cannot be read, so it is not known which revisions are needed");
	return fail(err, "an update is under way: %s", update_phase_name(&s->update));
}

static int prepare(struct install *install, struct work *work, struct supervisor *s, struct fs *storage,
		   struct error *err)
{
	// While no trial runs, and nothing is installed while one does, the confirmed revision runs.
	uint64_t confirmed = s->containers.now.revision->security_version;

	fs_real(storage, STORAGE);
	install->work = work;
	install->installer = (struct installer){.fs = storage, .facts = s->facts, .progress = progress, .context = install};
	keep(install->installer.keep, s);
	request_revision(work->arguments, "revision", install->wanted);
	if (check_phase(s, err) < 0 || exclusive_take(err) < 0)
		return -1;
	return state_floor(storage, s->facts, confirmed, &install->installer.floor, err);
}

static int take_bundle(struct install *install, struct fs *fs, const char *path, struct error *err)
{
	struct bundle bundle;
	int result = bundle_open(&bundle, fs, path, err);

	if (result == 0) {
		install->bundles++;
		result = install_bundle(&install->installer, &bundle, install->wanted, install->id, err);
	}
	bundle_close(&bundle);
	return result;
}

static int add_candidate(void *context, const char *name)
{
	char(*names)[NAME_MAX + 1] = context;
	size_t count = 0;

	while (count < CANDIDATES_MOST && names[count][0] != '\0')
		count++;
	if (count < CANDIDATES_MOST && strlen(name) <= NAME_MAX)
		strcpy(names[count], name);
	return 0;
}

static bool is_tar(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".tar") == 0;
}

// A bundle is the file system itself, or a folder or archive at its top.
static int take_from(void *context, const char *folder, struct error *err)
{
	struct install *install = context;
	char(*names)[NAME_MAX + 1] = calloc(CANDIDATES_MOST, sizeof *names);
	char path[NAME_MAX + 16];
	struct fs fs;
	int result = 0;

	if (names == NULL)
		return fail_errno(err, "bundles");
	fs_real(&fs, folder);
	if (fs_exists(&fs, "oci-layout"))
		result = take_bundle(install, &fs, "", &install->last) == 0;
	else if (fs.calls->list(&fs, "", add_candidate, names) < 0)
		fail_errno(&install->last, "reading");
	for (size_t i = 0; i < CANDIDATES_MOST && names[i][0] != '\0' && result == 0; i++) {
		snprintf(path, sizeof path, "%s/oci-layout", names[i]);
		if (is_tar(names[i]) || fs_exists(&fs, path))
			result = take_bundle(install, &fs, names[i], &install->last) == 0;
	}
	free(names);
	return result;
}

// The place where a path of the client begins: for a container it is its own root.
static int open_base(const struct supervisor *s, const struct work *work, struct error *err)
{
	char path[64] = "/";
	// A port of the machine may have the name of a container.
	const struct container *asker = work->stream ? NULL : crew_find(&s->containers.now, work->who);

	if (asker != NULL && asker->init > 0)
		snprintf(path, sizeof path, "/proc/%d/root", (int)asker->init);
	else if (strcmp(work->who, "host") != 0 && !work->stream)
		return fail(err, "%s does not run", work->who);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "%s", path) : fd;
}

static int take_path(struct install *install, const struct supervisor *s, const char *path, struct error *err)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char folder[64], name[NAME_MAX + 1] = "";
	struct stat status;
	struct fs fs;
	int base = open_base(s, install->work, err);
	int fd = base < 0 ? -1 : (int)syscall(SYS_openat2, base, path, &how, sizeof how);

	if (base < 0)
		return -1;
	if (fd < 0 || fstat(fd, &status) < 0)
		return fail_errno(err, "%s", path);
	if (S_ISDIR(status.st_mode)) {
		snprintf(folder, sizeof folder, "/proc/self/fd/%d", fd);
	} else {
		// The folder that it lies in, opened the same way, and its name there.
		const char *slash = strrchr(path, '/');
		char parent[4096];
		snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - path + 1), slash == NULL ? "." : path);
		snprintf(name, sizeof name, "%s", slash == NULL ? path : slash + 1);
		how.flags |= O_DIRECTORY;
		int in = (int)syscall(SYS_openat2, base, parent, &how, sizeof how);
		if (in < 0)
			return fail_errno(err, "%s", parent);
		snprintf(folder, sizeof folder, "/proc/self/fd/%d", in);
	}
	fs_real(&fs, folder);
	return take_bundle(install, &fs, name, err) < 0 ? fail_in(err, "%s", path) : 0;
}

static int search(struct install *install, const char *label, struct error *err)
{
	unsigned looked;
	int result = media_search(label, take_from, install, &looked, err);

	if (result != 0)
		return result < 0 ? -1 : 0;
	if (looked == 0)
		return label == NULL ? fail(err, "no disk with a file system is attached")
				     : fail(err, "no attached disk has the label %s", label);
	if (install->last.text[0] != '\0')
		return fail(err, "%s", install->last.text);
	return fail(err, "none of the %u attached file systems has a bundle", looked);
}

static json_t *describe_missing(const struct wanted *missing, size_t count)
{
	json_t *list = json_array();
	char digest[sizeof "sha256:" + HEX_SIZE];

	for (size_t i = 0; i < count; i++) {
		snprintf(digest, sizeof digest, "sha256:%s", missing[i].digest);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "digest", digest, "size", (json_int_t)missing[i].size,
						      "offset", (json_int_t)missing[i].offset));
	}
	return json_pack("{s:o}", "missing", list);
}

static json_t *begin(struct install *install, const char *signature, struct error *err)
{
	struct wanted *missing = NULL;
	size_t count;
	char hex[HEX_SIZE];

	if (strlen(install->wanted) != 64) {
		fail(err, "revision: the whole id is needed");
		return NULL;
	}
	if (text_digest(hex, signature, err) < 0 ||
	    install_begin(&install->installer, install->wanted, hex, &missing, &count, err) < 0)
		return NULL;
	json_t *answer = describe_missing(missing, count);
	free(missing);
	return answer;
}

json_t *work_install(struct work *work, void *supervisor, struct error *err)
{
	static struct install install;
	struct supervisor *s = supervisor;
	struct fs storage;
	const char *path = json_string_value(json_object_get(work->arguments, "path"));
	const char *label = json_string_value(json_object_get(work->arguments, "label"));
	const char *signature = json_string_value(json_object_get(work->arguments, "signature"));

	if (prepare(&install, work, s, &storage, err) < 0)
		return NULL;
	if (signature != NULL)
		return begin(&install, signature, err);
	if (path != NULL && label != NULL) {
		fail(err, "a path or a label, not both");
		return NULL;
	}
	if ((path != NULL ? take_path(&install, s, path, err) : search(&install, label, err)) < 0)
		return NULL;
	return json_pack("{s:s, s:I, s:i}", "revision", install.id, "copied", (json_int_t)install.installer.copied, "blobs",
			 (int)install.installer.blobs);
}

json_t *work_gc(struct work *work, void *supervisor, struct error *err)
{
	struct supervisor *s = supervisor;
	struct gc_result result = {0};
	const char *ids[4];
	struct fs storage;

	(void)work;
	fs_real(&storage, STORAGE);
	keep(ids, s);
	if (check_phase(s, err) < 0)
		return NULL;
	if (exclusive_take(err) < 0 || gc_run(&storage, ids, 0, &result, err) < 0)
		return NULL;
	return json_pack("{s:{s:i, s:i}, s:I}", "removed", "revisions", (int)result.revisions, "blobs", (int)result.blobs,
			 "freed", (json_int_t)result.freed);
}
