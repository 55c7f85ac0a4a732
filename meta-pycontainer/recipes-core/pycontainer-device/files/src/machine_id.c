// SPDX-License-Identifier: MIT
#include "machine_id.h"
#include "file.h"
#include "text.h"
#include "verity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PATH "state/machine"

enum { secret_size = 32 };

// Returns 1, or 0 when there is none.
static int load(struct fs *fs, unsigned char secret[secret_size], struct error *err)
{
	size_t length;
	int fd = fs->calls->open(fs, PATH, FS_READ);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, PATH);
	char *text = fs_read_open(fs, fd, secret_size, &length, err);
	fs->calls->close(fs, fd);
	if (text == NULL)
		return fail_in(err, PATH);
	bool right = length == secret_size;
	if (right)
		memcpy(secret, text, secret_size);
	free(text);
	return right ? 1 : fail(err, PATH " is damaged; remove it to give the containers other machine ids");
}

static int make(struct fs *fs, unsigned char secret[secret_size], struct error *err)
{
	ssize_t got;

	while ((got = getrandom(secret, secret_size, 0)) < 0 && errno == EINTR)
		;
	if (got != secret_size)
		return fail_errno(err, "random numbers");
	return fs_make_folder(fs, "state", 0700, err) < 0 ? -1 : fs_write_file(fs, PATH, secret, secret_size, err);
}

int machine_id_make(char out[MACHINE_ID_SIZE], struct fs *fs, const char *layer, struct error *err)
{
	unsigned char bytes[secret_size + NAME_SIZE] = {0};
	char hex[HEX_SIZE];
	int found = load(fs, bytes, err);

	if (found < 0 || (found == 0 && make(fs, bytes, err) < 0))
		return -1;
	snprintf((char *)bytes + secret_size, NAME_SIZE, "%s", layer);
	hash_bytes(hex, bytes, sizeof bytes);
	// The form of a random UUID, version 4, as machine-id(5) recommends.
	hex[12] = '4';
	hex[16] = "89ab"[hex[16] % 4];
	snprintf(out, MACHINE_ID_SIZE, "%.32s\n", hex);
	return 0;
}

int machine_id_put(struct fs *fs, const char *layer, struct error *err)
{
	char id[MACHINE_ID_SIZE], path[NAME_SIZE + sizeof MACHINE_ID_FOLDER];

	if (machine_id_make(id, fs, layer, err) < 0 || folder_make(MACHINE_ID_FOLDER, 0755, err) < 0)
		return fail_in(err, "machine id");
	snprintf(path, sizeof path, MACHINE_ID_FOLDER "/%s", layer);
	// The very bytes of before, which a container that still runs may have mounted.
	if (access(path, F_OK) == 0)
		return 0;
	return file_make(path, id, sizeof id - 1, 0444, err) < 0 ? fail_in(err, "machine id") : 0;
}
