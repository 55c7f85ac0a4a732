// SPDX-License-Identifier: MIT
// The EFI system partition: mounted for as long as the boot record or the boot loader is at work on, and no longer.
#pragma once
#include "error.h"
#include "fs.h"
#include "modules.h"

#define ESP_FOLDER "/run/pycontainer/esp"
#define ESP_NAME_SIZE 32

// The block device of the partition with this unique id on the disk that the partition `storage` (/dev/vda2) lies on:
// another disk may carry the same image. `device` gets its path.
int esp_find(char device[80], const char *uuid, const char *storage, struct error *err);
// Find it, load what its file system needs (`modules` may be NULL), and mount it at ESP_FOLDER. `fs` gets its root.
int esp_mount(struct fs *fs, const char *uuid, const char *storage, struct modules *modules, struct error *err);
int esp_unmount(struct error *err);

// The name of the boot loader in EFI/BOOT: the one BOOT*.EFI there, whatever the machine.
int esp_loader_name(struct fs *esp, char name[ESP_NAME_SIZE], struct error *err);
// Replace the boot loader by the blob of this digest, unless it is that already. The one that was there stays as
// <name>.OLD, and stays in place until the new one is whole and on the medium. Returns 1 when it was replaced, 0 when
// there was nothing to do; after -1 either of the two is there, whole.
int esp_update_bootloader(struct fs *esp, struct fs *storage, const char *digest, const char *name, struct error *err);
