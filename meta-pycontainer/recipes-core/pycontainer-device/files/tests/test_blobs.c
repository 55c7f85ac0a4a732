// SPDX-License-Identifier: MIT
// One blob, received whole, in pieces, wrongly and over what was there before.
#include "blobs.h"
#include "check.h"
#include "memfs.h"
#include "verity.h"

#include <errno.h>

#define SIZE 200000

static char content[SIZE + 1], digest[HEX_SIZE], verity[HEX_SIZE], incoming[96], path[96];
static const char wrong[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// A source that gives at most so many bytes of `content`, then ends or fails.
struct source {
	uint64_t end;
	int error;
	unsigned calls;
	uint64_t first;
};

static ssize_t give(void *context, void *bytes, size_t length, uint64_t at)
{
	struct source *source = context;

	if (source->calls++ == 0)
		source->first = at;
	if (at >= source->end) {
		errno = source->error;
		return source->error != 0 ? -1 : 0;
	}
	if (length > source->end - at)
		length = (size_t)(source->end - at);
	memcpy(bytes, content + at, length);
	return (ssize_t)length;
}

static int receive(struct memfs *memfs, struct source source, uint64_t size, const char *seal, struct error *err)
{
	return blob_receive(&memfs->fs, digest, size, seal, give, &source, err);
}

static void fresh(struct memfs *memfs)
{
	memfs_init(memfs, NULL);
	memfs_put(memfs, "blobs/sha256/other", "x", 1);
	memfs_settle(memfs);
}

static bool has(const struct memfs *memfs, const char *name, size_t size)
{
	size_t length;

	const char *bytes = memfs_get(memfs, name, &length);
	return bytes != NULL && length == size && memcmp(bytes, content, size) == 0;
}

static void test_whole(void)
{
	struct memfs memfs;
	struct error none;
	uint64_t received;
	size_t length;

	fresh(&memfs);
	check(blob_received(&memfs.fs, digest, SIZE, &received, &none) == 0 && received == 0);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0);
	check(has(&memfs, path, SIZE) && memfs_get(&memfs, incoming, &length) == NULL);
	// Nothing was synced for it alone; what syncs all leaves it to a power cut as it is, sealed.
	check(memfs.fs.calls->sync_all(&memfs.fs) == 0);
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(has(&memfs, path, SIZE));
	int fd = memfs.fs.calls->open(&memfs.fs, path, FS_READ);
	char found[HEX_SIZE];
	check(memfs.fs.calls->seal(&memfs.fs, fd, found) == SEAL_OK && strcmp(found, verity) == 0);
	memfs.fs.calls->close(&memfs.fs, fd);
	// It is there, and is what it should be: the source is not asked.
	check(receive(&memfs, (struct source){.end = 0, .error = EIO}, SIZE, verity, &none) == 0);
	check(blob_received(&memfs.fs, digest, SIZE, &received, &none) == 0 && received == SIZE);
	check(memfs_open(&memfs) == 0);
	memfs_free(&memfs);

	// In the place of one of another size.
	fresh(&memfs);
	memfs_put(&memfs, path, content, 10);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);

	// Without fs-verity, and with a digest that nobody knows.
	fresh(&memfs);
	memfs.no_verity = true;
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, "", &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);
}

// A power cut before the one sync of an install: whatever it leaves under the blob's name is found out.
static void test_power_cut(void)
{
	struct memfs base, memfs;
	struct receiver receiver;
	struct error none;
	unsigned present = 0;

	fresh(&base);
	check(receive(&base, (struct source){.end = SIZE}, SIZE, verity, &none) == 0);
	for (int how = 0; how < MEMFS_RESTARTS; how++) {
		memfs_copy(&memfs, &base, NULL);
		memfs_restart(&memfs, (enum memfs_restart)how);
		check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0);
		present += receiver.present;
		check(receiver.present == has(&memfs, path, SIZE));
		check(blob_pause(&receiver, &none) == 0);
		check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
		check(memfs_open(&memfs) == 0);
		memfs_free(&memfs);
	}
	check(present >= 1 && present < MEMFS_RESTARTS);
	memfs_free(&base);

	// One that is not to be sealed.
	fresh(&memfs);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, NULL, &none) == 0 && has(&memfs, path, SIZE));
	int fd = memfs.fs.calls->open(&memfs.fs, path, FS_READ);
	char found[HEX_SIZE];
	check(memfs.fs.calls->seal(&memfs.fs, fd, found) == SEAL_NEW);
	memfs.fs.calls->close(&memfs.fs, fd);
	memfs_free(&memfs);
}

static void test_resumed(void)
{
	struct memfs memfs;
	struct error none;
	struct source source = {.end = SIZE};
	uint64_t received;
	size_t length;

	fresh(&memfs);
	check_error(receive(&memfs, (struct source){.end = 70000, .error = EIO}, SIZE, verity, err),
		    "reading: Input/output error");
	check(has(&memfs, incoming, 70000) && memfs_open(&memfs) == 0);
	// What came before a stop is on the medium.
	memfs_restart(&memfs, MEMFS_NAMES);
	check(blob_received(&memfs.fs, digest, SIZE, &received, &none) == 0 && received == 70000);
	check_error(receive(&memfs, (struct source){.end = 90000}, SIZE, verity, err), "its source ends at byte 90000");
	check(blob_receive(&memfs.fs, digest, SIZE, verity, give, &source, &none) == 0 && source.first == 90000);
	check(has(&memfs, path, SIZE) && memfs_get(&memfs, incoming, &length) == NULL);
	memfs_free(&memfs);

	// The bytes from before prove wrong: all anew, once.
	fresh(&memfs);
	memfs_put(&memfs, incoming, "wrong bytes", 11);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);

	// Whole and sealed, only the name was not given; and longer than it should be.
	fresh(&memfs);
	memfs_put(&memfs, incoming, content, SIZE);
	int fd = memfs.fs.calls->open(&memfs.fs, incoming, FS_READ);
	char found[HEX_SIZE];
	check(memfs.fs.calls->seal(&memfs.fs, fd, found) == SEAL_NEW);
	memfs.fs.calls->close(&memfs.fs, fd);
	check(receive(&memfs, (struct source){.end = 0, .error = EIO}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);
	fresh(&memfs);
	char longer[SIZE + 5] = {0};
	memfs_put(&memfs, incoming, longer, sizeof longer);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);
	// Sealed with another size.
	fresh(&memfs);
	memfs_put(&memfs, incoming, content, 100);
	fd = memfs.fs.calls->open(&memfs.fs, incoming, FS_READ);
	check(memfs.fs.calls->seal(&memfs.fs, fd, found) == SEAL_NEW);
	memfs.fs.calls->close(&memfs.fs, fd);
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);
}

static void test_refused(void)
{
	struct memfs memfs;
	struct receiver receiver;
	struct error none;
	size_t length;

	fresh(&memfs);
	check_error(receive(&memfs, (struct source){.end = SIZE}, SIZE, wrong, err), "fs-verity digest is not the one");
	check(memfs_get(&memfs, incoming, &length) == NULL && memfs_get(&memfs, path, &length) == NULL);
	check_error(receive(&memfs, (struct source){.end = SIZE}, SIZE - 1, "", err), "do not have this digest");
	check(memfs_get(&memfs, incoming, &length) == NULL && memfs_get(&memfs, path, &length) == NULL);

	// Pushed piece by piece.
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0 && receiver.received == 0 && !receiver.present);
	check(blob_append(&receiver, content, 1000, &none) == 0);
	check_error(blob_append(&receiver, content, SIZE, err), "more than its 200000 bytes");
	check_error(blob_finish(&receiver, "", err), "1000 of its 200000 bytes came");
	check(has(&memfs, incoming, 1000));
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0 && receiver.received == 1000);
	check(blob_append(&receiver, content + 1000, 500, &none) == 0 && blob_pause(&receiver, &none) == 0);
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0 && receiver.received == 1500);
	check(blob_append(&receiver, content + 1500, SIZE - 1500, &none) == 0 && blob_finish(&receiver, verity, &none) == 0);
	check(has(&memfs, path, SIZE));
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0 && receiver.present);
	check(blob_finish(&receiver, verity, &none) == 0 && memfs_open(&memfs) == 0);
	memfs_free(&memfs);

	// A full disk keeps what fits.
	fresh(&memfs);
	memfs.capacity = 100 * 1024;
	check_error(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, err), "No space");
	check(has(&memfs, incoming, 65536));
	memfs.capacity = 0;
	check(receive(&memfs, (struct source){.end = SIZE}, SIZE, verity, &none) == 0);
	memfs_free(&memfs);
}

static void test_pace(void)
{
	struct pace pace;
	struct error none;

	pace_begin(&pace, 5, 1000);
	check(pace_check(&pace, 6, 1000 + PACE_MS - 1, &none) == 0);
	check(pace_check(&pace, 5 + PACE_BYTES, 1000 + PACE_MS, &none) == 0);
	// Each minute counts anew.
	check(pace_check(&pace, 5 + PACE_BYTES, 1000 + 2 * PACE_MS - 1, &none) == 0);
	check_error(pace_check(&pace, 4 + 2 * PACE_BYTES, 1000 + 2 * PACE_MS, err), "only 16383 bytes came in a minute");
}

// Made of another blob that is here, and of bytes that came.
static void test_copied(void)
{
	static char old[SIZE + 9];
	struct memfs memfs;
	struct receiver receiver;
	struct error none;
	uint64_t received;
	size_t length;

	memset(old, 'x', 9);
	memcpy(old + 9, content, SIZE);
	fresh(&memfs);
	char other[HEX_SIZE], place[96];
	hash_bytes(other, old, sizeof old);
	snprintf(place, sizeof place, "blobs/sha256/%s", other);
	memfs_put(&memfs, place, old, sizeof old);
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0);
	check(blob_copy(&receiver, other, 9, 150000, &none) == 0);
	check(blob_append(&receiver, content + 150000, 10, &none) == 0);
	// It goes on there, whichever way the first bytes came.
	check(blob_pause(&receiver, &none) == 0);
	check(blob_received(&memfs.fs, digest, SIZE, &received, &none) == 0 && received == 150010);
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0 && receiver.received == 150010);
	check(blob_copy(&receiver, other, 9 + 150010, SIZE - 150010, &none) == 0);
	check(blob_finish(&receiver, verity, &none) == 0 && has(&memfs, path, SIZE));
	memfs_free(&memfs);
	// No more than the blob has room for, or than the other one has; none that is not here, or has not come whole.
	fresh(&memfs);
	memfs_put(&memfs, place, old, sizeof old);
	snprintf(place, sizeof place, "blobs/incoming/%s", wrong);
	memfs_put(&memfs, place, "x", 1);
	check(blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0);
	check_error(blob_copy(&receiver, other, 0, SIZE + 1, err), "more than its 200000 bytes");
	check(blob_pause(&receiver, &none) == 0 && blob_begin(&receiver, &memfs.fs, digest, SIZE, &none) == 0);
	check_error(blob_copy(&receiver, other, SIZE, 10, err), "it ends before that");
	check_error(blob_copy(&receiver, other, INT64_MAX, 1, err), "");
	check_error(blob_copy(&receiver, wrong, 0, 1, err), "No such file");
	// The wrong bytes of a right blob are found out, and nothing stays of them.
	while (receiver.received < SIZE)
		check(blob_copy(&receiver, other, 0, SIZE - receiver.received < 100 ? SIZE - receiver.received : 100, &none) == 0);
	check_error(blob_finish(&receiver, verity, err), "do not have this digest");
	check(memfs_get(&memfs, path, &length) == NULL && memfs_get(&memfs, incoming, &length) == NULL);
	memfs_free(&memfs);
}

int main(void)
{
	test_pace();
	struct memfs memfs;

	check(sodium_init() >= 0);
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (char)(i * i >> 7);
	hash_bytes(digest, content, SIZE);
	memfs_init(&memfs, NULL);
	memfs_put(&memfs, "file", content, SIZE);
	int fd = memfs.fs.calls->open(&memfs.fs, "file", FS_READ);
	check(memfs.fs.calls->seal(&memfs.fs, fd, verity) == SEAL_NEW);
	memfs_free(&memfs);
	snprintf(incoming, sizeof incoming, "blobs/incoming/%s", digest);
	snprintf(path, sizeof path, "blobs/sha256/%s", digest);
	test_whole();
	test_power_cut();
	test_resumed();
	test_refused();
	test_copied();
	return check_result("blobs");
}
