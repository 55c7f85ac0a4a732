// SPDX-License-Identifier: MIT
// The boot loader on the ESP, replaced.
//
// FAT has no journal, so the order is ours to keep. Renaming over a file changes one directory entry to name the new
// chain of clusters and removes another one; in this small folder both are in one sector, which a disk writes whole.
// The old chain is freed only when nobody has the replaced file open: it is held open until the folder is on the
// medium, or the table could come to say "free" about a file that the folder on the medium still names.
#include "esp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FOLDER "EFI/BOOT"

enum { chunk = 65536, path_size = sizeof FOLDER + ESP_NAME_SIZE + 8 };

struct names {
	char found[ESP_NAME_SIZE];
	unsigned count;
};

static int look_at(void *context, const char *name)
{
	struct names *names = context;
	size_t length = strlen(name);

	if (length >= 8 && length < sizeof names->found && strncasecmp(name, "BOOT", 4) == 0 &&
	    strcasecmp(name + length - 4, ".EFI") == 0) {
		names->count++;
		strcpy(names->found, name);
	}
	return 0;
}

int esp_loader_name(struct fs *esp, char name[ESP_NAME_SIZE], struct error *err)
{
	struct names names = {"", 0};

	if (esp->calls->list(esp, FOLDER, look_at, &names) < 0)
		return fail_errno(err, FOLDER);
	if (names.count != 1)
		return fail(err, FOLDER ": %u files BOOT*.EFI where there should be one", names.count);
	strcpy(name, names.found);
	return 0;
}

static int hash(struct fs *fs, const char *path, char out[HEX_SIZE], struct error *err)
{
	int fd = fs->calls->open(fs, path, FS_READ);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	int result = fs_hash(fs, fd, out, err);
	fs->calls->close(fs, fd);
	return result < 0 ? fail_in(err, "%s", path) : 0;
}

static int copy_open(struct fs *from, int source, struct fs *to, int target)
{
	char *buffer = malloc(chunk);
	uint64_t at = 0;
	ssize_t got = -1;
	int result = buffer == NULL ? -1 : to->calls->truncate(to, target, 0);

	while (result == 0 && (got = from->calls->read(from, source, buffer, chunk, at)) > 0) {
		result = fs_write_all(to, target, buffer, (size_t)got, at);
		at += (uint64_t)got;
	}
	if (result == 0)
		result = got < 0 ? -1 : to->calls->sync(to, target);
	int saved = errno;
	free(buffer);
	errno = saved;
	return result;
}

// Write a copy to the medium, and read it back: it must have this digest.
static int copy(struct fs *from, const char *source, struct fs *to, const char *target, const char *digest,
		struct error *err)
{
	char found[HEX_SIZE];
	int in = from->calls->open(from, source, FS_READ);

	if (in < 0)
		return fail_errno(err, "%s", source);
	int out = to->calls->open(to, target, FS_APPEND);
	int result = out < 0 ? -1 : copy_open(from, in, to, out);
	if (result < 0)
		fail_errno(err, "%s", target);
	if (out >= 0 && to->calls->close(to, out) < 0 && result == 0)
		result = fail_errno(err, "%s", target);
	from->calls->close(from, in);
	if (result < 0 || hash(to, target, found, err) < 0)
		return -1;
	return strcmp(found, digest) == 0 ? 0 : fail(err, "%s: not what was written to it", target);
}

// Linux's vfat changes the names at once, but where the renamed file begins only when its inode is written: syncing the
// folder leaves the new name with the old clusters.
static int sync_file(struct fs *esp, const char *path)
{
	int fd = esp->calls->open(esp, path, FS_READ);

	if (fd < 0)
		return -1;
	int result = esp->calls->sync(esp, fd), saved = errno;
	esp->calls->close(esp, fd);
	errno = saved;
	return result;
}

// Put `fresh` in the place of `path`, whose content nobody frees before that is certain.
static int replace(struct fs *esp, const char *fresh, const char *path, struct error *err)
{
	int held = esp->calls->open(esp, path, FS_READ);

	if (held < 0 && errno != ENOENT)
		return fail_errno(err, "%s", path);
	int result = esp->calls->rename(esp, fresh, path) < 0 || sync_file(esp, path) < 0 ||
				     esp->calls->sync_folder(esp, FOLDER) < 0
			     ? fail_errno(err, "%s", path) : 0;
	if (held >= 0)
		esp->calls->close(esp, held);
	return result;
}

static int keep_old(struct fs *esp, const char *path, const char *fresh, const char *digest, struct error *err)
{
	char old[path_size], found[HEX_SIZE];
	struct error none;

	snprintf(old, sizeof old, "%s.OLD", path);
	// There already, when an earlier try ended after this step.
	if (hash(esp, old, found, &none) == 0 && strcmp(found, digest) == 0)
		return 0;
	return copy(esp, path, esp, fresh, digest, err) < 0 || replace(esp, fresh, old, err) < 0 ? -1 : 0;
}

int esp_update_bootloader(struct fs *esp, struct fs *storage, const char *digest, const char *name, struct error *err)
{
	char path[path_size], fresh[path_size], blob[32 + HEX_SIZE], found[HEX_SIZE];

	snprintf(path, sizeof path, FOLDER "/%.31s", name);
	snprintf(fresh, sizeof fresh, "%s.NEW", path);
	snprintf(blob, sizeof blob, "blobs/sha256/%s", digest);
	if (hash(esp, path, found, err) < 0)
		return fail_in(err, "boot loader");
	if (strcmp(found, digest) == 0)
		return 0;
	// What an interrupted try left; its clusters are wanted back before others are given out.
	if (esp->calls->unlink(esp, fresh) == 0 ? esp->calls->sync_folder(esp, FOLDER) < 0 : errno != ENOENT)
		return fail_errno(err, "boot loader: %s", fresh);
	if (keep_old(esp, path, fresh, found, err) < 0 || copy(storage, blob, esp, fresh, digest, err) < 0) {
		esp->calls->unlink(esp, fresh);
		return fail_in(err, "boot loader");
	}
	return replace(esp, fresh, path, err) < 0 ? fail_in(err, "boot loader") : 1;
}
