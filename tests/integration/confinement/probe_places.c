// SPDX-License-Identifier: MIT
// Probes of places: what may be read, written and run, what belongs to the host, and what to other containers.
#define _GNU_SOURCE
#include "probe.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int opened(const char *path, int flags)
{
	return open(path, flags, 0600) < 0 ? errno : 0;
}

static int write_root(void) { return opened("/probe-file", O_CREAT | O_WRONLY); }
static int write_volume(void) { return opened("/data/own", O_CREAT | O_WRONLY); }
static int write_core_pattern(void) { return opened("/proc/sys/kernel/core_pattern", O_WRONLY); }
static int write_sysrq(void) { return opened("/proc/sysrq-trigger", O_WRONLY); }
static int write_irq(void) { return opened("/proc/irq/default_smp_affinity", O_WRONLY); }
static int write_sys(void) { return opened("/sys/module/printk/parameters/time", O_WRONLY); }
static int write_group(void) { return opened("/sys/fs/cgroup/cgroup.procs", O_WRONLY); }

// A masked file is empty, a masked folder has nothing in it.
static int readable(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return errno;
	if (!S_ISDIR(status.st_mode)) {
		ssize_t got = read(fd, &byte, 1);
		return got > 0 ? 0 : got < 0 ? errno : ENODATA;
	}
	DIR *folder = fdopendir(fd);
	for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
		if (entry->d_name[0] != '.')
			return 0;
	return ENODATA;
}

static int read_kcore(void) { return readable("/proc/kcore"); }
static int read_keys(void) { return readable("/proc/keys"); }
static int read_timers(void) { return readable("/proc/timer_list"); }
static int read_interrupts(void) { return readable("/proc/interrupts"); }
static int read_firmware(void) { return readable("/sys/firmware"); }

// Another name for a device of the host, should it be possible to make one.
static int device(const char *path, mode_t kind, unsigned major, unsigned minor)
{
	if (mknod(path, kind | 0600, makedev(major, minor)) < 0 && errno != EEXIST)
		return errno;
	return opened(path, O_RDONLY | O_NONBLOCK);
}

static int kernel_memory(void) { return device("/dev/probe-mem", S_IFCHR, 1, 1); }
static int kernel_messages(void) { return device("/dev/probe-kmsg", S_IFCHR, 1, 11); }
static int whole_disk(void) { return device("/dev/probe-disk", S_IFBLK, 254, 0); }
static int loop_device(void) { return device("/dev/probe-loop", S_IFBLK, 7, 0); }
static int console(void) { return device("/dev/probe-console", S_IFCHR, 4, 64); }

static int copy_self(const char *path, mode_t mode)
{
	struct stat status;
	int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);

	if (to < 0 || fstat(from, &status) < 0)
		return errno;
	for (off_t done = 0; done < status.st_size;)
		if (sendfile(to, from, &done, (size_t)(status.st_size - done)) <= 0)
			return errno;
	// Last, for what is written to loses the bits that give something.
	int failed = fchmod(to, mode) < 0 ? errno : 0;
	close(to);
	return failed;
}

static int result_of(pid_t child)
{
	int status = 0;

	return child < 0 || waitpid(child, &status, 0) < 0 ? errno : WEXITSTATUS(status);
}

static int run_copy(const char *path)
{
	int failed = copy_self(path, 0700);

	if (failed != 0)
		return failed;
	pid_t child = fork();
	if (child == 0) {
		close(1);
		execl(path, path, "ran", NULL);
		_exit(errno);
	}
	return result_of(child);
}

static int run_from_tmp(void) { return run_copy("/tmp/copy"); }
static int run_from_shared_memory(void) { return run_copy("/dev/shm/copy"); }

// Root's own program, which another user runs: it is opened before, for he need not get through root's folders.
static int setuid_from_volume(void)
{
	static char *const argv[] = {"copy", "root", NULL}, *const none[] = {NULL};
	int failed = copy_self("/data/copy", 04755), program = open("/data/copy", O_RDONLY | O_CLOEXEC);

	if (failed != 0 || program < 0)
		return failed != 0 ? failed : errno;
	pid_t child = fork();
	if (child == 0) {
		if (setuid(OTHER_USER) == 0)
			fexecve(program, argv, none);
		_exit(errno);
	}
	return result_of(child);
}

// A device that every container may use, where only the mount can stand against it.
static int device_from_volume(void) { return device("/data/null", S_IFCHR, 1, 3); }

static bool holds(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct held[2] = {0};

	return syscall(SYS_capget, &header, held) == 0 &&
	       (held[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

int holds_capability(void) { return holds(GAINED_CAPABILITY) ? 0 : EPERM; }

int gain_capability(void)
{
	uid_t user = getuid();

	// Nothing is left that it could hold already.
	if (setresuid(user, user, user) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return errno;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct nothing[2] = {0};
	if (syscall(SYS_capset, &header, nothing) < 0)
		return errno;
	if (user == 0 || holds(GAINED_CAPABILITY))
		return EINVAL;
	execl(CAPABLE, CAPABLE, "holds", NULL);
	return errno;
}

// The process of that name, in the eyes of this container.
static pid_t find_neighbour(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char path[300], name[32] = "";
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
		FILE *file = fopen(path, "r");
		if (file != NULL && fgets(name, sizeof name, file) != NULL && strncmp(name, NEIGHBOUR, strlen(NEIGHBOUR)) == 0)
			return atoi(entry->d_name);
		if (file != NULL)
			fclose(file);
	}
	return 0;
}

static int neighbours_process(void) { return find_neighbour() > 0 ? 0 : ESRCH; }

static int neighbours_signal(void)
{
	pid_t pid = find_neighbour();

	return pid == 0 ? ESRCH : kill(pid, 0) < 0 ? errno : 0;
}

static int neighbours_file(void) { return opened("/proc/1/root" NEIGHBOUR_FILE, O_RDONLY); }
static int hosts_devices(void) { return opened("/proc/1/root/dev/loop-control", O_RDONLY); }
static int hosts_keys(void) { return opened("/proc/1/root/etc/pycontainer/product.json", O_RDONLY); }
static int hosts_control(void)
{
	return access("/proc/1/root/run/pycontainer/control.sock", W_OK) < 0 ? errno : 0;
}
static int neighbours_memory(void) { return shmget(NEIGHBOUR_KEY, 0, 0) < 0 ? errno : 0; }

static struct sockaddr_un abstract(socklen_t *length)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};

	memcpy(place.sun_path + 1, NEIGHBOUR, strlen(NEIGHBOUR));
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(NEIGHBOUR));
	return place;
}

static int neighbours_socket(void)
{
	socklen_t length;
	struct sockaddr_un place = abstract(&length);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&place, length) < 0 ? errno : 0;
}

int neighbour(void)
{
	socklen_t length;
	struct sockaddr_un place = abstract(&length);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	prctl(PR_SET_NAME, NEIGHBOUR);
	if (bind(fd, (struct sockaddr *)&place, length) < 0 || listen(fd, 8) < 0)
		return errno;
	if (shmget(NEIGHBOUR_KEY, 4096, IPC_CREAT | 0600) < 0)
		return errno;
	if (syscall(SYS_add_key, "user", NEIGHBOUR, "secret", 6L, KEY_SPEC_USER_KEYRING) < 0)
		return errno;
	return opened("/data/secret", O_CREAT | O_WRONLY);
}

const struct probe place_probes[] = {
	{"write-root", write_root}, {"write-volume", write_volume}, {"write-core-pattern", write_core_pattern},
	{"write-sysrq", write_sysrq}, {"write-irq", write_irq}, {"write-sys", write_sys}, {"write-cgroup", write_group}, {"read-kcore", read_kcore},
	{"read-keys", read_keys}, {"read-timers", read_timers}, {"read-interrupts", read_interrupts},
	{"read-firmware", read_firmware}, {"device-memory", kernel_memory}, {"device-kernel-messages", kernel_messages},
	{"device-disk", whole_disk}, {"device-loop", loop_device}, {"device-console", console},
	{"run-from-tmp", run_from_tmp}, {"run-from-shared-memory", run_from_shared_memory},
	{"setuid-from-volume", setuid_from_volume}, {"device-from-volume", device_from_volume},
	{"neighbours-process", neighbours_process}, {"neighbours-signal", neighbours_signal},
	{"neighbours-file", neighbours_file}, {"neighbours-shared-memory", neighbours_memory},
	{"neighbours-socket", neighbours_socket}, {"hosts-devices", hosts_devices}, {"hosts-keys", hosts_keys},
	{"hosts-control", hosts_control}, {0},
};
