// SPDX-License-Identifier: MIT
#include "check.h"
#include "modules.h"

#include <unistd.h>

static char folder[] = "/tmp/pyc-modules-XXXXXX";
static char order[1024];

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	check(file != NULL);
	if (file != NULL) {
		fputs(text, file);
		fclose(file);
	}
}

// Stands for the kernel: keeps the order; refuses "bad", and says that "there" is loaded already.
static int insert(const char *path, void *context, struct error *err)
{
	const char *base = strrchr(path, '/') + 1;

	check(context == order);
	if (strncmp(base, "bad", 3) == 0)
		return fail(err, "bad refused");
	strcat(strcat(order, base), " ");
	return strncmp(base, "there", 5) == 0 ? 1 : 0;
}

static const char *load(struct modules *index, const char *name, int wanted)
{
	struct error err = {""};

	order[0] = '\0';
	check(modules_load(index, name, &err) == wanted);
	return order;
}

int main(void)
{
	struct error err;

	check(mkdtemp(folder) != NULL);
	check(modules_open_at(folder, insert, order, &err) == NULL && strstr(err.text, "modules.dep") != NULL);
	put("modules.dep", "kernel/fs/ext4.ko: kernel/fs/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/jbd2.ko:\n"
			   "kernel/lib/crc16.ko:\nkernel/drv/virtio-blk.ko.xz:\nkernel/drv/bad.ko:\nkernel/drv/there.ko:\n"
			   "kernel/drv/user.ko: kernel/drv/bad.ko\nkernel/lib/crc32c.ko:\nkernel/lib/late.ko:\n"
			   "kernel/drv/loop_a.ko:\nkernel/drv/loop_b.ko:\n");
	put("modules.alias", "# comment\nalias virtio:d00000002v* virtio_blk\nalias fs-ext4 ext4\nalias pci:v*d*sv* there\n"
			     "alias pci:v00001AF4d* virtio_blk\nalias crypto-crc32c crc32c\nalias broken\n");
	put("modules.softdep", "softdep ext4 pre: crypto-crc32c post: late\nsoftdep loop_a pre: loop_b\n"
			       "softdep loop_b pre: loop_a\n");
	struct modules *index = modules_open_at(folder, insert, order, &err);
	check(index != NULL);
	// Dependencies first, from the back; soft ones around.
	check(strcmp(load(index, "fs-ext4", 5), "crc32c.ko crc16.ko jbd2.ko ext4.ko late.ko ") == 0);
	check(strcmp(load(index, "ext4", 0), "") == 0);
	check(strcmp(load(index, "virtio-blk", 1), "virtio-blk.ko.xz ") == 0);
	modules_close(index);
	index = modules_open_at(folder, insert, order, &err);
	check(strcmp(load(index, "pci:v00001AF4d00001042sv00", 1), "there.ko virtio-blk.ko.xz ") == 0);
	check(strcmp(load(index, "virtio:d00000002v00001AF4", 0), "") == 0);
	check(strcmp(load(index, "unknown", 0), "") == 0);
	check(strcmp(load(index, "bad", -1), "") == 0);
	check(strcmp(load(index, "user", -1), "") == 0);
	// A ring of soft dependencies ends.
	order[0] = '\0';
	check(modules_load(index, "loop_a", &err) == 2);
	char list[128];
	snprintf(list, sizeof list, "%s/list", folder);
	check(modules_listed(index, list) == 0);
	put("list", "# comment\njbd2\n\nunknown\next4 \n");
	check(modules_listed(index, list) == 5);
	modules_close(index);
	static const char *const names[] = {"modules.dep", "modules.alias", "modules.softdep", "list"};
	for (size_t i = 0; i < 4; i++) {
		snprintf(list, sizeof list, "%s/%s", folder, names[i]);
		unlink(list);
	}
	check(rmdir(folder) == 0);
	return check_result("modules");
}
