// SPDX-License-Identifier: MIT
// Which optional mounts become such that no container starts without them.
#include "mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char device[] = "/tmp/lxc-mounts-XXXXXX";
static int failed;

static void make(const char *path, bool is_folder)
{
	char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", device, path);
	if (is_folder ? mkdir(whole, 0755) < 0 : mknod(whole, S_IFREG | 0600, 0) < 0) {
		perror(whole);
		exit(1);
	}
}

static void take_away(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof whole, "%s/%s", device, path);
	remove(whole);
}

static void expect(const char *before, const char *after)
{
	char entry[256];

	snprintf(entry, sizeof entry, "%s", before);
	bool changed = mount_require(entry, device);
	if (strcmp(entry, after) == 0 && changed == (strcmp(before, after) != 0))
		return;
	fprintf(stderr, "%s\n  became   %s\n  and not  %s\n", before, entry, after);
	failed = 1;
}

static void stays(const char *entry)
{
	expect(entry, entry);
}

int main(void)
{
	static const char *const folders[] = {"proc", "proc/acpi", "proc/a b", "sys", "sys/firmware", "dev", "dev/dri"};
	static const char *const files[] = {"proc/kcore", "dev/null"};

	if (mkdtemp(device) == NULL)
		return 1;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		make(folders[i], true);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		make(files[i], false);

	// What is there must be mounted.
	expect("/dev/null proc/kcore none bind,optional 0 0", "/dev/null proc/kcore none bind,defaults 0 0");
	expect("/dev/null /proc/kcore none bind,optional 0 0", "/dev/null /proc/kcore none bind,defaults 0 0");
	expect("tmpfs\tsys/firmware  tmpfs\toptional,ro,nosuid\t0 0", "tmpfs\tsys/firmware  tmpfs\tdefaults,ro,nosuid\t0 0");
	expect("  proc/acpi proc/acpi none optional", "  proc/acpi proc/acpi none defaults");
	expect("tmpfs proc/a\\040b tmpfs ro,optional 0 0", "tmpfs proc/a\\040b tmpfs ro,defaults 0 0");
	expect("tmpfs proc/acpi tmpfs optional,ro,optional 0 0", "tmpfs proc/acpi tmpfs defaults,ro,defaults 0 0");
	// A place that cannot be looked at, because its name is too long here, may be there.
	char before[512], after[512], name[300];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(before, sizeof before, "tmpfs proc/%s tmpfs ro,optional 0 0", name);
	snprintf(after, sizeof after, "tmpfs proc/%s tmpfs ro,defaults 0 0", name);
	char *copy = strdup(before);
	if (copy == NULL || !mount_require(copy, device) || strcmp(copy, after) != 0)
		failed = 1;
	free(copy);

	// What this kernel does not have may be missing, and what lies elsewhere is as its template says.
	stays("/dev/null proc/timer_stats none bind,optional 0 0");
	stays("/dev/null proc/kcore/x none bind,optional 0 0");
	stays("/dev/dri dev/dri none bind,optional,create=dir 0 0");
	stays("tmpfs processes tmpfs optional 0 0");
	stays("proc/sys proc/sys none bind,relative,ro 0 0");
	stays("optional proc/kcore optional bind,optionally 0 optional");
	stays("# proc/kcore proc/kcore none bind,optional 0 0");
	stays("tmpfs proc/kcore");
	stays("");

	for (size_t i = sizeof files / sizeof *files; i-- > 0;)
		take_away(files[i]);
	for (size_t i = sizeof folders / sizeof *folders; i-- > 0;)
		take_away(folders[i]);
	take_away("");
	puts(failed ? "mounts: failed" : "mounts: ok");
	return failed;
}
