// SPDX-License-Identifier: MIT
// Probes of what only system calls, capabilities and the kernel's own switches stand against.
#define _GNU_SOURCE
#include "probe.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif

static int of(long result)
{
	return result < 0 ? errno : 0;
}

// Some calls fail with `beyond` once the permission was there: the thing itself would do harm.
static int of_beyond(long result, int beyond)
{
	return result < 0 && errno != beyond ? errno : 0;
}

static int mounting(void) { return of(mount("tmpfs", "/tmp", "tmpfs", 0, NULL)); }
static int opening_filesystem(void) { return of(syscall(SYS_fsopen, "tmpfs", 0)); }
static int unmounting(void) { return of(umount2("/dev/mqueue", MNT_DETACH)); }
static int user_namespace(void) { return of(unshare(CLONE_NEWUSER)); }
static int network_namespace(void) { return of(unshare(CLONE_NEWNET)); }

static int ended(long child)
{
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid((pid_t)child, NULL, 0);
	return of(child);
}

static int user_namespace_by_clone(void) { return ended(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }

static int user_namespace_by_clone3(void)
{
	struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

	return ended(syscall(SYS_clone3, &arguments, sizeof arguments));
}

static int entering_namespace(void) { return of(setns(open("/proc/self/ns/uts", O_RDONLY), CLONE_NEWUTS)); }
static int setting_hostname(void) { return of(sethostname("probe", 5)); }
static int changing_root(void) { return of(chroot("/tmp")); }
static int raw_socket(void) { return of(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }
static int packet_socket(void) { return of(socket(AF_PACKET, SOCK_RAW, 0)); }
static int crypto_socket(void) { return of(socket(AF_ALG, SOCK_SEQPACKET, 0)); }
static int audit_socket(void) { return of(socket(AF_NETLINK, SOCK_RAW, 9)); }
static int kernel_log(void) { char text[64]; return of(klogctl(3, text, sizeof text)); }
static int kernel_log_file(void) { return of(open("/proc/kmsg", O_RDONLY | O_NONBLOCK)); }

static int bpf_map(void)
{
	union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return of(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}

static int perf_event(void)
{
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK};

	return of(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static int userfault(void) { return of(syscall(SYS_userfaultfd, 0)); }
static int io_uring(void) { char parameters[256] = ""; return of(syscall(SYS_io_uring_setup, 1, parameters)); }
static int loading_module(void) { return of_beyond(syscall(SYS_init_module, "no module", 9L, ""), ENOEXEC); }
static int removing_module(void) { return of_beyond(syscall(SYS_delete_module, "pyc_probe", O_NONBLOCK), ENOENT); }
static int loading_kernel(void) { return of(syscall(SYS_kexec_load, 0L, 0L, NULL, 0L)); }

// In a process namespace of its own it is answered with EINVAL, where it is allowed.
static int ctrl_alt_del(void)
{
	return of_beyond(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL), EINVAL);
}

// A process that does not want to be looked at.
static pid_t secretive(char *secret)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		secret[0] = 's';
		_exit(write(ready[1], "x", 1) == 1 ? (pause(), 0) : 1);
	}
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	return child;
}

static int tracing(void)
{
	static char secret[8];
	pid_t child = secretive(secret);
	int result = of(ptrace(PTRACE_ATTACH, child, NULL, NULL));

	kill(child, SIGKILL);
	return result;
}

static int reading_memory(void)
{
	static char secret[8];
	char copy[1];
	pid_t child = secretive(secret);
	struct iovec to = {copy, 1}, from = {secret, 1};
	int result = of(process_vm_readv(child, &to, 1, &from, 1, 0));

	kill(child, SIGKILL);
	return result;
}

static int setting_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return of(clock_settime(CLOCK_REALTIME, &now));
}

static int raising_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_max++;
	return of(setrlimit(RLIMIT_NOFILE, &limit));
}

static int dumping_core(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};

	return of(setrlimit(RLIMIT_CORE, &limit));
}

static int higher_priority(void) { return of(setpriority(PRIO_PROCESS, 0, -5)); }

static int port_access(void)
{
#ifdef __x86_64__
	return of(ioperm(0x80, 1, 1));
#else
	return of(syscall(SYS_swapon, "/nothing", 0)) == ENOENT ? 0 : errno;
#endif
}

static int swapping(void) { return of_beyond(swapon("/nothing", 0), ENOENT); }
static int accounting(void) { return of(acct(NULL)); }
static int watching_files(void) { return of(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)); }
static int quota(void) { return of_beyond(syscall(SYS_quotactl, 0x800007L << 8, "/nothing", 0, NULL), ENOENT); }

static int opening_by_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[128];
	} name = {.handle.handle_bytes = 128};
	int mount, root = open("/", O_RDONLY | O_DIRECTORY);

	if (name_to_handle_at(AT_FDCWD, "/data", &name.handle, &mount, 0) < 0)
		return errno;
	int data = open("/data", O_RDONLY | O_DIRECTORY);
	(void)root;
	return of(open_by_handle_at(data, &name.handle, O_RDONLY));
}

static int other_users_files(void) { return of(open("/other", O_RDONLY | O_DIRECTORY)); }

static int giving_away(void)
{
	int fd = open("/tmp/own", O_CREAT | O_RDWR, 0600);

	return fd < 0 ? errno : of(fchown(fd, 4242, 4242));
}

static int other_user(void) { return of(syscall(SYS_setuid, 4242)); }
static int other_group(void) { return of(syscall(SYS_setgid, 4242)); }
static int other_groups(void) { gid_t group = 4242; return of(syscall(SYS_setgroups, 1, &group)); }
static int dropping_bound(void) { return of(prctl(PR_CAPBSET_DROP, 0)); }
static int no_randomising(void) { return of(personality(ADDR_NO_RANDOMIZE)); }

static int network_settings(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	return of(ioctl(fd, SIOCSIFFLAGS, &request));
}

static int low_port(void)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(81)};

	return of(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&place, sizeof place));
}

static int neighbours_key(void)
{
	return of(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", NEIGHBOUR, 0));
}

static int own_key(void) { return of(syscall(SYS_add_key, "user", "own", "x", 1L, KEY_SPEC_PROCESS_KEYRING)); }

static int surviving(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	return fd < 0 ? errno : of(write(fd, "-900", 4));
}

static int making_device(void) { return of(mknod("/dev/probe-null", S_IFCHR | 0600, makedev(1, 3))); }

const struct probe kernel_probes[] = {
	{"mount", mounting}, {"mount-new-interface", opening_filesystem}, {"unmount", unmounting},
	{"user-namespace", user_namespace}, {"user-namespace-by-clone", user_namespace_by_clone},
	{"user-namespace-by-clone3", user_namespace_by_clone3}, {"network-namespace", network_namespace},
	{"enter-namespace", entering_namespace}, {"hostname", setting_hostname}, {"chroot", changing_root},
	{"raw-socket", raw_socket}, {"packet-socket", packet_socket}, {"crypto-socket", crypto_socket}, {"audit-socket", audit_socket},
	{"kernel-log", kernel_log}, {"kernel-log-file", kernel_log_file}, {"bpf", bpf_map}, {"perf", perf_event},
	{"userfaultfd", userfault}, {"io-uring", io_uring}, {"load-module", loading_module},
	{"remove-module", removing_module}, {"load-kernel", loading_kernel}, {"ctrl-alt-del", ctrl_alt_del},
	{"trace", tracing}, {"read-memory", reading_memory}, {"clock", setting_clock}, {"raise-limit", raising_limit},
	{"core-dump", dumping_core}, {"priority", higher_priority}, {"port-access", port_access}, {"swap", swapping},
	{"accounting", accounting}, {"fanotify", watching_files}, {"quota", quota}, {"open-by-handle", opening_by_handle},
	{"other-users-files", other_users_files}, {"give-away", giving_away}, {"other-user", other_user},
	{"other-group", other_group}, {"other-groups", other_groups}, {"drop-bound", dropping_bound},
	{"no-randomising", no_randomising}, {"network-settings", network_settings}, {"low-port", low_port},
	{"neighbours-key", neighbours_key}, {"own-key", own_key}, {"survive-out-of-memory", surviving},
	{"make-device", making_device}, {0},
};
