// SPDX-License-Identifier: MIT
#include "io_limit.h"
#include "file.h"
#include "storage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// <digits>:<digits> and a line end.
static bool take_number(char out[DISK_SIZE], const char *text)
{
	size_t major_length = strspn(text, "0123456789"), minor_length = 0;

	if (major_length > 0 && text[major_length] == ':')
		minor_length = strspn(text + major_length + 1, "0123456789");
	size_t length = major_length + 1 + minor_length;
	if (minor_length == 0 || length >= DISK_SIZE || strcmp(text + length, "\n") != 0)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

int io_limit_disk(char out[DISK_SIZE], const char *sys, dev_t device, struct error *err)
{
	char path[PATH_MAX];
	size_t length;

	if (major(device) == 0)
		return fail(err, "not on a disk");
	// The link leads to the partition's folder, which lies in the disk's.
	snprintf(path, sizeof path, "%s/dev/block/%u:%u/partition", sys, major(device), minor(device));
	const char *up = access(path, F_OK) == 0 ? "/.." : "";
	snprintf(path, sizeof path, "%s/dev/block/%u:%u%s/dev", sys, major(device), minor(device), up);
	char *text = file_read(AT_FDCWD, path, 64, &length, err);
	if (text == NULL)
		return -1;
	bool good = take_number(out, text);
	free(text);
	return good ? 0 : fail(err, "%s: not a device number", path);
}

void io_limit_format(char out[IO_MAX_SIZE], const char *disk, const struct io_limits *io)
{
	char read[24] = "max", write[24] = "max";

	if (io->read > 0)
		snprintf(read, sizeof read, "%" PRIu64, io->read);
	if (io->write > 0)
		snprintf(write, sizeof write, "%" PRIu64, io->write);
	snprintf(out, IO_MAX_SIZE, "%s rbps=%s wbps=%s", disk, read, write);
}

static int put_limits(const struct layer *layer, struct error *err)
{
	char path[NAME_SIZE + 64], line[IO_MAX_SIZE], disk[DISK_SIZE];
	struct stat status;

	if (stat(STORAGE, &status) < 0)
		return fail_errno(err, "io limit: " STORAGE);
	if (io_limit_disk(disk, "/sys", status.st_dev, err) < 0)
		return fail_in(err, "io limit: " STORAGE);
	io_limit_format(line, disk, &layer->io);
	snprintf(path, sizeof path, "/sys/fs/cgroup/pycontainer/%s/io.max", layer->name);
	return file_put(path, line, err) < 0 ? fail_in(err, "io limit") : 0;
}

int io_limit_apply(const struct layer *layer, struct error *err)
{
	return layer->io.read == 0 && layer->io.write == 0 ? 0 : put_limits(layer, err);
}

int io_limit_change(const struct layer *before, const struct layer *after, struct error *err)
{
	bool same = before->io.read == after->io.read && before->io.write == after->io.write;

	return same ? 0 : put_limits(after, err);
}
