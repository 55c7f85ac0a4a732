// SPDX-License-Identifier: MIT
// The real file operations in a folder, and what they refuse.
#include "check.h"
#include "fs.h"
#include "verity.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

// In memory: tests run as root must not freeze the file system of the machine that they run on.
static char root[] = "/dev/shm/pyc-fs-XXXXXX";
static struct fs fs;

static void test_files(void)
{
	struct error none = {""};
	size_t length;
	uint64_t size, room;

	check(fs.calls->mkdir(&fs, "state", 0700) == 0 && fs_make_folder(&fs, "state", 0700, &none) == 0);
	check(fs_write_file(&fs, "state/one", "first", 5, &none) == 0);
	check(fs_write_file(&fs, "state/one", "2nd", 3, &none) == 0);
	char *text = fs_read_file(&fs, "state/one", 3, &length, &none);
	check(text != NULL && length == 3 && strcmp(text, "2nd") == 0);
	free(text);
	check(fs_read_file(&fs, "state/one", 2, &length, &none) == NULL && strstr(none.text, "larger than 2") != NULL);
	check(fs_overwrite(&fs, "state/one", "3", 1, 0, &none) == 0 && fs_overwrite(&fs, "state/one", "r", 1, 1, &none) == 0);
	text = fs_read_file(&fs, "state/one", 9, &length, &none);
	check(text != NULL && strcmp(text, "3rd") == 0);
	free(text);
	check_error(fs_overwrite(&fs, "state/none", "x", 1, 0, err), "No such file");
	check(fs_exists(&fs, "state/one") && fs_exists(&fs, "state") && !fs_exists(&fs, "state/one.tmp"));
	check_error(fs_write_file(&fs, "none/one", "x", 1, err), "none/one.tmp: No such file");
	// What a power cut left under the temporary name does not get into the file.
	check(fs_write_file(&fs, "state/one.tmp", "longer than before", 18, &none) == 0);
	check(fs_write_file(&fs, "state/one", "4", 1, &none) == 0);
	int fd = fs.calls->open(&fs, "state/one", FS_READ);
	check(fd >= 0 && fs.calls->size(&fs, fd, &size) == 0 && size == 1);
	char digest[HEX_SIZE];
	int seal = fs.calls->seal(&fs, fd, digest);
	check(seal == SEAL_UNSUPPORTED || seal == SEAL_NEW);
	check(fs.calls->close(&fs, fd) == 0);
	check(fs.calls->sync_all(&fs) == 0 && fs.calls->checkpoint(&fs) == 0);
	check(fs.calls->room(&fs, &room) == 0);
}

static int count(void *context, const char *name)
{
	(void)name;
	++*(int *)context;
	return 0;
}

static int stop(void *context, const char *name)
{
	(void)context;
	(void)name;
	return 7;
}

static void test_names(void)
{
	char target[64], path[128];
	int names = 0;
	struct error none;

	check(fs.calls->symlink(&fs, "../state/one", "state/link") == 0 && fs_exists(&fs, "state/link"));
	check(fs.calls->readlink(&fs, "state/link", target, sizeof target) == 12 && strcmp(target, "../state/one") == 0);
	check(fs.calls->readlink(&fs, "state/link", target, 12) < 0 && errno == ENAMETOOLONG);
	check(fs.calls->readlink(&fs, "state/one", target, sizeof target) < 0 && errno == EINVAL);
	check(fs.calls->list(&fs, "state", count, &names) == 0 && names == 2);
	check(fs.calls->list(&fs, "state", stop, NULL) == 7);
	check(fs.calls->list(&fs, "none", count, &names) < 0 && errno == ENOENT);

	// A second name of the link itself, and not of what it names.
	check(fs.calls->link(&fs, "state/link", "second") == 0 && fs.calls->readlink(&fs, "second", target, sizeof target) == 12);
	check(fs.calls->same(&fs, "state/link", "second") == 1 && fs.calls->same(&fs, "state/link", "state/one") == 0);
	check(fs.calls->same(&fs, "state/link", "nothing") < 0 && errno == ENOENT);
	check(fs.calls->link(&fs, "state/link", "second") < 0 && errno == EEXIST && fs.calls->unlink(&fs, "second") == 0);

	// Nothing follows a link or leaves the root.
	check(fs.calls->open(&fs, "state/link", FS_READ) < 0 && errno == ELOOP);
	check(fs.calls->symlink(&fs, "state", "alias") == 0);
	check(fs.calls->open(&fs, "alias/one", FS_READ) < 0 && errno == ELOOP);
	check(fs.calls->unlink(&fs, "alias/one") < 0 && errno == ELOOP);
	check(fs.calls->open(&fs, "../../etc/passwd", FS_READ) < 0 && errno == EXDEV);
	check(fs.calls->open(&fs, "/etc/passwd", FS_READ) < 0 && errno == EXDEV);
	check(fs.calls->rename(&fs, "state/one", "../one") < 0 && errno == EXDEV);
	check(fs.calls->open(&fs, "state", FS_READ) < 0 && errno == EISDIR);
	check(fs.calls->rmdir(&fs, "..") < 0 && errno == EINVAL);
	snprintf(path, sizeof path, "%s/pipe", root);
	check(mkfifo(path, 0600) == 0);
	alarm(20);
	check(fs.calls->open(&fs, "pipe", FS_READ) < 0 && errno == EINVAL);
	check(fs.calls->open(&fs, "pipe", FS_APPEND) < 0);
	alarm(0);

	check(fs.calls->rename(&fs, "state/one", "two") == 0 && fs.calls->sync_folder(&fs, "") == 0);
	check(fs.calls->unlink(&fs, "two") == 0 && fs.calls->unlink(&fs, "two") < 0 && errno == ENOENT);
	check(fs.calls->rmdir(&fs, "state") < 0 && errno == ENOTEMPTY);
	check(fs.calls->unlink(&fs, "state/link") == 0 && fs.calls->rmdir(&fs, "state") == 0);
	check(fs.calls->unlink(&fs, "alias") == 0 && fs.calls->unlink(&fs, "pipe") == 0);
	check_error(fs_make_folder(&fs, "a/b", 0755, err), "No such file");
	check(fs_read_file(&fs, "none", 1, &(size_t){0}, &none) == NULL && strstr(none.text, "none: No such") != NULL);
}

int main(void)
{
	check(mkdtemp(root) != NULL);
	fs_real(&fs, root);
	test_files();
	test_names();
	check(rmdir(root) == 0);
	return check_result("fs");
}
