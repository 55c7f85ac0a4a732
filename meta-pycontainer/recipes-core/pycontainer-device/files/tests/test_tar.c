// SPDX-License-Identifier: MIT
// Archives as GNU tar and Python write them, and others as nobody should.
#include "check.h"
#include "memfs.h"
#include "sample.h"
#include "tar.h"

static char archive[1 << 16];
static size_t used;

// Append a member; `size` is what its header says.
static void member(const char *name, char type, const char *content, size_t size)
{
	char *header = archive + used;
	unsigned sum = 0;

	memset(header, 0, 512);
	if (strlen(name) <= 100) {
		memcpy(header, name, strlen(name));
	} else {
		const char *slash = strchr(name + strlen(name) - 100, '/');
		memcpy(header, slash + 1, strlen(slash + 1));
		memcpy(header + 345, name, (size_t)(slash - name));
	}
	sprintf(header + 100, "0000644");
	sprintf(header + 124, "%011zo", size);
	memcpy(header + 257, "ustar\00000", 8);
	header[156] = type;
	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)header[i];
	sprintf(header + 148, "%06o", sum);
	used += 512;
	memset(archive + used, 0, (strlen(content) + 511) / 512 * 512);
	memcpy(archive + used, content, strlen(content));
	used += (strlen(content) + 511) / 512 * 512;
}

static void file(const char *name, const char *content)
{
	member(name, '0', content, strlen(content));
}

static void end(void)
{
	memset(archive + used, 0, 1024);
	used += 1024;
}

static struct memfs memfs;

static int parse(struct tar *tar, struct error *err)
{
	memfs_put(&memfs, "bundle.tar", archive, used);
	int fd = memfs.fs.calls->open(&memfs.fs, "bundle.tar", FS_READ);
	int result = tar_index(tar, &memfs.fs, fd, err);
	memfs.fs.calls->close(&memfs.fs, fd);
	used = 0;
	return result;
}

static int refuse(struct error *err)
{
	struct tar tar;
	int result = parse(&tar, err);

	tar_free(&tar);
	return result;
}

static void test_good(void)
{
	struct tar tar;
	struct error err;
	const struct tar_file *blob;

	member("./", '5', "", 0);
	file("./oci-layout", "layout");
	member("blobs/sha256/", '5', "", 0);
	file("blobs/sha256/" D("bbbb"), "second");
	file("./blobs/sha256/" D("aaaa"), "the first one");
	file("blobs/sha256/not-a-digest", "x");
	member("link", '2', "", 5);
	member("PaxHeader/x", 'x', "30 mtime=1700000000.123456789\n19 path=index.json\n", 49);
	file("ignored", "index");
	end();
	check(parse(&tar, &err) == 0);
	check(tar.blob_count == 2 && tar.layout.size == 6 && tar.index.size == 5);
	blob = tar_find(&tar, D("aaaa"));
	check(blob != NULL && blob->size == 13 && memcmp(archive + blob->offset, "the first one", 13) == 0);
	blob = tar_find(&tar, D("bbbb"));
	check(blob != NULL && blob->size == 6 && memcmp(archive + blob->offset, "second", 6) == 0);
	check(tar_find(&tar, D("cccc")) == NULL);
	check(memcmp(archive + tar.index.offset, "index", 5) == 0);
	tar_free(&tar);

	// GNU's long name and binary size; a pax size over a header's.
	char name[300];
	snprintf(name, sizeof name, "././@LongLink");
	member(name, 'L', "blobs/sha256/" D("aaaa"), 78);
	file("blobs/sha256/cut", "content");
	char *size = archive + used + 124;
	file("blobs/sha256/" D("bbbb"), "binary");
	memset(size, 0, 12);
	size[0] = (char)0x80;
	size[11] = 6;
	unsigned sum = 0;
	memset(size + 24, ' ', 8);
	for (int i = -124; i < 512 - 124; i++)
		sum += (unsigned char)size[i];
	sprintf(size + 24, "%06o", sum);
	member("x", 'x', "9 size=3\n", 9);
	member("blobs/sha256/" D("cccc"), '0', "three", 0);
	end();
	check(parse(&tar, &err) == 0 && tar.blob_count == 3);
	blob = tar_find(&tar, D("aaaa"));
	check(blob != NULL && blob->size == 7);
	blob = tar_find(&tar, D("bbbb"));
	check(blob != NULL && blob->size == 6);
	blob = tar_find(&tar, D("cccc"));
	check(blob != NULL && blob->size == 3 && memcmp(archive + blob->offset, "thr", 3) == 0);
	tar_free(&tar);
	end();
	check(parse(&tar, &err) == 0 && tar.blob_count == 0 && tar_find(&tar, D("aaaa")) == NULL);
	tar_free(&tar);
}

static void test_bad(void)
{
	file("oci-layout", "x");
	check_error(refuse(err), "tar: cut short");
	file("oci-layout", "x");
	end();
	used -= 512;
	check_error(refuse(err), "tar: cut short");
	end();
	used = 300;
	check_error(refuse(err), "tar: cut short");
	member("blobs/sha256/" D("aaaa"), '0', "x", 4000);
	end();
	check_error(refuse(err), "at byte 0: cut short");
	member("blobs/sha256/" D("aaaa"), '0', "x", 077777777777);
	end();
	check_error(refuse(err), "cut short");
	file("oci-layout", "x");
	file("index.json", "y");
	archive[1024 + 5]++;
	end();
	check_error(refuse(err), "at byte 1024: the checksum of a header is wrong");
	memset(archive, 'z', 1024);
	used = 1024;
	check_error(refuse(err), "not a tar archive");
	file("oci-layout", "x");
	file("./oci-layout", "x");
	end();
	check_error(refuse(err), "oci-layout: twice");
	file("blobs/sha256/" D("aaaa"), "x");
	file("./blobs/sha256/" D("aaaa"), "y");
	end();
	check_error(refuse(err), "blob aaaaaaaaaaaa twice");
	member("blobs/sha256/" D("aaaa"), '2', "", 0);
	end();
	check_error(refuse(err), "not a file");
	member("x", '0', "", 0);
	end();
	used -= 512;
	file("late", "x");
	end();
	check_error(refuse(err), "behind the end mark");
	member("x", 'x', "100 path=a\n", 11);
	end();
	check_error(refuse(err), "extended header: a record is not well formed");
	member("x", 'x', "11 path=\n", 9);
	end();
	check_error(refuse(err), "a record is not well formed");
	member("x", 'x', "8 path=\n", 8);
	end();
	check_error(refuse(err), "a path is empty");
	member("x", 'x', "12 size=1x2\n", 12);
	end();
	check_error(refuse(err), "size: not a number");
	member("x", 'g', "9 size=1\n", 9);
	end();
	check_error(refuse(err), "for all that follows");
	member("x", 'L', "", 0);
	end();
	check_error(refuse(err), "a path is empty");
	file("x", "y");
	memcpy(archive + 124, "0000000009z", 11);
	end();
	check_error(refuse(err), "checksum");
}

int main(void)
{
	memfs_init(&memfs, NULL);
	test_good();
	test_bad();
	memfs_free(&memfs);
	return check_result("tar");
}
