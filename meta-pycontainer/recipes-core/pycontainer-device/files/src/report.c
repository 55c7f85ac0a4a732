// SPDX-License-Identifier: MIT
// The verbs that only tell. Each runs in a process of its own, with a copy of what process 1 knew when it began.
#include "apparmor.h"
#include "console.h"
#include "handlers.h"
#include "identity.h"
#include "revisions.h"
#include "state.h"
#include "storage.h"
#include "store.h"
#include "supervisor.h"
#include "usage.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEPTH_MOST 64

// Words that may come from a program: such bytes as JSON cannot hold would cost the whole answer.
static json_t *words(const char *text)
{
	return utf8_json(text, strlen(text));
}

static json_t *trial(const struct supervisor *s)
{
	const struct update *u = &s->update;

	if (u->phase != UPDATE_TRIAL && u->phase != UPDATE_COMMITTING)
		return json_null();
	json_t *waiting = json_array();
	for (size_t i = 0; i < u->decision.waiting_count && i < TRIAL_WAITING_MOST; i++)
		json_array_append_new(waiting, words(u->decision.waiting[i]));
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "revision", u->tried, "from", u->from, "how",
			 u->live ? "live" : "boot", "elapsedMs", (json_int_t)(clock_ms() - u->began_ms), "timeoutMs",
			 (json_int_t)s->containers.now.revision->confirm_timeout_ms, "waiting", waiting);
}

static json_t *outcome(struct fs *storage)
{
	struct error ignored;
	struct notes notes;
	const struct outcome *last = &notes.outcome;

	if (state_load(storage, &notes, &ignored) < 0 || last->revision[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:I}", "revision", last->revision, "result",
			 last->confirmed ? "confirmed" : "rolled back", "reason", last->reason, "trial",
			 (json_int_t)last->number);
}

static json_t *record(const struct update *u)
{
	if (u->phase == UPDATE_UNMANAGED || u->phase == UPDATE_SETTLING)
		return json_null();
	return json_pack("{s:i, s:s, s:s, s:i}", "generation", (int)u->record.generation, "rev", u->record.rev, "try",
			 u->record.attempt, "left", (int)u->record.left);
}

json_t *work_status(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	const struct revision *revision = s->containers.now.revision;
	struct error ignored;
	struct statvfs room = {0};
	uint64_t floor, confirmed = strcmp(s->update.record.rev, revision->id) == 0 ? revision->security_version : 0;
	struct fs storage;

	(void)work;
	fs_real(&storage, STORAGE);
	if (statvfs(STORAGE, &room) < 0) {
		fail_errno(err, "storage");
		return NULL;
	}
	json_t *lowest = state_floor(&storage, s->facts, confirmed, &floor, &ignored) < 0 ? json_null()
											  : json_integer((json_int_t)floor);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:I, s:b, s:b}", "product", revision->product,
			 "version", revision->version, "revision", revision->id, "state", update_phase_name(&s->update),
			 "trial", trial(s), "outcome", outcome(&storage), "floor", lowest, "record", record(&s->update), "storage",
			 "size", (json_int_t)(room.f_blocks * room.f_frsize), "free", (json_int_t)(room.f_bavail * room.f_frsize),
			 "uptimeMs", (json_int_t)clock_ms(), "watchdog", s->watchdog.fd >= 0,
			 "apparmor", apparmor_enabled());
}

static json_t *container(const struct container *c)
{
	static const char *const states[] = {"waiting", "starting", "running", "stopping", "ending",
					     "paused", "done", "failed", "stopped"};
	struct usage usage = {0};
	struct error ignored;
	bool running = c->state == STATE_RUNNING || c->state == STATE_STOPPING;

	if (running)
		usage_of(&usage, c->layer->name, &ignored);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name", c->layer->name,
			 "kind", c->layer->kind, "version", c->layer->version, "state", states[c->state], "health",
			 running ? health_word(c->health.state) : "none", "pid", (int)c->init, "restarts",
			 (json_int_t)c->restarts, "runningMs", (json_int_t)(c->since == 0 ? 0 : clock_ms() - c->since), "memory",
			 (json_int_t)usage.memory, "memoryPeak", (json_int_t)usage.memory_peak, "cpuUs",
			 (json_int_t)usage.cpu_us, "processes", (json_int_t)usage.processes, "oomKills",
			 (json_int_t)usage.oom_kills, "last", words(c->how));
}

json_t *work_ps(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	const struct crew *crew = &s->containers.now;
	json_t *list = json_array();

	(void)work;
	(void)err;
	for (size_t i = 0; i < crew->revision->layer_count; i++)
		if (crew->each[i].layer != NULL)
			json_array_append_new(list, container(&crew->each[i]));
	return json_pack("{s:o}", "containers", list);
}

static json_t *describe(struct fs *storage, const struct supervisor *s, const char *id, const char *previous)
{
	struct error why = {""};
	struct revision revision;
	uint64_t size = 0;
	bool whole = store_load_from(&revision, storage, id, s->facts, &why) >= 0;

	for (size_t i = 0; i < revision.blob_count; i++)
		size += revision.blobs[i].size;
	json_t *entry = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:o}", "revision", id, "version", revision.version,
				  "running", strcmp(id, s->containers.now.revision->id) == 0, "confirmed",
				  strcmp(id, s->update.record.rev) == 0, "previous", strcmp(id, previous) == 0, "complete", whole,
				  "size", (json_int_t)size, "problem", words(why.text));
	revision_free(&revision);
	return entry;
}

json_t *work_revisions(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	struct notes notes;
	struct revisions all;
	struct error ignored;
	struct fs storage;

	(void)work;
	fs_real(&storage, STORAGE);
	if (revisions_list(&all, &storage, err) < 0)
		return NULL;
	// Of notes that cannot be read nothing is known, and so nothing is told.
	if (state_load(&storage, &notes, &ignored) < 0)
		notes = (struct notes){.generation = 0};
	json_t *list = json_array();
	for (size_t i = 0; i < all.count; i++)
		if (all.items[i].kind == REVISIONS_INSTALLED)
			json_array_append_new(list, describe(&storage, s, all.items[i].id, notes.previous));
	return json_pack("{s:o}", "revisions", list);
}

// Bytes on the disk below a folder, links not followed, other file systems left out.
static uint64_t used(int folder, dev_t device, unsigned depth)
{
	DIR *entries = fdopendir(folder);
	const struct dirent *entry;
	uint64_t sum = 0;

	if (entries == NULL) {
		close(folder);
		return 0;
	}
	while ((entry = readdir(entries)) != NULL) {
		struct stat status;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_dev != device)
			continue;
		sum += (uint64_t)status.st_blocks * 512;
		if (!S_ISDIR(status.st_mode) || depth == 0)
			continue;
		int child = openat(dirfd(entries), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			sum += used(child, device, depth - 1);
	}
	closedir(entries);
	return sum;
}

static json_t *volume(const struct layer *layer, const struct volume *volume)
{
	static const char *const kinds[] = {"permanent", "revision", "boot"};
	char path[200];
	struct stat status;
	uint64_t sum = 0;

	snprintf(path, sizeof path, "/run/pycontainer/volumes/%s/%s", layer->name, volume->name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &status) == 0)
		sum = used(fd, status.st_dev, DEPTH_MOST);
	else if (fd >= 0)
		close(fd);
	return json_pack("{s:s, s:s, s:s, s:s, s:I}", "layer", layer->name, "name", volume->name, "kind", kinds[volume->kind],
			 "path", path, "used", (json_int_t)sum);
}

json_t *work_volumes(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	const struct revision *revision = s->containers.now.revision;
	json_t *list = json_array();

	(void)work;
	(void)err;
	for (size_t i = 0; i < revision->layer_count; i++)
		for (size_t k = 0; k < revision->layers[i].volume_count; k++)
			json_array_append_new(list, volume(&revision->layers[i], &revision->layers[i].volumes[k]));
	return json_pack("{s:o}", "volumes", list);
}

json_t *work_identity(struct work *work, void *supervisor, struct error *err)
{
	char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)], keyid[HEX_SIZE];
	unsigned char key[32];
	struct fs storage;

	(void)work;
	(void)supervisor;
	fs_real(&storage, STORAGE);
	if (identity_public(&storage, key, keyid, err) < 0)
		return NULL;
	sodium_bin2base64(text, sizeof text, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:s, s:s}", "publicKey", text, "keyid", keyid);
}
