// SPDX-License-Identifier: MIT
#include "storage.h"
#include "console.h"
#include "file.h"
#include "program.h"
#include "text.h"
#include "uevent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define WAIT_MS 10000
// A full check of a large, slow card takes minutes; what takes longer than this does not get anywhere.
#define CHECK_MS (30 * 60 * 1000)

// ext4: the superblock lies at byte 1024; its magic number at 0x38, the UUID at 0x68 (Documentation/filesystems/ext4).
bool storage_uuid(char out[37], const unsigned char *start, size_t length)
{
	const unsigned char *super = start + 1024;
	char digits[33];

	if (length < 2048 || super[0x38] != 0x53 || super[0x39] != 0xef)
		return false;
	text_to_hex(digits, super + 0x68, 16);
	snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16, digits + 20);
	return true;
}

static bool probe(const char *name, const char *uuid)
{
	unsigned char start[2048];
	char path[300], found[37];

	snprintf(path, sizeof path, "/dev/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = pread(fd, start, sizeof start, 0);
	close(fd);
	return length == (ssize_t)sizeof start && storage_uuid(found, start, sizeof start) && strcmp(found, uuid) == 0;
}

// The number of devices that carry the file system; the first in the order of names is kept.
static int find(const char *uuid, char device[64])
{
	DIR *entries = opendir("/sys/class/block");
	const struct dirent *entry;
	char best[64] = "";
	int count = 0;

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		const char *name = entry->d_name;
		if (name[0] == '.' || strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0 ||
		    strlen(name) > 32 || !probe(name, uuid))
			continue;
		count++;
		if (best[0] == '\0' || strcmp(name, best) < 0)
			snprintf(best, sizeof best, "%.32s", name);
	}
	if (entries != NULL)
		closedir(entries);
	if (count > 0)
		snprintf(device, 64, "/dev/%.32s", best);
	return count;
}

static int wait_for(const char *uuid, struct modules *modules, char device[64], struct error *err)
{
	uint64_t end = clock_ms() + WAIT_MS;
	int events = uevent_open(err);

	if (events < 0)
		return -1;
	for (;;) {
		int count = find(uuid, device);
		if (count > 1)
			console_line("storage: %d devices carry file system %s, taking %s", count, uuid, device);
		if (count > 0)
			break;
		uint64_t now = clock_ms();
		if (now >= end) {
			close(events);
			return fail(err, "no block device carries file system %s after %d s: disk missing, its driver not "
				    "in the host, or another image on it", uuid, WAIT_MS / 1000);
		}
		uevent_wait(events, end - now < 250 ? (int)(end - now) : 250);
		if (modules != NULL)
			modules_coldplug(modules);
	}
	close(events);
	return 0;
}

// ext4: the features at 0x64, of which 0x400 is metadata_csum; the checksum's kind at 0x175, 1 for CRC-32C, and itself in
// the last four bytes, of all before, not inverted at its end (Documentation/filesystems/ext4).
bool storage_seal(unsigned char start[2048])
{
	unsigned char *super = start + 1024;
	uint32_t crc = ~0u;
	bool changed = false;

	if ((super[0x65] & 4) == 0 || super[0x175] != 1)
		return false;
	for (size_t i = 0; i < 0x3fc; i++) {
		crc ^= super[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	for (int i = 0; i < 4; i++, crc >>= 8) {
		changed = changed || super[0x3fc + i] != (unsigned char)crc;
		super[0x3fc + i] = (unsigned char)crc;
	}
	return changed;
}

// The superblock lies in two sectors, and its checksum in the second one with little that ever changes (what statfs takes
// off). A power cut between these leaves an old or a new superblock that e2fsck does not open and the kernel does not
// mount; with its checksum, the journal makes it whole.
static bool reseal(const char *device)
{
	unsigned char start[2048];
	int fd = open(device, O_RDWR | O_CLOEXEC);
	bool written = fd >= 0 && pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start && storage_seal(start) &&
		       pwrite(fd, start + 1536, 512, 1536) == 512 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return written;
}

// Where the first backup of the superblock is with blocks of 4096 bytes, which storage always has.
#define BACKUP "32768"

// Exit status of e2fsck(8): 1 = errors corrected, 2 = and the system should be restarted when it was mounted; above
// that, errors remain, and with 8 it did not begin.
static int check(const char *device, const char **result, struct error *err)
{
	const char *const usual[] = {"/sbin/e2fsck", "-p", device, NULL};
	// Behind the superblock while storage grows, and so the last resort.
	const char *const backup[] = {"/sbin/e2fsck", "-p", "-b", BACKUP, "-B", "4096", device, NULL};
	bool sealed = false;
	char last[200], second[200];
	struct error none;
	int status = program_run(usual, CHECK_MS, last, sizeof last, err);

	if (status == 8 && (sealed = reseal(device)))
		status = program_run(usual, CHECK_MS, last, sizeof last, err);
	if (status == 8) {
		int again = program_run(backup, CHECK_MS, second, sizeof second, &none);
		status = again >= 0 && again < 4 ? 1 : status;
	}
	if (status < 0)
		return -1;
	if (status >= 4)
		return fail(err, "%s: the file system is damaged beyond automatic repair: write the image anew, or repair it by "
				 "hand on another machine (e2fsck says: %s; status %d)", device, last, status);
	*result = status == 0 && !sealed ? "clean" : "repaired";
	return 0;
}

int storage_mount(const char *uuid, struct modules *modules, char device[64], struct error *err)
{
	const char *result = "";

	if (wait_for(uuid, modules, device, err) < 0 || check(device, &result, err) < 0 ||
	    folder_make(STORAGE, 0755, err) < 0)
		return -1;
	// Nothing is run from storage itself: images are mounted from it, and volumes are bound with flags of their own.
	// What has to be on the medium is synced where that matters; for the rest, the journal is written every 30 seconds, when
	// the kernel writes file data too, and not for each new time of a file: flash wears out by writing.
	enum { flags = MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME | MS_LAZYTIME };
	if (mount(device, STORAGE, "ext4", flags, "errors=remount-ro,commit=30") < 0)
		return fail_errno(err, "mounting %s", device);
	console_line("storage: %s %s, mounted", device, result);
	return 0;
}
