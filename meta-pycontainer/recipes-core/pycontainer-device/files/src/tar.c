// SPDX-License-Identifier: MIT
#include "tar.h"
#include "tar_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// Every header costs a read, and an archive of nothing but headers must end some time.
#define MEMBERS_MOST 65536
#define EXTENDED_MOST 65536

struct reader {
	struct fs *fs;
	int fd;
	uint64_t at, end;
	struct tar_extended extended;
	struct tar *out;
	size_t room;
};

static int read_at(struct reader *reader, void *bytes, size_t length, uint64_t at, struct error *err)
{
	char *next = bytes;

	while (length > 0) {
		ssize_t got = reader->fs->calls->read(reader->fs, reader->fd, next, length, at);
		if (got < 0)
			return fail_errno(err, "reading");
		if (got == 0)
			return fail(err, "cut short");
		next += got;
		at += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}

// Headers that say something about the next one. The size is known to lie within the archive.
static int read_extended(struct reader *reader, char type, uint64_t size, struct error *err)
{
	if (size > EXTENDED_MOST)
		return fail(err, "larger than %d bytes", EXTENDED_MOST);
	char *text = malloc((size_t)size + 1);
	if (text == NULL)
		return fail_errno(err, "extended header");
	int result = read_at(reader, text, (size_t)size, reader->at, err);
	text[size] = '\0';
	if (result == 0)
		result = type == 'L' ? tar_set_path(&reader->extended, text, strnlen(text, (size_t)size), err)
				     : tar_parse_extended(&reader->extended, text, (size_t)size, type == 'g', err);
	free(text);
	return result < 0 ? fail_in(err, "extended header") : 0;
}

static int add_blob(struct reader *reader, const char *hex, uint64_t size, struct error *err)
{
	struct tar *out = reader->out;

	if (out->blob_count == TAR_BLOBS_MOST)
		return fail(err, "more than %d blobs", TAR_BLOBS_MOST);
	if (out->blob_count == reader->room) {
		size_t room = reader->room == 0 ? 64 : reader->room * 2;
		struct tar_file *larger = realloc(out->blobs, room * sizeof *larger);
		if (larger == NULL)
			return fail_errno(err, "blobs");
		out->blobs = larger;
		reader->room = room;
	}
	struct tar_file *blob = &out->blobs[out->blob_count++];
	memcpy(blob->hex, hex, HEX_SIZE);
	blob->offset = reader->at;
	blob->size = size;
	return 0;
}

static int take(struct reader *reader, const char *path, char type, uint64_t size, struct error *err)
{
	static const char folder[] = "blobs/sha256/";
	struct tar_file *single = NULL;

	if (strncmp(path, "./", 2) == 0)
		path += 2;
	if (strcmp(path, "oci-layout") == 0)
		single = &reader->out->layout;
	else if (strcmp(path, "index.json") == 0)
		single = &reader->out->index;
	else if (strncmp(path, folder, sizeof folder - 1) != 0 || !text_is_hex64(path + sizeof folder - 1))
		return 0;
	if (type != '0' && type != '\0')
		return fail(err, "%.80s: not a file", path);
	if (single == NULL)
		return add_blob(reader, path + sizeof folder - 1, size, err);
	if (single->offset != 0)
		return fail(err, "%s: twice", path);
	*single = (struct tar_file){.offset = reader->at, .size = size};
	return 0;
}

static int read_member(struct reader *reader, const struct tar_header *header, struct error *err)
{
	uint64_t size;
	char type = header->type;
	bool extended = type == 'x' || type == 'g' || type == 'L' || type == 'K';

	if (tar_check(header, err) < 0 || tar_number(&size, header->size, sizeof header->size, err) < 0)
		return -1;
	if (!extended && reader->extended.has_size)
		size = reader->extended.size;
	// Links, devices and folders have no content, whatever some writers say.
	if (type >= '1' && type <= '6')
		size = 0;
	if (size > reader->end - reader->at)
		return fail(err, "cut short");
	if (type == 'K') {
		// The target of a link, and links are passed over.
	} else if (extended) {
		if (read_extended(reader, type, size, err) < 0)
			return -1;
	} else {
		if (!reader->extended.has_path)
			tar_own_path(&reader->extended, header);
		if (take(reader, reader->extended.path, type, size, err) < 0)
			return -1;
		reader->extended.has_path = reader->extended.has_size = false;
	}
	uint64_t padded = size + (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
	reader->at = padded > reader->end - reader->at ? reader->end : reader->at + padded;
	return 0;
}

static bool is_zero(const struct tar_header *header)
{
	const char *bytes = (const char *)header;

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, TAR_BLOCK - 1) == 0;
}

static int read_members(struct reader *reader, struct error *err)
{
	struct tar_header header;
	unsigned zeros = 0;

	if (reader->fs->calls->size(reader->fs, reader->fd, &reader->end) < 0)
		return fail_errno(err, "size");
	for (unsigned count = 0; zeros < 2; count++) {
		if (count == MEMBERS_MOST)
			return fail(err, "more than %d members", MEMBERS_MOST);
		if (reader->end - reader->at < TAR_BLOCK)
			return fail(err, "cut short");
		if (read_at(reader, &header, sizeof header, reader->at, err) < 0)
			return -1;
		reader->at += TAR_BLOCK;
		if (is_zero(&header)) {
			zeros++;
			continue;
		}
		if (zeros > 0)
			return fail(err, "a member behind the end mark");
		if (read_member(reader, &header, err) < 0)
			return fail_in(err, "at byte %" PRIu64, reader->at - TAR_BLOCK);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct tar_file *)a)->hex, ((const struct tar_file *)b)->hex);
}

int tar_index(struct tar *out, struct fs *fs, int fd, struct error *err)
{
	struct reader *reader = calloc(1, sizeof *reader);

	memset(out, 0, sizeof *out);
	if (reader == NULL)
		return fail_errno(err, "tar");
	reader->fs = fs;
	reader->fd = fd;
	reader->out = out;
	int result = read_members(reader, err);
	free(reader);
	if (result < 0)
		return fail_in(err, "tar");
	if (out->blob_count > 0)
		qsort(out->blobs, out->blob_count, sizeof *out->blobs, compare);
	for (size_t i = 1; i < out->blob_count; i++)
		if (compare(&out->blobs[i - 1], &out->blobs[i]) == 0)
			return fail(err, "tar: blob %.12s twice", out->blobs[i].hex);
	return 0;
}

void tar_free(struct tar *tar)
{
	free(tar->blobs);
	memset(tar, 0, sizeof *tar);
}

const struct tar_file *tar_find(const struct tar *tar, const char *hex)
{
	struct tar_file wanted = {.offset = 0};

	if (tar->blob_count == 0)
		return NULL;
	memcpy(wanted.hex, hex, sizeof wanted.hex);
	return bsearch(&wanted, tar->blobs, tar->blob_count, sizeof *tar->blobs, compare);
}
