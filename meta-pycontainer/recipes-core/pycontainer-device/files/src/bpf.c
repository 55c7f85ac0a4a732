// SPDX-License-Identifier: MIT
#include "bpf.h"
#include "bpf_call.h"
#include "file.h"
#include "observed.h"
#include "storage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BTF "/sys/kernel/btf/vmlinux"
#define BTF_LIMIT (32u << 20)
#define LOG_SIZE 65536
// Whoever writes programs that use the kernel's tracing helpers must offer them under the GPL too.
#define LICENCE "Dual MIT/GPL"

static const struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *name;
	uint32_t kind;
} forms[BPF_WATCHES] = {
	[BPF_WATCH_EXEC] = {BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "pyc_exec", OBSERVED_EXEC},
	[BPF_WATCH_CONNECT4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, "pyc_connect4",
				OBSERVED_CONNECT},
	[BPF_WATCH_CONNECT6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, "pyc_connect6",
				OBSERVED_CONNECT},
	[BPF_WATCH_SEND4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, "pyc_send4", OBSERVED_CONNECT},
	[BPF_WATCH_SEND6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG, "pyc_send6", OBSERVED_CONNECT},
	[BPF_WATCH_WRITE] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "pyc_write", OBSERVED_WRITE},
	[BPF_WATCH_REFUSED] = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "pyc_refused", OBSERVED_REFUSED},
};

static int load(const struct bpf *bpf, enum bpf_watch watch, const struct bpf_kernel *kernel, struct error *err)
{
	struct bpf_code code;
	union bpf_attr a = {.prog_type = forms[watch].type, .expected_attach_type = forms[watch].attach,
			    .license = bpf_pointer(LICENCE)};

	bpf_code_make(&code, watch, &bpf->place, kernel);
	a.insns = bpf_pointer(code.at);
	a.insn_cnt = (uint32_t)code.count;
	memcpy(a.prog_name, forms[watch].name, strlen(forms[watch].name));
	if (watch == BPF_WATCH_WRITE || watch == BPF_WATCH_REFUSED)
		a.attach_btf_id = watch == BPF_WATCH_WRITE ? kernel->open_function : kernel->look_function;
	int fd = bpf_call(BPF_PROG_LOAD, &a);
	if (fd >= 0)
		return fd;
	fail_errno(err, "eBPF program %s", forms[watch].name);
	// Once more, to be told why.
	char *log = calloc(1, LOG_SIZE);
	if (log == NULL)
		return -1;
	a.log_buf = bpf_pointer(log);
	a.log_size = LOG_SIZE;
	a.log_level = 1;
	fd = bpf_call(BPF_PROG_LOAD, &a);
	log[LOG_SIZE - 1] = '\0';
	char *end = strstr(log, "\nprocessed "), *line = end == NULL ? NULL : memrchr(log, '\n', (size_t)(end - log));
	if (fd < 0 && line != NULL)
		fail(err, "eBPF program %s: %.*s", forms[watch].name, (int)(end - line - 1), line + 1);
	free(log);
	return fd;
}

static int attach(int program, enum bpf_watch watch, int cgroup, struct error *err)
{
	union bpf_attr a = {.raw_tracepoint = {.prog_fd = (uint32_t)program}};
	int fd;

	if (forms[watch].type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR) {
		a = (union bpf_attr){.link_create = {.prog_fd = (uint32_t)program, .target_fd = (uint32_t)cgroup,
						     .attach_type = forms[watch].attach}};
		fd = bpf_call(BPF_LINK_CREATE, &a);
	} else {
		if (watch == BPF_WATCH_EXEC)
			a.raw_tracepoint.name = bpf_pointer("sched_process_exec");
		fd = bpf_call(BPF_RAW_TRACEPOINT_OPEN, &a);
	}
	return fd < 0 ? fail_errno(err, "eBPF program %s is not attached", forms[watch].name) : fd;
}

static int map_ring(struct bpf *bpf, struct error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf->place.ring, 0);
	void *ring = mmap(NULL, page + 2 * BPF_RING_BYTES, PROT_READ, MAP_SHARED, bpf->place.ring, (off_t)page);

	bpf->consumed = consumed == MAP_FAILED ? NULL : consumed;
	bpf->ring = ring == MAP_FAILED ? NULL : ring;
	return bpf->consumed == NULL || bpf->ring == NULL ? fail_errno(err, "eBPF ring") : 0;
}

static int find_kernel(struct bpf_kernel *kernel, struct error *err)
{
	struct btf btf;
	size_t length;
	char *bytes = file_read(AT_FDCWD, BTF, BTF_LIMIT, &length, err);

	if (bytes == NULL)
		return -1;
	int result = btf_open(&btf, (const unsigned char *)bytes, length, err) < 0 ? -1 : bpf_kernel_find(kernel, &btf, err);
	free(bytes);
	return result;
}

// Its depth in the hierarchy, by its path: /sys/fs/cgroup is the root.
static int level_of(const char *cgroup)
{
	int slashes = 0;

	for (; *cgroup != '\0'; cgroup++)
		slashes += *cgroup == '/';
	return slashes - 3;
}

static int fill(struct bpf *bpf, const char *path, struct error *err)
{
	struct stat status;

	bpf->group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bpf->group < 0 || fstat(bpf->group, &status) < 0)
		return fail_errno(err, "%s", path);
	// kernfs gives its control groups' numbers as those of inodes.
	bpf->place.cgroup = status.st_ino;
	bpf->place.level = level_of(path) + 1;
	if (stat(STORAGE, &status) < 0)
		return fail_errno(err, STORAGE);
	// linux/kdev_t.h, which is for the kernel only.
	bpf->place.storage = major(status.st_dev) << 20 | minor(status.st_dev);
	if (find_kernel(&bpf->kernel, err) < 0 ||
	    bpf_maps_make(&bpf->place, err) < 0)
		return -1;
	return map_ring(bpf, err);
}

int bpf_open(struct bpf *bpf, const char *cgroup, struct error *err)
{
	*bpf = (struct bpf){.open = true, .group = -1, .place = BPF_NO_MAPS};
	for (int watch = 0; watch < BPF_WATCHES; watch++)
		bpf->programs[watch] = -1;
	int result = fill(bpf, cgroup, err);
	if (result < 0)
		bpf_close(bpf);
	return result;
}

static int watch_one(struct bpf *bpf, enum bpf_watch watch, struct error *err)
{
	int program = load(bpf, watch, &bpf->kernel, err);

	if (program < 0)
		return -1;
	bpf->programs[watch] = attach(program, watch, bpf->group, err);
	close(program);
	return bpf->programs[watch] < 0 ? -1 : 0;
}

static void drop(int fd)
{
	if (fd >= 0)
		close(fd);
}

uint32_t bpf_watch(struct bpf *bpf, uint32_t kinds, struct error *err)
{
	uint32_t asked = kinds;

	for (int watch = 0; watch < BPF_WATCHES; watch++)
		if ((forms[watch].kind & kinds) != 0 && bpf->programs[watch] < 0 &&
		    watch_one(bpf, (enum bpf_watch)watch, err) < 0)
			kinds &= ~forms[watch].kind;
	// Half of a kind is none.
	for (int watch = 0; watch < BPF_WATCHES; watch++)
		if ((forms[watch].kind & kinds) == 0 && (forms[watch].kind & asked) != 0) {
			drop(bpf->programs[watch]);
			bpf->programs[watch] = -1;
		}
	return kinds;
}

void bpf_close(struct bpf *bpf)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!bpf->open)
		return;
	for (int watch = 0; watch < BPF_WATCHES; watch++)
		drop(bpf->programs[watch]);
	if (bpf->consumed != NULL)
		munmap(bpf->consumed, page);
	if (bpf->ring != NULL)
		munmap((void *)bpf->ring, page + 2 * BPF_RING_BYTES);
	bpf_maps_close(&bpf->place);
	drop(bpf->group);
	*bpf = (struct bpf){.open = false};
}

int bpf_ring(const struct bpf *bpf)
{
	return bpf->place.ring;
}

size_t bpf_drain(struct bpf *bpf, size_t most, void (*take)(void *context, const unsigned char *bytes, size_t length),
		 void *context)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
	const unsigned char *bytes = bpf->ring + page;
	unsigned long *consumed = (unsigned long *)(void *)bpf->consumed, at = *consumed;
	unsigned long end = __atomic_load_n((const unsigned long *)(const void *)bpf->ring, __ATOMIC_ACQUIRE);

	for (; at < end && count < most; count++) {
		const unsigned char *head = bytes + (at & (BPF_RING_BYTES - 1));
		uint32_t length = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
		// It is still being written; we are told when it is done.
		if ((length & BPF_RINGBUF_BUSY_BIT) != 0)
			break;
		bool good = (length & BPF_RINGBUF_DISCARD_BIT) == 0;
		length &= ~BPF_RINGBUF_DISCARD_BIT;
		if (length > BPF_RING_BYTES)
			break;
		if (good)
			take(context, head + BPF_RINGBUF_HDR_SZ, length);
		at += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7ul;
		__atomic_store_n(consumed, at, __ATOMIC_RELEASE);
	}
	return count;
}
