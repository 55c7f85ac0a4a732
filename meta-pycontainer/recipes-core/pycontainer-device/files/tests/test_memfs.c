// SPDX-License-Identifier: MIT
// The double itself: what a power cut takes, and that its fs-verity digests are the kernel's.
#include "check.h"
#include "memfs.h"
#include "verity.h"

#include <errno.h>
#include <sodium.h>

static bool holds(const struct memfs *memfs, const char *path, const char *text)
{
	size_t length;
	const char *found = memfs_get(memfs, path, &length);

	return text == NULL ? found == NULL : found != NULL && length == strlen(text) && memcmp(found, text, length) == 0;
}

static void test_power(void)
{
	// After "a/old" was certain: a new file, bytes synced, name not; another the other way round.
	static const struct {
		const char *old, *synced, *named;
	} left[MEMFS_RESTARTS + 1] = {
		[MEMFS_NOTHING] = {"old", NULL, NULL},	     [MEMFS_EVERYTHING] = {"new!", "bytes", "name"},
		[MEMFS_NAMES] = {"old", "bytes", ""},	     [MEMFS_ZEROS] = {NULL, "bytes", NULL},
		[MEMFS_BYTES] = {"new!", NULL, NULL},	     [MEMFS_UNREPLAYED] = {"old", NULL, NULL},
		// The root, the folder, the old file, the synced one, the other one: the folder is the one that loses.
		[MEMFS_SOME] = {"new!", NULL, NULL},	     [MEMFS_OTHERS] = {"old", "bytes", ""},
	};
	struct memfs base, memfs;

	memfs_init(&base, NULL);
	memfs_put(&base, "a/old", "old", 3);
	memfs_settle(&base);
	memfs_put(&base, "a/old", "new!", 4);
	int fd = base.fs.calls->open(&base.fs, "a/synced", FS_APPEND);
	check(fd >= 0 && fs_write_all(&base.fs, fd, "bytes", 5, 0) == 0);
	check(base.fs.calls->sync(&base.fs, fd) == 0 && base.fs.calls->close(&base.fs, fd) == 0);
	memfs_put(&base, "a/named", "name", 4);
	check(memfs_open(&base) == 0);
	for (int how = 0; how <= MEMFS_RESTARTS; how++) {
		memfs_copy(&memfs, &base, NULL);
		memfs_restart(&memfs, (enum memfs_restart)how);
		if (how == MEMFS_ZEROS) {
			size_t length;
			const char *bytes = memfs_get(&memfs, "a/named", &length);
			check(bytes != NULL && length == 4 && memcmp(bytes, "\0\0\0\0", 4) == 0);
			bytes = memfs_get(&memfs, "a/old", &length);
			check(bytes != NULL && length == 4 && memcmp(bytes, "old\0", 4) == 0);
		} else {
			check(holds(&memfs, "a/old", left[how].old) && holds(&memfs, "a/named", left[how].named));
		}
		check(holds(&memfs, "a/synced", left[how].synced));
		memfs_free(&memfs);
	}
	// A synced folder makes its names certain; only a checkpoint shows them to who does not replay the journal.
	check(base.fs.calls->sync_folder(&base.fs, "a") == 0);
	memfs_copy(&memfs, &base, NULL);
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(holds(&memfs, "a/synced", "bytes") && holds(&memfs, "a/named", ""));
	memfs_free(&memfs);
	memfs_copy(&memfs, &base, NULL);
	memfs_restart(&memfs, MEMFS_UNREPLAYED);
	check(holds(&memfs, "a/synced", NULL));
	memfs_free(&memfs);
	// All of it at once.
	memfs_put(&base, "a/named", "other", 5);
	check(base.fs.calls->link(&base.fs, "a/named", "a/linked") == 0 && base.fs.calls->sync_all(&base.fs) == 0);
	memfs_copy(&memfs, &base, NULL);
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(holds(&memfs, "a/synced", "bytes") && holds(&memfs, "a/named", "other") && holds(&memfs, "a/linked", "other"));
	memfs_free(&memfs);
	memfs_copy(&memfs, &base, NULL);
	memfs_restart(&memfs, MEMFS_UNREPLAYED);
	check(holds(&memfs, "a/synced", NULL));
	memfs_free(&memfs);
	check(base.fs.calls->link(&base.fs, "a/named", "a/linked") < 0 && errno == EEXIST);
	check(base.fs.calls->link(&base.fs, "a", "b") < 0 && errno == EPERM);
	memfs_put(&base, "a/named", "name", 4);
	check(base.fs.calls->checkpoint(&base.fs) == 0);
	memfs_restart(&base, MEMFS_UNREPLAYED);
	check(holds(&base, "a/synced", "bytes") && holds(&base, "a/named", "name"));
	memfs_free(&base);
}

// A folder that went into another is in one of both after any power cut, and one sync is of both.
static void test_moved(void)
{
	struct memfs base, memfs;

	for (int synced = 0; synced < 3; synced++) {
		memfs_init(&base, NULL);
		memfs_put(&base, "a/x/file", "x", 1);
		memfs_put(&base, "b/other", "y", 1);
		memfs_settle(&base);
		check(base.fs.calls->rename(&base.fs, "a/x", "b/x") == 0);
		if (synced > 0)
			check(base.fs.calls->sync_folder(&base.fs, synced == 1 ? "a" : "b") == 0);
		for (int how = 0; how < MEMFS_RESTARTS; how++) {
			memfs_copy(&memfs, &base, NULL);
			memfs_restart(&memfs, (enum memfs_restart)how);
			bool old = holds(&memfs, "a/x/file", "x"), new = holds(&memfs, "b/x/file", "x");
			check(old != new && (synced == 0 || new));
			check(synced > 0 || how != MEMFS_NOTHING || old);
			memfs_free(&memfs);
		}
		memfs_free(&base);
	}
}

static void test_faults(void)
{
	struct fault fault = {.kind = FAULT_SHORT, .at = 3};
	struct memfs memfs;
	struct error none = {""};
	size_t length;

	memfs_init(&memfs, &fault);
	// Calls: open, truncate, write (half), write (the rest), sync ...
	check(fs_write_file(&memfs.fs, "one", "12345678", 8, &none) == 0 && fault.hit && holds(&memfs, "one", "12345678"));
	fault = (struct fault){.kind = FAULT_ERROR, .at = 5, .error = EIO};
	check_error(fs_write_file(&memfs.fs, "one", "x", 1, err), "one.tmp: Input/output error");
	check(holds(&memfs, "one", "12345678") && holds(&memfs, "one.tmp", NULL) && memfs_open(&memfs) == 0);
	fault = (struct fault){.kind = FAULT_CRASH, .at = 2};
	check_error(fs_overwrite(&memfs.fs, "one", "abcd", 4, 0, err), "Input/output error");
	check(fault.down && memfs.fs.calls->sync_folder(&memfs.fs, "") < 0);
	check(holds(&memfs, "one", "ab345678"));
	memfs_restart(&memfs, MEMFS_NOTHING);
	fault = (struct fault){0};
	check(holds(&memfs, "one", "12345678"));
	memfs.capacity = 3 * 4096;
	memfs_put(&memfs, "two", "2", 1);
	check_error(fs_write_file(&memfs.fs, "three", "3", 1, err), "No space");
	check(fs_read_file(&memfs.fs, "four", 9, &length, &none) == NULL);
	memfs_free(&memfs);
}

// What replacing a file of a FAT leaves after a power cut: `bytes`, once the calls before it were made.
static void left_by(const struct memfs *base, enum memfs_restart how, const char *bytes)
{
	struct memfs memfs;

	memfs_copy(&memfs, base, NULL);
	memfs_restart(&memfs, how);
	check(holds(&memfs, "a/file", bytes));
	memfs_free(&memfs);
}

static void test_fat(void)
{
	struct memfs base, held;
	struct error none = {""};

	memfs_init(&base, NULL);
	base.fat = true;
	memfs_put(&base, "a/file", "old", 3);
	memfs_put(&base, "a/new", "new!", 4);
	memfs_settle(&base);
	int fd = base.fs.calls->open(&base.fs, "a/file", FS_READ);
	check(fd >= 0 && base.fs.calls->rename(&base.fs, "a/new", "a/file") == 0);
	left_by(&base, MEMFS_NOTHING, "old");
	left_by(&base, MEMFS_NAMES, "old");
	left_by(&base, MEMFS_EVERYTHING, "new!");
	// The folder alone does not say where the file begins, and what it still names is free when nobody holds it.
	check(base.fs.calls->sync_folder(&base.fs, "a") == 0);
	left_by(&base, MEMFS_NOTHING, "old");
	memfs_copy(&held, &base, NULL);
	check(held.fs.calls->close(&held.fs, fd) == 0);
	left_by(&held, MEMFS_NOTHING, "");
	memfs_free(&held);
	int fresh = base.fs.calls->open(&base.fs, "a/file", FS_READ);
	check(base.fs.calls->sync(&base.fs, fresh) == 0 && base.fs.calls->close(&base.fs, fresh) == 0);
	check(base.fs.calls->close(&base.fs, fd) == 0);
	left_by(&base, MEMFS_NOTHING, "new!");
	left_by(&base, MEMFS_NAMES, "new!");
	// Under a name that was not there before, it is empty.
	check(base.fs.calls->rename(&base.fs, "a/file", "a/other") == 0 && base.fs.calls->sync_folder(&base.fs, "a") == 0);
	check(base.fs.calls->rename(&base.fs, "a/other", "a/file") == 0 && base.fs.calls->sync_folder(&base.fs, "a") == 0);
	left_by(&base, MEMFS_NOTHING, "");
	check(base.fs.calls->sync_all(&base.fs) == 0);
	left_by(&base, MEMFS_NOTHING, "new!");
	// fs_write_file is for file systems that have a journal: it syncs the file before, and not after.
	check(fs_write_file(&base.fs, "a/file", "newer", 5, &none) == 0);
	left_by(&base, MEMFS_NOTHING, "");
	memfs_free(&base);
}

// The digests that fsverity(1) of fsverity-utils gives for these files.
static void test_verity(void)
{
	static const struct {
		size_t size;
		const char *digest;
	} files[] = {
		{0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"},
		{1, "2f4e7ecbd51220643d7da33f8c5b52680af736616ea1044dd44bac571f1017fc"},
		{4096, "27ca1c272a7aec6bb34d6c12abfbe7be0dcb9b41c551d5d5ed3978b5e55e9504"},
		{4097, "e28bc9a21f641dec0d818e2d8e99635b199debba5c4acc1362d7e733496b6e0c"},
		{600000, "af408df95e13ffb7c4c8896fc37f971739e9cb94fee3a457ee6b1b1c9fd43dee"},
	};
	struct memfs memfs;
	char digest[HEX_SIZE], *bytes = malloc(600000);

	check(bytes != NULL);
	memset(bytes, 'v', 600000);
	memfs_init(&memfs, NULL);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		memfs_put(&memfs, "file", bytes, files[i].size);
		int fd = memfs.fs.calls->open(&memfs.fs, "file", FS_READ);
		check(memfs.fs.calls->seal(&memfs.fs, fd, digest) == SEAL_NEW && strcmp(digest, files[i].digest) == 0);
		check(memfs.fs.calls->seal(&memfs.fs, fd, digest) == SEAL_OK);
		check(memfs.fs.calls->open(&memfs.fs, "file", FS_APPEND) < 0 && errno == EPERM);
		memfs.fs.calls->close(&memfs.fs, fd);
	}
	memfs_free(&memfs);
	free(bytes);
}

int main(void)
{
	check(sodium_init() >= 0);
	test_power();
	test_moved();
	test_faults();
	test_fat();
	test_verity();
	return check_result("memfs");
}
