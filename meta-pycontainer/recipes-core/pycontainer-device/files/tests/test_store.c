// SPDX-License-Identifier: MIT
// A store in a folder, whole and then damaged in each way that matters. On a file system without fs-verity this goes the
// way of full hashes.
#include "check.h"
#include "dsse.h"
#include "file.h"
#include "sample.h"
#include "storage.h"
#include "store.h"
#include "verity.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEMO "\"product\":\"demo\""

static char root[] = "/tmp/pyc-store-XXXXXX";
static unsigned char secret[crypto_sign_SECRETKEYBYTES];
static struct facts facts = {.product = "demo", .machine = "qemu-amd64", .threshold = 1, .key_count = 1};

static void blob_path(char path[256], const char *digest)
{
	snprintf(path, 256, "%s/blobs/sha256/%s", root, digest);
}

static void put(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

static void add(char digest[HEX_SIZE], const char *text)
{
	char path[256];

	hash_bytes(digest, text, strlen(text));
	blob_path(path, digest);
	put(path, text, strlen(text));
}

static void sign(char digest[HEX_SIZE], const char *manifest, size_t size, const char *product)
{
	static const char type[] = "application/vnd.pycontainer.revision.signature.v1+json";
	char payload[512], message[1024], b64[1024], signature64[128], envelope[2048], keyid[HEX_SIZE];
	unsigned char signature[crypto_sign_BYTES];

	snprintf(payload, sizeof payload,
		 "{\"digest\":\"sha256:%s\",\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"product\":\"%s\","
		 "\"size\":%zu}", manifest, product, size);
	int length = snprintf(message, sizeof message, "DSSEv1 %zu %s %zu %s", strlen(type), type, strlen(payload), payload);
	crypto_sign_detached(signature, NULL, (unsigned char *)message, (unsigned long long)length, secret);
	sodium_bin2base64(b64, sizeof b64, (unsigned char *)payload, strlen(payload), sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(signature64, sizeof signature64, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
	strcpy(keyid, facts.keys[0].id);
	snprintf(envelope, sizeof envelope,
		 "{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"%s\"}]}", b64, type, keyid,
		 signature64);
	add(digest, envelope);
}

// Write a revision with this config, signed as asked; `id` gets its id and `link` the signature link's path.
static void build(char id[HEX_SIZE], char link[256], const char *config, const char *product, size_t size_lie)
{
	char config_digest[HEX_SIZE], signature[HEX_SIZE], size[32], target[128], folder[200];
	struct error err;

	add(config_digest, config);
	char *one = changed(sample_manifest, D("0000"), config_digest);
	snprintf(size, sizeof size, "\"size\":%zu}", strlen(config));
	char *manifest = changed(one, "\"size\":100}", size);
	add(id, manifest);
	sign(signature, id, strlen(manifest) + size_lie, product);
	snprintf(folder, sizeof folder, "%s/revisions/%s", root, id);
	check(folder_make(folder, 0755, &err) == 0);
	snprintf(link, 256, "%s/signature", folder);
	snprintf(target, sizeof target, "../../blobs/sha256/%s", signature);
	unlink(link);
	check(symlink(target, link) == 0);
	free(one);
	free(manifest);
}

static int load(const char *id, struct error *err)
{
	struct revision revision;
	int result = store_load(&revision, root, id, &facts, err);

	if (result >= 0)
		check(strcmp(revision.id, id) == 0 && revision.layer_count == 3);
	revision_free(&revision);
	return result;
}

static void test_load(void)
{
	char id[HEX_SIZE], link[256], path[256], other[HEX_SIZE], other_link[256];
	struct error none;

	build(id, link, sample_config, "demo", 0);
	check(load(id, &none) == 1);
	check_error(load(D("7777"), err), "No such file");

	// The signature of another revision, and a link to elsewhere.
	char *config = changed(sample_config, "1.0.0", "2.0.0");
	build(other, other_link, config, "demo", 0);
	free(config);
	char target[128];
	ssize_t length = readlink(other_link, target, sizeof target - 1);
	check(length > 0);
	target[length > 0 ? length : 0] = '\0';
	unlink(link);
	check(symlink(target, link) == 0);
	check_error(load(id, err), "it is for revision");
	unlink(link);
	check(symlink("/etc/passwd", link) == 0);
	check_error(load(id, err), "not a link into blobs");
	unlink(link);
	check_error(load(id, err), "signature");

	build(id, link, sample_config, "demo", 1);
	check_error(load(id, err), "for a manifest of");
	build(id, link, sample_config, "toaster", 0);
	check_error(load(id, err), "it is for product toaster");
	build(id, link, sample_config, "demo", 0);
	facts.threshold = 2;
	check_error(load(id, err), "2 are needed");
	facts.threshold = 1;

	char *machine = changed(sample_config, "qemu-amd64", "toaster");
	build(other, other_link, machine, "demo", 0);
	check_error(load(other, err), "machine is toaster");
	free(machine);
	char *product = changed(sample_config, DEMO, "\"product\":\"toaster\"");
	build(other, other_link, product, "demo", 0);
	check_error(load(other, err), "config: product is toaster");
	free(product);

	// One changed byte of the config, then of the manifest.
	char config_digest[HEX_SIZE];
	hash_bytes(config_digest, sample_config, strlen(sample_config));
	blob_path(path, config_digest);
	char *tampered = changed(sample_config, "\"uid\":7", "\"uid\":0");
	put(path, tampered, strlen(tampered));
	free(tampered);
	check_error(load(id, err), "config: the content does not have its digest");
	blob_path(path, id);
	put(path, "{}", 2);
	check_error(load(id, err), "manifest: the content does not have its digest");
	unlink(path);
	check(mkfifo(path, 0644) == 0);
	alarm(20);
	check_error(load(id, err), "manifest: ");
	alarm(0);
	unlink(path);
}

// The fs-verity digest of a file of one block: its hash, padded, is the root of the tree.
static void seal_digest(char out[HEX_SIZE], const char *text)
{
	unsigned char block[4096] = {0}, descriptor[256] = {1, 1, 12, 0};

	memcpy(block, text, strlen(text));
	descriptor[8] = (unsigned char)strlen(text);
	crypto_hash_sha256(descriptor + 16, block, sizeof block);
	hash_bytes(out, descriptor, sizeof descriptor);
}

static void test_open(void)
{
	struct blob blob = {.layer = "web", .role = "rootfs", .size = 7};
	struct seal_counts counts = {0};
	struct error none = {""};
	char path[256], away[300];

	add(blob.digest, "content");
	seal_digest(blob.verity, "content");
	int fd = store_open(root, &blob, &counts, &none);
	check(fd >= 0 && counts.hashed + counts.newly == 1);
	size_t length;
	char *text = store_read(&blob, fd, &length, &none);
	check(text != NULL && length == 7 && strcmp(text, "content") == 0);
	free(text);
	close(fd);
	// Changed after it was proven: only what is read decides.
	if (counts.hashed == 1) {
		fd = store_open(root, &blob, &counts, &none);
		blob_path(path, blob.digest);
		put(path, "Content", 7);
		check(fd >= 0 && store_read(&blob, fd, &length, &none) == NULL);
		check(strstr(none.text, "rootfs of layer web") != NULL && strstr(none.text, "was changed") != NULL);
		close(fd);
		put(path, "content", 7);
	}
	blob.size = 8;
	check_error(store_open(root, &blob, &counts, err), "not a file of 8 bytes");
	blob.size = 7;
	blob_path(path, blob.digest);
	unlink(path);
	put(path, "Content", 7);
	check_error(store_open(root, &blob, &counts, err), "the content was changed");
	snprintf(away, sizeof away, "%s.away", path);
	check(rename(path, away) == 0 && symlink(away, path) == 0);
	check_error(store_open(root, &blob, &counts, err), "symbolic links");
	unlink(path);
	check(mkfifo(path, 0644) == 0);
	check_error(store_open(root, &blob, &counts, err), "not a file");
	unlink(path);
	check_error(store_open(root, &blob, &counts, err), "rootfs of layer web");
}

static void test_uuid(void)
{
	unsigned char start[2048] = {0};
	char uuid[37];

	check(!storage_uuid(uuid, start, sizeof start));
	start[1024 + 0x38] = 0x53;
	start[1024 + 0x39] = 0xef;
	for (int i = 0; i < 16; i++)
		start[1024 + 0x68 + i] = (unsigned char)(i * 17);
	check(storage_uuid(uuid, start, sizeof start) && strcmp(uuid, "00112233-4455-6677-8899-aabbccddeeff") == 0);
	check(!storage_uuid(uuid, start, sizeof start - 1));
}

static void test_seal(void)
{
	// CRC-32C of what is before it, as another program computes it.
	static const unsigned char sum[] = {0x03, 0x51, 0x4f, 0x71};
	unsigned char start[2048] = {0};

	for (int i = 0; i < 1020; i++)
		start[1024 + i] = (unsigned char)(i * 7);
	start[1024 + 0x64] = 0;
	start[1024 + 0x65] = 4;
	start[1024 + 0x175] = 2;
	check(!storage_seal(start));
	start[1024 + 0x175] = 1;
	start[1024 + 0x65] = 0;
	check(!storage_seal(start));
	start[1024 + 0x65] = 4;
	check(storage_seal(start) && memcmp(start + 2044, sum, 4) == 0 && !storage_seal(start));
	start[1024]++;
	check(storage_seal(start) && memcmp(start + 2044, sum, 4) != 0);
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
	char path[256];
	unsigned char hash[32];
	struct error err;

	check(sodium_init() >= 0 && mkdtemp(root) != NULL);
	crypto_sign_keypair(facts.keys[0].public, secret);
	crypto_hash_sha256(hash, facts.keys[0].public, 32);
	text_to_hex(facts.keys[0].id, hash, 32);
	snprintf(path, sizeof path, "%s/blobs/sha256", root);
	check(folder_make(path, 0755, &err) == 0);
	test_load();
	test_open();
	test_uuid();
	test_seal();
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return check_result("store");
}
