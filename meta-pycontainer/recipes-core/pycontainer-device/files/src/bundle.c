// SPDX-License-Identifier: MIT
#include "bundle.h"
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT_FILE_LIMIT 4096

static int file_path(char *out, size_t size, const struct bundle *bundle, const char *name, struct error *err)
{
	int length = snprintf(out, size, "%s%s%s", bundle->path, bundle->path[0] == '\0' ? "" : "/", name);

	return length < 0 || (size_t)length >= size ? fail(err, "%.64s...: path too long", bundle->path) : 0;
}

// Read so many bytes of an open file. Returns a zero-terminated buffer to free, or NULL.
static char *read_part(struct fs *fs, int fd, uint64_t offset, uint64_t size, size_t limit, struct error *err)
{
	size_t used = 0;

	if (size > limit) {
		fail(err, "larger than %zu bytes", limit);
		return NULL;
	}
	char *text = malloc((size_t)size + 1);
	if (text == NULL) {
		fail_errno(err, "reading");
		return NULL;
	}
	while (used < size) {
		ssize_t got = fs->calls->read(fs, fd, text + used, (size_t)size - used, offset + used);
		if (got <= 0) {
			got < 0 ? fail_errno(err, "reading") : fail(err, "cut short");
			free(text);
			return NULL;
		}
		used += (size_t)got;
	}
	text[size] = '\0';
	return text;
}

// Read oci-layout or index.json.
static char *read_file(struct bundle *bundle, const char *name, const struct tar_file *file, size_t limit, size_t *length,
		       struct error *err)
{
	char path[sizeof bundle->path + 96];

	if (bundle->archive < 0)
		return file_path(path, sizeof path, bundle, name, err) < 0
			       ? NULL : fs_read_file(bundle->fs, path, limit, length, err);
	if (file->offset == 0) {
		fail(err, "%s is missing", name);
		return NULL;
	}
	char *text = read_part(bundle->fs, bundle->archive, file->offset, file->size, limit, err);
	if (text == NULL)
		fail_in(err, "%s", name);
	*length = (size_t)file->size;
	return text;
}

static int read_layout(struct bundle *bundle, struct error *err)
{
	size_t length;
	char *text = read_file(bundle, "oci-layout", &bundle->tar.layout, LAYOUT_FILE_LIMIT, &length, err);
	int result = text == NULL ? -1 : layout_parse_version(text, length, err);

	free(text);
	if (result < 0)
		return fail_in(err, "not an OCI image layout");
	text = read_file(bundle, "index.json", &bundle->tar.index, LAYOUT_LIMIT, &length, err);
	result = text == NULL ? -1 : layout_parse(&bundle->layout, text, length, err);
	free(text);
	return result;
}

int bundle_open(struct bundle *out, struct fs *fs, const char *path, struct error *err)
{
	memset(out, 0, sizeof *out);
	out->fs = fs;
	out->archive = -1;
	if (strlen(path) >= sizeof out->path)
		return fail(err, "bundle %.64s...: path too long", path);
	strcpy(out->path, path);
	int fd = fs->calls->open(fs, path, FS_READ);
	if (fd < 0 && errno != EISDIR)
		return fail_errno(err, "bundle %s", path);
	out->archive = fd;
	if ((fd >= 0 && tar_index(&out->tar, fs, fd, err) < 0) || read_layout(out, err) < 0)
		return fail_in(err, "bundle %s", path);
	return 0;
}

void bundle_close(struct bundle *bundle)
{
	if (bundle->archive >= 0)
		bundle->fs->calls->close(bundle->fs, bundle->archive);
	bundle->archive = -1;
	tar_free(&bundle->tar);
	layout_free(&bundle->layout);
}

int bundle_open_blob(struct bundle *bundle, const char *hex, int *fd, uint64_t *offset, uint64_t *size, struct error *err)
{
	char path[sizeof bundle->path + 96], name[80];

	*fd = -1;
	*offset = 0;
	if (bundle->archive >= 0) {
		const struct tar_file *file = tar_find(&bundle->tar, hex);
		if (file == NULL)
			return fail(err, "bundle: it has no blob %.12s", hex);
		*fd = bundle->archive;
		*offset = file->offset;
		*size = file->size;
		return 0;
	}
	snprintf(name, sizeof name, "blobs/sha256/%.64s", hex);
	if (file_path(path, sizeof path, bundle, name, err) < 0)
		return -1;
	*fd = bundle->fs->calls->open(bundle->fs, path, FS_READ);
	if (*fd < 0 && errno == ENOENT)
		return fail(err, "bundle: it has no blob %.12s", hex);
	if (*fd < 0)
		return fail_errno(err, "bundle: blob %.12s", hex);
	if (bundle->fs->calls->size(bundle->fs, *fd, size) == 0)
		return 0;
	fail_errno(err, "bundle: blob %.12s", hex);
	bundle_close_blob(bundle, *fd);
	*fd = -1;
	return -1;
}

void bundle_close_blob(struct bundle *bundle, int fd)
{
	if (fd >= 0 && fd != bundle->archive)
		bundle->fs->calls->close(bundle->fs, fd);
}

char *bundle_read(struct bundle *bundle, const char *hex, size_t limit, size_t *length, struct error *err)
{
	uint64_t offset, size;
	int fd;

	if (bundle_open_blob(bundle, hex, &fd, &offset, &size, err) < 0)
		return NULL;
	char *text = read_part(bundle->fs, fd, offset, size, limit, err);
	bundle_close_blob(bundle, fd);
	*length = (size_t)size;
	text = verify_content(text, length, hex, err);
	if (text == NULL)
		fail_in(err, "bundle: blob %.12s", hex);
	return text;
}
