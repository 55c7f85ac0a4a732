// SPDX-License-Identifier: MIT
#include "memfs.h"
#include "verity.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096
#define FD 1000	// descriptors begin here: taken for a real one, they would be noticed

enum state { NOW, SYNCED, CHECKPOINTED, STATES };
enum kind { PLAIN, FOLDER, LINK };

// Bytes are shared by all states and copies of a file system until somebody changes them.
struct shared {
	unsigned users;
	char bytes[];	// with a zero behind
};

struct content {
	struct shared *shared;
	size_t size;
	bool sealed;
};

struct name {
	char text[120];
	size_t node;
};

struct names {
	struct name *items;
	size_t count;
};

struct memfs_node {
	enum kind kind;
	struct content content[STATES];
	struct names names[STATES];
	size_t group;	// of a folder: the first of those that are certain together only; 0: this one alone
	size_t before;	// of a FAT: what its new name still names on the medium, until it is synced itself; 0: itself
};

static struct memfs *of(struct fs *fs)
{
	return fs->context;
}

static void *need(void *pointer)
{
	if (pointer == NULL)
		abort();
	return pointer;
}

static void release(struct content *content)
{
	if (content->shared != NULL && --content->shared->users == 0)
		free(content->shared);
}

static void copy_content(struct content *to, const struct content *from)
{
	from->shared->users++;
	release(to);
	*to = *from;
}

static void copy_names(struct names *to, const struct names *from)
{
	struct names made = {need(calloc(from->count + 1, sizeof *made.items)), from->count};

	if (from->count > 0)
		memcpy(made.items, from->items, from->count * sizeof *made.items);
	free(to->items);
	*to = made;
}

// Bytes of this size to change: the old ones as far as they go, then zeros.
static char *resize(struct content *content, size_t size)
{
	struct shared *made = need(calloc(1, sizeof *made + size + 1));

	made->users = 1;
	if (content->shared != NULL)
		memcpy(made->bytes, content->shared->bytes, size < content->size ? size : content->size);
	release(content);
	content->shared = made;
	content->size = size;
	return made->bytes;
}

static size_t add_node(struct memfs *memfs, enum kind kind)
{
	memfs->nodes = need(realloc(memfs->nodes, (memfs->count + 1) * sizeof *memfs->nodes));
	struct memfs_node *node = &memfs->nodes[memfs->count];
	*node = (struct memfs_node){.kind = kind};
	for (int i = 0; i < STATES; i++)
		resize(&node->content[i], 0);
	return memfs->count++;
}

// Count a call; -1 when it must fail, 1 when it must do half, after which the power may be gone.
static int begin(struct memfs *memfs)
{
	struct fault *fault = memfs->fault;

	if (fault == NULL)
		return 0;
	errno = EIO;
	if (fault->down)
		return -1;
	if (++fault->calls != fault->at || fault->kind == FAULT_NONE)
		return 0;
	if (fault->kind == FAULT_SHORT)
		return 1;
	fault->hit = true;
	fault->down = fault->kind == FAULT_CRASH;
	errno = fault->kind == FAULT_ERROR ? fault->error : EIO;
	return -1;
}

static struct name *find(const struct names *names, const char *text, size_t length)
{
	for (size_t i = 0; i < names->count; i++)
		if (strlen(names->items[i].text) == length && memcmp(names->items[i].text, text, length) == 0)
			return &names->items[i];
	return NULL;
}

// The node of a path, or -1 with errno; *parent and *last are where it would be made.
static long walk(const struct memfs *memfs, const char *path, size_t *parent, const char **last)
{
	size_t node = 0;

	*parent = 0;
	*last = path;
	while (*path != '\0') {
		size_t length = strcspn(path, "/");
		if (memfs->nodes[node].kind != FOLDER) {
			errno = memfs->nodes[node].kind == LINK ? ELOOP : ENOTDIR;
			return -1;
		}
		*parent = node;
		*last = path;
		const struct name *name = find(&memfs->nodes[node].names[NOW], path, length);
		if (name == NULL) {
			// Only of a missing last part is the parent known.
			if (path[length] != '\0')
				*parent = SIZE_MAX;
			errno = ENOENT;
			return -1;
		}
		node = name->node;
		path += length + (path[length] == '/');
	}
	return (long)node;
}

static void link_name(struct memfs *memfs, size_t folder, const char *text, size_t node)
{
	struct names *names = &memfs->nodes[folder].names[NOW];

	names->items = need(realloc(names->items, (names->count + 1) * sizeof *names->items));
	struct name *name = &names->items[names->count++];
	if (strlen(text) >= sizeof name->text)
		abort();
	strcpy(name->text, text);
	name->node = node;
}

static void unlink_name(struct memfs *memfs, size_t folder, const char *text)
{
	struct names *names = &memfs->nodes[folder].names[NOW];
	struct name *name = find(names, text, strlen(text));

	*name = names->items[--names->count];
}

static void mark(const struct memfs *memfs, size_t node, bool *seen)
{
	if (seen[node])
		return;
	seen[node] = true;
	for (size_t i = 0; i < memfs->nodes[node].names[NOW].count; i++)
		mark(memfs, memfs->nodes[node].names[NOW].items[i].node, seen);
}

static uint64_t used(const struct memfs *memfs)
{
	bool *seen = need(calloc(memfs->count, sizeof *seen));
	uint64_t bytes = 0;

	mark(memfs, 0, seen);
	for (size_t i = 0; i < sizeof memfs->handles / sizeof *memfs->handles; i++)
		seen[memfs->handles[i].node] = true;
	for (size_t i = 0; i < memfs->count; i++)
		if (seen[i])
			bytes += memfs->nodes[i].kind != PLAIN
					 ? BLOCK : (memfs->nodes[i].content[NOW].size + BLOCK - 1) / BLOCK * BLOCK;
	free(seen);
	return bytes;
}

static bool fits(const struct memfs *memfs, uint64_t more)
{
	errno = ENOSPC;
	return memfs->capacity == 0 || used(memfs) + more <= memfs->capacity;
}

// The names of a folder as they can be on the medium without the inodes of the files that are in it.
static struct names names_alone(const struct memfs *memfs, size_t folder)
{
	struct names names = {0};

	copy_names(&names, &memfs->nodes[folder].names[NOW]);
	for (size_t i = 0; i < names.count; i++)
		if (memfs->nodes[names.items[i].node].before != 0)
			names.items[i].node = memfs->nodes[names.items[i].node].before;
	return names;
}

static size_t group_of(const struct memfs *memfs, size_t node)
{
	return memfs->nodes[node].group != 0 ? memfs->nodes[node].group : node;
}

// A folder that went from one into another is in exactly one of them: the journal has both changes in one transaction.
static void join(struct memfs *memfs, size_t one, size_t two)
{
	size_t a = group_of(memfs, one), b = group_of(memfs, two), first = a < b ? a : b;

	for (size_t i = 0; i < memfs->count && a != b; i++)
		if (group_of(memfs, i) == a || group_of(memfs, i) == b)
			memfs->nodes[i].group = first;
}

static void sync_names(struct memfs *memfs, size_t folder, enum state to)
{
	struct names names = names_alone(memfs, folder);

	copy_names(&memfs->nodes[folder].names[to], &names);
	free(names.items);
}

// A FAT forgets the bytes of a file that has no name and is not open, whatever the names on the medium say.
static void forget(struct memfs *memfs, size_t node)
{
	bool wanted = !memfs->fat || memfs->nodes[node].kind != PLAIN;

	for (size_t i = 0; i < memfs->count && !wanted; i++)
		for (size_t j = 0; j < memfs->nodes[i].names[NOW].count && !wanted; j++)
			wanted = memfs->nodes[i].names[NOW].items[j].node == node;
	for (size_t i = 0; i < sizeof memfs->handles / sizeof *memfs->handles && !wanted; i++)
		wanted = memfs->handles[i].node == node;
	if (!wanted)
		resize(&memfs->nodes[node].content[SYNCED], 0);
}

static struct content *content_of(struct memfs *memfs, int fd)
{
	if (fd < FD || fd >= FD + 16 || memfs->handles[fd - FD].node == 0)
		abort();
	return &memfs->nodes[memfs->handles[fd - FD].node].content[NOW];
}

static int mem_open(struct fs *fs, const char *path, enum fs_open how)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;

	if (begin(memfs) < 0)
		return -1;
	long node = walk(memfs, path, &parent, &last);
	if (node < 0) {
		if (errno != ENOENT || how != FS_APPEND || parent == SIZE_MAX || !fits(memfs, BLOCK))
			return -1;
		node = (long)add_node(memfs, PLAIN);
		link_name(memfs, parent, last, (size_t)node);
	}
	if (memfs->nodes[node].kind != PLAIN) {
		errno = memfs->nodes[node].kind == FOLDER ? EISDIR : ELOOP;
		return -1;
	}
	if (how != FS_READ && memfs->nodes[node].content[NOW].sealed) {
		errno = EPERM;
		return -1;
	}
	for (int i = 0; i < 16; i++)
		if (memfs->handles[i].node == 0) {
			memfs->handles[i].node = (size_t)node;
			memfs->handles[i].how = how;
			return FD + i;
		}
	errno = EMFILE;
	return -1;
}

static ssize_t mem_read(struct fs *fs, int fd, void *bytes, size_t length, uint64_t at)
{
	struct memfs *memfs = of(fs);
	const struct content *content = content_of(memfs, fd);
	int part = begin(memfs);

	if (part < 0)
		return -1;
	if (at >= content->size)
		return 0;
	if (length > content->size - at)
		length = content->size - (size_t)at;
	if (part > 0 && length > 1) {
		memfs->fault->hit = true;
		length /= 2;
	}
	memcpy(bytes, content->shared->bytes + at, length);
	return (ssize_t)length;
}

static ssize_t mem_write(struct fs *fs, int fd, const void *bytes, size_t length, uint64_t at)
{
	struct memfs *memfs = of(fs);
	struct content *content = content_of(memfs, fd);
	int part = begin(memfs);

	if (memfs->handles[fd - FD].how == FS_READ)
		abort();
	bool crashed = part < 0 && memfs->fault->kind == FAULT_CRASH && memfs->fault->calls == memfs->fault->at &&
		       memfs->fault->hit;
	if (part < 0 && !crashed)
		return -1;
	if (part != 0 && length > 1) {
		memfs->fault->hit = true;
		length /= 2;
	}
	if (at + length > content->size) {
		uint64_t blocks = (at + length + BLOCK - 1) / BLOCK - (content->size + BLOCK - 1) / BLOCK;
		if (!fits(memfs, blocks * BLOCK))
			return -1;
	}
	memcpy(resize(content, at + length > content->size ? (size_t)at + length : content->size) + at, bytes, length);
	errno = EIO;
	return crashed ? -1 : (ssize_t)length;
}

static int mem_size(struct fs *fs, int fd, uint64_t *size)
{
	*size = content_of(of(fs), fd)->size;
	return begin(of(fs)) < 0 ? -1 : 0;
}

static int mem_truncate(struct fs *fs, int fd, uint64_t size)
{
	if (of(fs)->handles[fd - FD].how == FS_READ)
		abort();
	if (begin(of(fs)) < 0)
		return -1;
	resize(content_of(of(fs), fd), (size_t)size);
	return 0;
}

// The file's entry in its folder, of a FAT: that sector is written, and the folder has no other.
static void sync_entry(struct memfs *memfs, size_t node)
{
	memfs->nodes[node].before = 0;
	for (size_t i = 0; i < memfs->count; i++)
		for (size_t j = 0; j < memfs->nodes[i].names[NOW].count; j++)
			if (memfs->nodes[i].names[NOW].items[j].node == node) {
				sync_names(memfs, i, SYNCED);
				return;
			}
}

static int mem_sync(struct fs *fs, int fd)
{
	struct memfs *memfs = of(fs);
	struct content *content = content_of(memfs, fd);

	if (begin(memfs) < 0)
		return -1;
	copy_content(content + SYNCED, content);
	if (memfs->nodes[memfs->handles[fd - FD].node].before != 0)
		sync_entry(memfs, memfs->handles[fd - FD].node);
	return 0;
}

static int mem_close(struct fs *fs, int fd)
{
	struct memfs *memfs = of(fs);

	content_of(memfs, fd);
	size_t node = memfs->handles[fd - FD].node;
	memfs->handles[fd - FD].node = 0;
	if (begin(memfs) < 0)
		return -1;
	forget(memfs, node);
	return 0;
}

// fs-verity's file digest (Documentation/filesystems/fsverity.rst).
static void verity(char out[HEX_SIZE], const struct content *content)
{
	size_t count = (content->size + BLOCK - 1) / BLOCK, length = content->size;
	unsigned char block[BLOCK], descriptor[256] = {1, 1, 12}, *level = need(calloc(1, count * 32 + BLOCK));
	const char *bytes = content->shared->bytes;

	for (bool leaves = true; leaves || length > 32; leaves = false) {
		count = (length + BLOCK - 1) / BLOCK;
		for (size_t i = 0; i < count; i++) {
			size_t part = length - i * BLOCK < BLOCK ? length - i * BLOCK : BLOCK;
			memset(block, 0, sizeof block);
			memcpy(block, bytes + i * BLOCK, part);
			crypto_hash_sha256(level + i * 32, block, sizeof block);
		}
		bytes = (const char *)level;
		length = count * 32;
	}
	for (int i = 0; i < 8; i++)
		descriptor[8 + i] = (unsigned char)((uint64_t)content->size >> 8 * i);
	memcpy(descriptor + 16, level, 32);
	free(level);
	hash_bytes(out, descriptor, sizeof descriptor);
}

static int mem_seal(struct fs *fs, int fd, char digest[HEX_SIZE])
{
	struct memfs *memfs = of(fs);
	struct content *content = content_of(memfs, fd);

	if (begin(memfs) < 0)
		return -1;
	if (memfs->no_verity)
		return SEAL_UNSUPPORTED;
	verity(digest, content);
	if (content->sealed)
		return SEAL_OK;
	// The kernel seals nothing that somebody may still write to.
	for (int i = 0; i < 16; i++)
		if (memfs->handles[i].node == memfs->handles[fd - FD].node && memfs->handles[i].how != FS_READ) {
			errno = ETXTBSY;
			return -1;
		}
	content->sealed = true;
	return SEAL_NEW;
}

static int mem_rename(struct fs *fs, const char *from, const char *to)
{
	struct memfs *memfs = of(fs);
	size_t from_parent, to_parent;
	const char *from_last, *to_last;

	if (begin(memfs) < 0)
		return -1;
	long node = walk(memfs, from, &from_parent, &from_last);
	if (node < 0)
		return -1;
	long there = walk(memfs, to, &to_parent, &to_last);
	if (there < 0 && (errno != ENOENT || to_parent == SIZE_MAX))
		return -1;
	if (there == node)
		return 0;
	if (there >= 0) {
		bool folder = memfs->nodes[there].kind == FOLDER;
		if (folder != (memfs->nodes[node].kind == FOLDER)) {
			errno = folder ? EISDIR : ENOTDIR;
			return -1;
		}
		if (folder && memfs->nodes[there].names[NOW].count > 0) {
			errno = ENOTEMPTY;
			return -1;
		}
		unlink_name(memfs, to_parent, to_last);
	}
	unlink_name(memfs, from_parent, from_last);
	link_name(memfs, to_parent, to_last, (size_t)node);
	if (memfs->nodes[node].kind == FOLDER)
		join(memfs, from_parent, to_parent);
	if (memfs->fat && memfs->nodes[node].kind == PLAIN) {
		size_t before = there < 0 ? add_node(memfs, PLAIN) : (size_t)there;
		memfs->nodes[node].before = memfs->nodes[before].before != 0 ? memfs->nodes[before].before : before;
		forget(memfs, before);
	}
	return 0;
}

static int remove_node(struct memfs *memfs, const char *path, bool folder)
{
	size_t parent;
	const char *last;

	if (begin(memfs) < 0)
		return -1;
	long node = walk(memfs, path, &parent, &last);
	if (node < 0)
		return -1;
	errno = folder ? ENOTDIR : EISDIR;
	if ((memfs->nodes[node].kind == FOLDER) != folder)
		return -1;
	errno = ENOTEMPTY;
	if (folder && memfs->nodes[node].names[NOW].count > 0)
		return -1;
	unlink_name(memfs, parent, last);
	forget(memfs, (size_t)node);
	return 0;
}

static int mem_unlink(struct fs *fs, const char *path)
{
	return remove_node(of(fs), path, false);
}

static int mem_rmdir(struct fs *fs, const char *path)
{
	return remove_node(of(fs), path, true);
}

static long make(struct memfs *memfs, const char *path, enum kind kind)
{
	size_t parent;
	const char *last;

	if (walk(memfs, path, &parent, &last) >= 0) {
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT || parent == SIZE_MAX || !fits(memfs, BLOCK))
		return -1;
	size_t node = add_node(memfs, kind);
	link_name(memfs, parent, last, node);
	return (long)node;
}

static int mem_symlink(struct fs *fs, const char *target, const char *path)
{
	struct memfs *memfs = of(fs);
	long node = begin(memfs) < 0 ? -1 : make(memfs, path, LINK);

	if (node < 0)
		return -1;
	// Target and name come and go together.
	for (int i = 0; i < STATES; i++)
		memcpy(resize(&memfs->nodes[node].content[i], strlen(target)), target, strlen(target));
	return 0;
}

static int mem_link(struct fs *fs, const char *from, const char *to)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;

	if (begin(memfs) < 0)
		return -1;
	long node = walk(memfs, from, &parent, &last);
	if (node < 0)
		return -1;
	if (walk(memfs, to, &parent, &last) >= 0 || errno != ENOENT || parent == SIZE_MAX) {
		errno = errno == ENOENT && parent == SIZE_MAX ? ENOENT : EEXIST;
		return -1;
	}
	errno = EPERM;
	if (memfs->nodes[node].kind == FOLDER)
		return -1;
	link_name(memfs, parent, last, (size_t)node);
	return 0;
}

static int mem_same(struct fs *fs, const char *path, const char *other)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;
	long one = begin(memfs) < 0 ? -1 : walk(memfs, path, &parent, &last);
	long two = one < 0 ? -1 : walk(memfs, other, &parent, &last);

	return two < 0 ? -1 : one == two;
}

static ssize_t mem_readlink(struct fs *fs, const char *path, char *target, size_t size)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;
	long node = begin(memfs) < 0 ? -1 : walk(memfs, path, &parent, &last);

	if (node < 0)
		return -1;
	const struct content *content = &memfs->nodes[node].content[NOW];
	errno = memfs->nodes[node].kind != LINK ? EINVAL : ENAMETOOLONG;
	if (memfs->nodes[node].kind != LINK || content->size >= size)
		return -1;
	strcpy(target, content->shared->bytes);
	return (ssize_t)content->size;
}

static int mem_mkdir(struct fs *fs, const char *path, unsigned mode)
{
	(void)mode;
	return begin(of(fs)) < 0 || make(of(fs), path, FOLDER) < 0 ? -1 : 0;
}

static int mem_list(struct fs *fs, const char *path, int (*each)(void *context, const char *name), void *context)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;
	long node = begin(memfs) < 0 ? -1 : walk(memfs, path, &parent, &last);
	struct names names = {0};
	int result = 0;

	if (node < 0)
		return -1;
	errno = ENOTDIR;
	if (memfs->nodes[node].kind != FOLDER)
		return -1;
	copy_names(&names, &memfs->nodes[node].names[NOW]);
	for (size_t i = 0; i < names.count && result == 0; i++)
		result = each(context, names.items[i].text);
	free(names.items);
	return result;
}

static int mem_sync_folder(struct fs *fs, const char *path)
{
	struct memfs *memfs = of(fs);
	size_t parent;
	const char *last;
	long node = begin(memfs) < 0 ? -1 : walk(memfs, path, &parent, &last);

	if (node < 0)
		return -1;
	size_t group = group_of(memfs, (size_t)node);
	for (size_t i = 0; i < memfs->count; i++)
		if (group_of(memfs, i) == group) {
			sync_names(memfs, i, SYNCED);
			memfs->nodes[i].group = 0;
		}
	return 0;
}

static void spread(struct memfs *memfs, enum state from)
{
	for (size_t i = 0; i < memfs->count; i++) {
		memfs->nodes[i].before = 0;
		memfs->nodes[i].group = 0;
		for (int to = 0; to < STATES; to++)
			if (to != (int)from) {
				copy_content(&memfs->nodes[i].content[to], &memfs->nodes[i].content[from]);
				copy_names(&memfs->nodes[i].names[to], &memfs->nodes[i].names[from]);
			}
	}
}

static int mem_sync_all(struct fs *fs)
{
	struct memfs *memfs = of(fs);

	if (begin(memfs) < 0)
		return -1;
	for (size_t i = 0; i < memfs->count; i++) {
		memfs->nodes[i].before = 0;
		memfs->nodes[i].group = 0;
		copy_content(&memfs->nodes[i].content[SYNCED], &memfs->nodes[i].content[NOW]);
		copy_names(&memfs->nodes[i].names[SYNCED], &memfs->nodes[i].names[NOW]);
	}
	return 0;
}

static int mem_checkpoint(struct fs *fs)
{
	if (begin(of(fs)) < 0)
		return -1;
	spread(of(fs), NOW);
	return 0;
}

static int mem_room(struct fs *fs, uint64_t *bytes)
{
	struct memfs *memfs = of(fs);

	if (begin(memfs) < 0)
		return -1;
	uint64_t taken = used(memfs);
	*bytes = memfs->capacity == 0 ? UINT64_C(1) << 40 : memfs->capacity > taken ? memfs->capacity - taken : 0;
	return 0;
}

static const struct fs_calls calls = {
	mem_open, mem_read, mem_write, mem_size, mem_truncate, mem_sync, mem_close, mem_seal, mem_rename, mem_unlink,
	mem_symlink, mem_link, mem_same, mem_readlink, mem_mkdir, mem_rmdir, mem_list, mem_sync_folder, mem_sync_all, mem_checkpoint,
	mem_room,
};

void memfs_init(struct memfs *memfs, struct fault *fault)
{
	*memfs = (struct memfs){.fs = {.calls = &calls, .root = "memory", .context = memfs}, .fault = fault};
	add_node(memfs, FOLDER);
}

void memfs_copy(struct memfs *out, const struct memfs *memfs, struct fault *fault)
{
	*out = *memfs;
	out->fs.context = out;
	out->fault = fault;
	out->nodes = need(calloc(memfs->count, sizeof *out->nodes));
	for (size_t i = 0; i < memfs->count; i++) {
		out->nodes[i].kind = memfs->nodes[i].kind;
		out->nodes[i].before = memfs->nodes[i].before;
		out->nodes[i].group = memfs->nodes[i].group;
		for (int state = 0; state < STATES; state++) {
			copy_content(&out->nodes[i].content[state], &memfs->nodes[i].content[state]);
			copy_names(&out->nodes[i].names[state], &memfs->nodes[i].names[state]);
		}
	}
}

void memfs_free(struct memfs *memfs)
{
	for (size_t i = 0; i < memfs->count; i++)
		for (int state = 0; state < STATES; state++) {
			release(&memfs->nodes[i].content[state]);
			free(memfs->nodes[i].names[state].items);
		}
	free(memfs->nodes);
	memset(memfs, 0, sizeof *memfs);
}

void memfs_restart(struct memfs *memfs, enum memfs_restart how)
{
	enum state from = how == MEMFS_UNREPLAYED ? CHECKPOINTED : SYNCED;

	for (size_t i = 0; i < memfs->count; i++) {
		struct memfs_node *node = &memfs->nodes[i];
		size_t size = node->content[NOW].size, which = group_of(memfs, i);
		if ((how == MEMFS_SOME && which % 2 == 0) || (how == MEMFS_OTHERS && which % 2 == 1))
			continue;
		if (how == MEMFS_SOME || how == MEMFS_OTHERS)
			copy_names(&node->names[NOW], &node->names[from]);
		if (how == MEMFS_NOTHING || how == MEMFS_UNREPLAYED || how == MEMFS_BYTES)
			copy_names(&node->names[NOW], &node->names[from]);
		if (how == MEMFS_NAMES || how == MEMFS_ZEROS)
			sync_names(memfs, i, NOW);
		if (node->kind == PLAIN && how != MEMFS_EVERYTHING && how != MEMFS_BYTES)
			copy_content(&node->content[NOW], &node->content[from]);
		if (node->kind == PLAIN && how == MEMFS_ZEROS)
			resize(&node->content[NOW], size);
	}
	spread(memfs, NOW);
	memset(memfs->handles, 0, sizeof memfs->handles);
}

unsigned memfs_open(const struct memfs *memfs)
{
	unsigned count = 0;

	for (int i = 0; i < 16; i++)
		count += memfs->handles[i].node != 0;
	return count;
}

static void digest_node(const struct memfs *memfs, size_t index, enum state state, crypto_generichash_state *hash)
{
	const struct memfs_node *node = &memfs->nodes[index];
	const struct content *content = &node->content[state];
	const struct names *names = &node->names[state];
	const uint64_t numbers[] = {node->kind, content->size, content->sealed, names->count, node->before != 0, node->group};

	crypto_generichash_update(hash, (const unsigned char *)numbers, sizeof numbers);
	crypto_generichash_update(hash, (const unsigned char *)content->shared->bytes, content->size);
	for (size_t i = 0; i < names->count; i++) {
		const char *text = names->items[i].text;
		crypto_generichash_update(hash, (const unsigned char *)text, strlen(text) + 1);
		digest_node(memfs, names->items[i].node, state, hash);
	}
	if (node->before != 0)
		digest_node(memfs, node->before, state, hash);
}

void memfs_digest(const struct memfs *memfs, char digest[HEX_SIZE])
{
	crypto_generichash_state hash;
	unsigned char bytes[32];

	crypto_generichash_init(&hash, NULL, 0, sizeof bytes);
	for (int state = 0; state < STATES; state++)
		digest_node(memfs, 0, (enum state)state, &hash);
	crypto_generichash_final(&hash, bytes, sizeof bytes);
	text_to_hex(digest, bytes, sizeof bytes);
}

void memfs_put(struct memfs *memfs, const char *path, const void *bytes, size_t length)
{
	char part[256];
	size_t parent;
	const char *last;

	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (make(memfs, part, FOLDER) < 0 && errno != EEXIST)
			abort();
	}
	long node = walk(memfs, path, &parent, &last);
	if (node < 0)
		node = make(memfs, path, PLAIN);
	if (node < 0)
		abort();
	memcpy(resize(&memfs->nodes[node].content[NOW], length), bytes, length);
	memfs->nodes[node].content[NOW].sealed = false;
}

const char *memfs_get(const struct memfs *memfs, const char *path, size_t *length)
{
	size_t parent;
	const char *last;
	long node = walk(memfs, path, &parent, &last);

	if (node < 0 || memfs->nodes[node].kind != PLAIN)
		return NULL;
	*length = memfs->nodes[node].content[NOW].size;
	return memfs->nodes[node].content[NOW].shared->bytes;
}

void memfs_settle(struct memfs *memfs)
{
	spread(memfs, NOW);
}
