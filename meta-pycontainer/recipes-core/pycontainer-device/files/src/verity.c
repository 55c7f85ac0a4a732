// SPDX-License-Identifier: MIT
#include "verity.h"

#include <errno.h>
#include <linux/fsverity.h>
#include <sodium.h>
#include <sys/ioctl.h>
#include <time.h>

#define BLOCK 4096
#define BUSY_MS 50
#define BUSY_MOST_MS 300000

void hash_bytes(char out[HEX_SIZE], const void *bytes, size_t length)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, bytes, length);
	text_to_hex(out, hash, sizeof hash);
}

static int measure(char out[HEX_SIZE], int fd)
{
	union {
		struct fsverity_digest digest;
		unsigned char room[sizeof(struct fsverity_digest) + 64];
	} result = {.digest = {.digest_size = 64}};

	if (ioctl(fd, FS_IOC_MEASURE_VERITY, &result.digest) < 0)
		return -1;
	if (result.digest.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 || result.digest.digest_size != 32) {
		errno = EBADMSG;
		return -1;
	}
	text_to_hex(out, result.room + sizeof(struct fsverity_digest), 32);
	return 0;
}

static bool unsupported(int error)
{
	return error == ENOTTY || error == EOPNOTSUPP || error == ENOPKG;
}

// Another process of ours may be sealing the same file, the one that looks after all blobs behind the containers' start:
// the kernel refuses the second, and what the first comes to is what we want.
static int enable(int fd)
{
	struct fsverity_enable_arg arguments = {
		.version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = BLOCK};
	const struct timespec pause = {.tv_nsec = BUSY_MS * 1000000};

	for (unsigned waited = 0; waited < BUSY_MOST_MS; waited += BUSY_MS) {
		if (ioctl(fd, FS_IOC_ENABLE_VERITY, &arguments) == 0)
			return 0;
		if (errno != EBUSY)
			return -1;
		nanosleep(&pause, NULL);
	}
	return -1;
}

int verity_seal(char out[HEX_SIZE], int fd, struct error *err)
{
	if (measure(out, fd) == 0)
		return SEAL_OK;
	if (unsupported(errno))
		return SEAL_UNSUPPORTED;
	if (errno != ENODATA)
		return fail_errno(err, "measuring fs-verity");
	if (enable(fd) < 0 && errno != EEXIST) {
		if (errno == ENOSPC || errno == EDQUOT || errno == EROFS)
			return SEAL_NO_ROOM;
		return unsupported(errno) ? SEAL_UNSUPPORTED : fail_errno(err, "sealing with fs-verity");
	}
	if (measure(out, fd) < 0)
		return fail_errno(err, "measuring fs-verity");
	return SEAL_NEW;
}
