// SPDX-License-Identifier: MIT
// A bundle as a folder, and as an archive that tar itself made.
#include "bundle.h"
#include "check.h"
#include "product.h"
#include "program.h"

#include <unistd.h>

static struct made made;

static void read_through(struct bundle *bundle)
{
	struct error err;
	size_t length;
	uint64_t offset, size;
	int fd;
	char start[9] = "";

	check(bundle->layout.revision_count == 1 && bundle->layout.signature_count == 1);
	check(strcmp(bundle->layout.revisions[0].digest, made.id) == 0);
	char *text = bundle_read(bundle, made.kernel, 100, &length, &err);
	check(text != NULL && length == 8 && strcmp(text, "a kernel") == 0);
	free(text);
	check(bundle_read(bundle, made.kernel, 7, &length, &err) == NULL && strstr(err.text, "larger than 7") != NULL);
	check(bundle_open_blob(bundle, made.kernel, &fd, &offset, &size, &err) == 0 && size == 8);
	check(bundle->fs->calls->read(bundle->fs, fd, start, 8, offset) == 8 && strcmp(start, "a kernel") == 0);
	bundle_close_blob(bundle, fd);
	char none[HEX_SIZE];
	memset(none, '0', 64);
	none[64] = '\0';
	check(bundle_open_blob(bundle, none, &fd, &offset, &size, &err) < 0 && strstr(err.text, "it has no blob") != NULL);
}

static int refuse(struct memfs *memfs, const char *path, struct error *err)
{
	struct bundle bundle;
	int result = bundle_open(&bundle, &memfs->fs, path, err);

	bundle_close(&bundle);
	return result;
}

static void test_folder(void)
{
	static const struct sample sample;
	struct memfs stick;
	struct bundle bundle;
	struct error none;
	size_t length;
	char path[128];

	memfs_init(&stick, NULL);
	product_bundle(&stick, "update/", &sample, 1, &made);
	check(bundle_open(&bundle, &stick.fs, "update", &none) == 0);
	read_through(&bundle);
	snprintf(path, sizeof path, "update/blobs/sha256/%s", made.kernel);
	memfs_put(&stick, path, "a kermel", 8);
	check(bundle_read(&bundle, made.kernel, 100, &length, &none) == NULL && strstr(none.text, "was changed") != NULL);
	bundle_close(&bundle);
	check_error(refuse(&stick, "", err), "not an OCI image layout: oci-layout: No such file");
	check_error(refuse(&stick, "none", err), "bundle none: No such file");
	memfs_put(&stick, "update/oci-layout", "{\"imageLayoutVersion\":\"2\"}", 26);
	check_error(refuse(&stick, "update", err), "not an OCI image layout");
	memfs_put(&stick, "update/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	memfs_put(&stick, "update/index.json", "{}", 2);
	check_error(refuse(&stick, "update", err), "index.json: schemaVersion");
	memfs_put(&stick, "empty.tar", "", 0);
	check_error(refuse(&stick, "empty.tar", err), "tar: cut short");
	char zeros[1024] = {0};
	memfs_put(&stick, "empty.tar", zeros, sizeof zeros);
	check_error(refuse(&stick, "empty.tar", err), "oci-layout is missing");
	check(memfs_open(&stick) == 0);
	memfs_free(&stick);
}

// Copy a folder of the file system in memory to a real one.
struct copy {
	struct memfs *from;
	struct fs *to;
	const char *folder;
};

static int copy_one(void *context, const char *name)
{
	const struct copy *copy = context;
	char path[300];
	struct error err;
	size_t length;

	snprintf(path, sizeof path, "%s%s", copy->folder, name);
	const char *bytes = memfs_get(copy->from, path, &length);
	if (bytes != NULL)
		check(fs_write_file(copy->to, path, bytes, length, &err) == 0);
	return 0;
}

static void copy_folder(struct memfs *from, struct fs *to, const char *folder)
{
	struct copy copy = {from, to, folder};
	char path[64];

	snprintf(path, sizeof path, "%.*s", (int)strlen(folder) - (folder[0] != '\0'), folder);
	check(from->fs.calls->list(&from->fs, path, copy_one, &copy) == 0);
}

static void test_archive(void)
{
	static const char *const formats[] = {"--format=ustar", "--format=gnu", "--format=posix"};
	static const struct sample sample;
	char root[] = "/dev/shm/pyc-bundle-XXXXXX", path[64], said[200];
	struct memfs stick;
	struct bundle bundle;
	struct error err;
	struct fs fs;

	memfs_init(&stick, NULL);
	product_bundle(&stick, "layout/", &sample, 1, &made);
	check(mkdtemp(root) != NULL);
	fs_real(&fs, root);
	check(fs_make_folder(&fs, "layout", 0755, &err) == 0 && fs_make_folder(&fs, "layout/blobs", 0755, &err) == 0);
	check(fs_make_folder(&fs, "layout/blobs/sha256", 0755, &err) == 0);
	copy_folder(&stick, &fs, "layout/");
	copy_folder(&stick, &fs, "layout/blobs/sha256/");
	snprintf(path, sizeof path, "%s/layout", root);
	for (size_t i = 0; i < 3; i++) {
		char target[64];
		snprintf(target, sizeof target, "%s/bundle.tar", root);
		const char *const argv[] = {"/bin/tar", formats[i], "-C", path, "-cf", target, ".", NULL};
		check(program_run(argv, 60000, said, sizeof said, &err) == 0);
		check(bundle_open(&bundle, &fs, "bundle.tar", &err) == 0);
		read_through(&bundle);
		bundle_close(&bundle);
	}
	check(bundle_open(&bundle, &fs, "layout", &err) == 0);
	read_through(&bundle);
	bundle_close(&bundle);
	const char *const argv[] = {"/bin/rm", "-r", root, NULL};
	check(program_run(argv, 60000, said, sizeof said, &err) == 0);
	memfs_free(&stick);
}

int main(void)
{
	product_init();
	test_folder();
	test_archive();
	return check_result("bundle");
}
