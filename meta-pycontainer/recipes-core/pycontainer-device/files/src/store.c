// SPDX-License-Identifier: MIT
#include "store.h"
#include "file.h"
#include "verify.h"
#include "verity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_LIMIT (1u << 20)

struct path {
	char text[128];
};

static struct path blob_path(const char *digest)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "blobs/sha256/%.64s", digest);
	return path;
}

char *store_reader(void *fs, const char *digest, size_t limit, size_t *length, struct error *err)
{
	return fs_read_file(fs, blob_path(digest).text, limit, length, err);
}

bool store_target(const char *target, char digest[HEX_SIZE])
{
	static const char form[] = "../../blobs/sha256/";

	if (strncmp(target, form, sizeof form - 1) != 0 || !text_is_hex64(target + sizeof form - 1))
		return false;
	memcpy(digest, target + sizeof form - 1, HEX_SIZE);
	return true;
}

int store_link(struct fs *fs, const char *path, char digest[HEX_SIZE], struct error *err)
{
	char target[128];

	if (fs->calls->readlink(fs, path, target, sizeof target) < 0)
		return fail_errno(err, "%s", path);
	return store_target(target, digest) ? 0 : fail(err, "%s: not a link into blobs/sha256", path);
}

int store_load_from(struct revision *out, struct fs *fs, const char *id, const struct facts *facts, struct error *err)
{
	char path[128], signature[HEX_SIZE];

	memset(out, 0, sizeof *out);
	// The signature is the one blob that no signed text names: a link beside the manifest says which it is, and the
	// signature itself says whether that was right.
	snprintf(path, sizeof path, "revisions/%.64s/signature", id);
	if (store_link(fs, path, signature, err) < 0)
		return fail_in(err, "revision %.12s", id);
	return verify_revision(out, id, signature, store_reader, fs, facts, err);
}

int store_load(struct revision *out, const char *root, const char *id, const struct facts *facts, struct error *err)
{
	struct fs fs;

	fs_real(&fs, root);
	return store_load_from(out, &fs, id, facts, err);
}

int store_manifest(struct revision *out, struct fs *fs, const char *id, struct error *err)
{
	size_t length;

	memset(out, 0, sizeof *out);
	int fd = fs->calls->open(fs, blob_path(id).text, FS_READ);
	if (fd < 0) {
		bool none = errno == ENOENT;
		fail_errno(err, "manifest %.12s", id);
		return none ? 0 : -1;
	}
	char *text = fs_read_open(fs, fd, MANIFEST_LIMIT, &length, err);
	fs->calls->close(fs, fd);
	if (text == NULL)
		return fail_in(err, "manifest %.12s", id);
	text = verify_content(text, &length, id, err);
	int result = text == NULL ? fail_in(err, "manifest %.12s", id) : revision_parse_manifest(out, text, length, err);
	free(text);
	if (result == 0)
		memcpy(out->id, id, sizeof out->id);
	return result == 0;
}

int store_prove(struct fs *fs, const struct blob *blob, int fd, struct seal_counts *counts, struct error *err)
{
	char found[HEX_SIZE];
	uint64_t size;

	if (fs->calls->size(fs, fd, &size) < 0)
		return fail_errno(err, "stat");
	if (size != blob->size) {
		fail(err, "not a file of %" PRIu64 " bytes", blob->size);
		return 0;
	}
	int seal = fs->calls->seal(fs, fd, found);
	if (seal < 0)
		return fail_errno(err, "fs-verity");
	if (seal == SEAL_OK || seal == SEAL_NEW) {
		counts->sealed += seal == SEAL_OK;
		counts->newly += seal == SEAL_NEW;
		if (strcmp(found, blob->verity) == 0)
			return 1;
		fail(err, "fs-verity digest differs: the content was changed or damaged");
		return 0;
	}
	if (counts->hashed_before)
		return 1;
	counts->hashed++;
	counts->unsealed = seal == SEAL_UNSUPPORTED ? "no fs-verity here" : "storage is full or read-only";
	if (fs_hash(fs, fd, found, err) < 0)
		return -1;
	if (strcmp(found, blob->digest) == 0)
		return 1;
	fail(err, "digest differs: the content was changed or damaged");
	return 0;
}

int store_open(const char *root, const struct blob *blob, struct seal_counts *counts, struct error *err)
{
	struct fs fs;

	fs_real(&fs, root);
	int fd = fs.calls->open(&fs, blob_path(blob->digest).text, FS_READ);
	if (fd >= 0 && store_prove(&fs, blob, fd, counts, err) == 1)
		return fd;
	if (fd >= 0)
		fs.calls->close(&fs, fd);
	else if (errno == EINVAL || errno == EISDIR)
		fail(err, "not a file");
	else
		fail_errno(err, "opening");
	return fail_in(err, "%s of layer %s (%.12s)", blob->role, blob->layer, blob->digest);
}

char *store_read(const struct blob *blob, int fd, size_t *length, struct error *err)
{
	char *text = verify_content(file_read_fd(fd, SMALL_LIMIT, length, err), length, blob->digest, err);

	if (text == NULL)
		fail_in(err, "%s of layer %s (%.12s)", blob->role, blob->layer, blob->digest);
	return text;
}
