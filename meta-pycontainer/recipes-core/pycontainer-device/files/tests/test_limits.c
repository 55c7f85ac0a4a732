// SPDX-License-Identifier: MIT
// The disk under a partition, from a sysfs in a folder; a container's figures, from texts.
#include "check.h"
#include "file.h"
#include "io_limit.h"
#include "usage.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char root[] = "/tmp/pyc-limits-XXXXXX";

static void put(const char *path, const char *text)
{
	char whole[256], folder[256];
	struct error err;

	snprintf(whole, sizeof whole, "%s/%s", root, path);
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(whole, '/') - whole), whole);
	unlink(whole);
	check(folder_make(folder, 0755, &err) == 0 && file_make(whole, text, strlen(text), 0644, &err) == 0);
}

static void link_to(const char *target, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", root, path);
	check(symlink(target, whole) == 0);
}

static void test_disk(void)
{
	char disk[DISK_SIZE];
	struct error none;

	put("devices/virtio1/block/vda/dev", "254:0\n");
	put("devices/virtio1/block/vda/vda2/dev", "254:2\n");
	put("devices/virtio1/block/vda/vda2/partition", "2\n");
	put("devices/virtual/block/dm-0/dev", "253:0\n");
	put("dev/block/none", "");
	link_to("../../devices/virtio1/block/vda", "dev/block/254:0");
	link_to("../../devices/virtio1/block/vda/vda2", "dev/block/254:2");
	link_to("../../devices/virtual/block/dm-0", "dev/block/253:0");
	check(io_limit_disk(disk, root, makedev(254, 2), &none) == 0 && strcmp(disk, "254:0") == 0);
	check(io_limit_disk(disk, root, makedev(254, 0), &none) == 0 && strcmp(disk, "254:0") == 0);
	check(io_limit_disk(disk, root, makedev(253, 0), &none) == 0 && strcmp(disk, "253:0") == 0);
	check_error(io_limit_disk(disk, root, makedev(0, 42), err), "not on a disk");
	check_error(io_limit_disk(disk, root, makedev(8, 1), err), "8:1/dev: No such file");
	static const char *const bad[] = {"", "\n", "254\n", "254:\n", ":0\n", "254:0", "254:0 \n", "254:0\n\n", "-1:0\n",
					  "999999999999999:99999999\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put("devices/virtio1/block/vda/dev", bad[i]);
		check_error(io_limit_disk(disk, root, makedev(254, 2), err), "not a device number");
	}
}

static void test_format(void)
{
	char line[IO_MAX_SIZE];

	io_limit_format(line, "254:0", &(struct io_limits){.read = 10485760, .write = 5242880});
	check(strcmp(line, "254:0 rbps=10485760 wbps=5242880") == 0);
	io_limit_format(line, "8:16", &(struct io_limits){.write = 1});
	check(strcmp(line, "8:16 rbps=max wbps=1") == 0);
	io_limit_format(line, "8:16", &(struct io_limits){.read = 0});
	check(strcmp(line, "8:16 rbps=max wbps=max") == 0);
	io_limit_format(line, "1048575:1048575", &(struct io_limits){.read = UINT64_MAX, .write = UINT64_MAX});
	check(strcmp(line, "1048575:1048575 rbps=18446744073709551615 wbps=18446744073709551615") == 0);
}

static void test_apply(void)
{
	struct layer free_one = {.name = "web"}, limited = {.name = "web", .io = {.read = 1}};
	struct error none;

	// There is no container here.
	check(io_limit_apply(&free_one, &none) == 0);
	check_error(io_limit_apply(&limited, err), "io limit");
	// Only what changes is written, and the end of a limit is a change.
	check(io_limit_change(&limited, &limited, &none) == 0 && io_limit_change(&free_one, &free_one, &none) == 0);
	check_error(io_limit_change(&free_one, &limited, err), "io limit");
	check_error(io_limit_change(&limited, &free_one, err), "io limit");
}

static void test_texts(void)
{
	static const char *const bad[] = {"", "\n", "max\n", "1", "1 \n", " 1\n", "-1\n", "1\n2\n", "18446744073709551616\n",
					  "99999999999999999999999\n"};
	static const char events[] = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
	uint64_t value = 0;

	check(usage_number(&value, "0\n") && value == 0);
	check(usage_number(&value, "18446744073709551615\n") && value == UINT64_MAX);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(!usage_number(&value, bad[i]));
	check(usage_key(&value, events, "oom_kill") && value == 2);
	check(usage_key(&value, events, "oom") && value == 3);
	check(usage_key(&value, events, "oom_group_kill") && value == 1 && usage_key(&value, events, "low") && value == 0);
	check(!usage_key(&value, events, "kill") && !usage_key(&value, events, "") && !usage_key(&value, "", "oom"));
	check(!usage_key(&value, "oom_kill\n", "oom_kill") && !usage_key(&value, "oom_kill x\n", "oom_kill"));
	check(!usage_key(&value, "a 1\noom_kill 7", "oom_kill"));
}

static void test_usage(void)
{
	struct usage usage;
	struct error none;
	char group[64];

	put("group/memory.current", "4096000\n");
	put("group/memory.peak", "8192000\n");
	put("group/cpu.stat", "usage_usec 123456\nuser_usec 100000\nsystem_usec 23456\n");
	put("group/pids.current", "7\n");
	put("group/memory.events", "low 0\noom 1\noom_kill 1\n");
	snprintf(group, sizeof group, "%s/group", root);
	check(usage_read(&usage, group, &none) == 0);
	check(usage.memory == 4096000 && usage.memory_peak == 8192000 && usage.cpu_us == 123456);
	check(usage.processes == 7 && usage.oom_kills == 1);
	// A kernel before 5.19 knows no peak; what is not a figure is none.
	snprintf(group, sizeof group, "%s/group/memory.peak", root);
	unlink(group);
	put("group/pids.current", "max\n");
	snprintf(group, sizeof group, "%s/group", root);
	check(usage_read(&usage, group, &none) == 0 && usage.memory == 4096000);
	check(usage.memory_peak == 0 && usage.processes == 0);
	check_error(usage_of(&usage, "no-such-container", err), "no-such-container: No such file");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

int main(void)
{
	check(mkdtemp(root) != NULL);
	test_disk();
	test_format();
	test_apply();
	test_texts();
	test_usage();
	check(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
	return check_result("limits");
}
