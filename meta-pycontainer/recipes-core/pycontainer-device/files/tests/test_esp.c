// SPDX-License-Identifier: MIT
// The boot loader is replaced: at every fault and power cut one of the two lies there, whole.
#include "check.h"
#include "esp.h"
#include "memfs.h"
#include "verity.h"

#include <errno.h>
#include <sodium.h>

#define LOADER "EFI/BOOT/BOOTX64.EFI"

static char before[200000], after[150000];
static char before_digest[HEX_SIZE], after_digest[HEX_SIZE];

static bool holds(const struct memfs *memfs, const char *path, const char *bytes, size_t size)
{
	size_t length;
	const char *found = memfs_get(memfs, path, &length);

	return found != NULL && length == size && memcmp(found, bytes, size) == 0;
}

static void begin(struct memfs *esp, struct memfs *storage)
{
	char blob[100];

	memfs_init(esp, NULL);
	esp->fat = true;
	memfs_init(storage, NULL);
	snprintf(blob, sizeof blob, "blobs/sha256/%s", after_digest);
	memfs_put(esp, LOADER, before, sizeof before);
	memfs_put(esp, LOADER ".OLD", "older", 5);
	memfs_put(storage, blob, after, sizeof after);
	memfs_settle(esp);
	memfs_settle(storage);
}

static void test_name(void)
{
	struct memfs esp;
	char name[ESP_NAME_SIZE];
	struct error none = {""};

	memfs_init(&esp, NULL);
	check_error(esp_loader_name(&esp.fs, name, err), "EFI/BOOT: No such file");
	memfs_put(&esp, "EFI/BOOT/BOOTX64.EFI.OLD", "", 0);
	memfs_put(&esp, "EFI/BOOT/BOOTX64.EFI.NEW", "", 0);
	memfs_put(&esp, "EFI/BOOT/grubx64.efi", "", 0);
	memfs_put(&esp, "EFI/BOOT/BOOT-with-a-name-that-is-too-long.EFI", "", 0);
	check_error(esp_loader_name(&esp.fs, name, err), "0 files");
	memfs_put(&esp, "EFI/BOOT/bootaa64.efi", "", 0);
	check(esp_loader_name(&esp.fs, name, &none) == 0 && strcmp(name, "bootaa64.efi") == 0);
	memfs_put(&esp, "EFI/BOOT/BOOTX64.EFI", "", 0);
	check_error(esp_loader_name(&esp.fs, name, err), "2 files BOOT*.EFI");
	memfs_free(&esp);
}

static void test_update(void)
{
	struct memfs esp, storage;
	struct error none = {""};

	begin(&esp, &storage);
	check(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTX64.EFI", &none) == 0);
	check(holds(&esp, LOADER ".OLD", "older", 5));
	check(esp_update_bootloader(&esp.fs, &storage.fs, after_digest, "BOOTX64.EFI", &none) == 1);
	check(holds(&esp, LOADER, after, sizeof after) && holds(&esp, LOADER ".OLD", before, sizeof before));
	check(!fs_exists(&esp.fs, LOADER ".NEW"));
	check(esp_update_bootloader(&esp.fs, &storage.fs, after_digest, "BOOTX64.EFI", &none) == 0);
	check(memfs_open(&esp) == 0 && memfs_open(&storage) == 0);
	check_error(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTX64.EFI", err),
		    "boot loader: blobs/sha256/");
	check_error(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTAA64.EFI", err),
		    "BOOTAA64.EFI: No such file");
	check(holds(&esp, LOADER, after, sizeof after));

	// A blob that is not what its name says, and an ESP that is too small.
	char blob[100];
	snprintf(blob, sizeof blob, "blobs/sha256/%s", before_digest);
	memfs_put(&storage, blob, "something else", 14);
	check_error(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTX64.EFI", err), "not what was written");
	check(holds(&esp, LOADER, after, sizeof after) && !fs_exists(&esp.fs, LOADER ".NEW"));
	memfs_put(&storage, blob, before, sizeof before);
	esp.capacity = sizeof before + sizeof after + 100000;
	check_error(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTX64.EFI", err), "No space left");
	check(holds(&esp, LOADER, after, sizeof after) && !fs_exists(&esp.fs, LOADER ".NEW"));
	esp.capacity = 0;
	check(esp_update_bootloader(&esp.fs, &storage.fs, before_digest, "BOOTX64.EFI", &none) == 1);
	memfs_free(&esp);
	memfs_free(&storage);
}

// Returns whether the fault was reached.
static bool test_one_fault(enum fault_kind kind, unsigned at, enum memfs_restart restart)
{
	struct memfs esp, storage;
	struct fault fault = {.kind = kind, .at = at, .error = EIO};
	struct error err = {""};

	begin(&esp, &storage);
	esp.fault = storage.fault = &fault;
	int result = esp_update_bootloader(&esp.fs, &storage.fs, after_digest, "BOOTX64.EFI", &err);
	bool reached = fault.calls >= at;
	check(memfs_open(&esp) == 0 || fault.down);
	if (kind == FAULT_CRASH) {
		memfs_restart(&esp, restart);
		memfs_restart(&storage, MEMFS_EVERYTHING);
	}
	esp.fault = storage.fault = NULL;
	bool is_new = holds(&esp, LOADER, after, sizeof after);
	check(is_new || (result < 0 && holds(&esp, LOADER, before, sizeof before)));
	check(result >= 0 || err.text[0] != '\0');
	// The new one lies there only once the old one is kept.
	check(holds(&esp, LOADER ".OLD", before, sizeof before) || (!is_new && holds(&esp, LOADER ".OLD", "older", 5)));
	check(esp_update_bootloader(&esp.fs, &storage.fs, after_digest, "BOOTX64.EFI", &err) == !is_new);
	check(holds(&esp, LOADER, after, sizeof after) && holds(&esp, LOADER ".OLD", before, sizeof before));
	memfs_free(&esp);
	memfs_free(&storage);
	return reached;
}

int main(void)
{
	struct error none = {""};
	char device[80];
	unsigned at = 1;

	check(sodium_init() >= 0);
	randombytes_buf(before, sizeof before);
	randombytes_buf(after, sizeof after);
	hash_bytes(before_digest, before, sizeof before);
	hash_bytes(after_digest, after, sizeof after);
	test_name();
	test_update();
	for (; test_one_fault(FAULT_ERROR, at, MEMFS_NOTHING); at++) {
		test_one_fault(FAULT_SHORT, at, MEMFS_NOTHING);
		for (int restart = 0; restart < MEMFS_RESTARTS; restart++)
			test_one_fault(FAULT_CRASH, at, (enum memfs_restart)restart);
	}
	check(at > 30);
	check(esp_find(device, "x", "/dev/no-such-device", &none) < 0 && strstr(none.text, "not a partition") != NULL);
	return check_result("esp");
}
