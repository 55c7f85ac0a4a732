// SPDX-License-Identifier: MIT
#include "product.h"
#include "plan.h"
#include "revisions.h"
#include "store.h"
#include "verify.h"
#include "verity.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct facts product_facts = {.product = "demo", .machine = "qemu-amd64", .threshold = 1, .key_count = 1};
static unsigned char secret[crypto_sign_SECRETKEYBYTES];

void product_init(void)
{
	unsigned char hash[32];

	if (sodium_init() < 0)
		abort();
	crypto_sign_keypair(product_facts.keys[0].public, secret);
	crypto_hash_sha256(hash, product_facts.keys[0].public, 32);
	text_to_hex(product_facts.keys[0].id, hash, sizeof hash);
}

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
	char *out = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&out, format, args) < 0)
		abort();
	va_end(args);
	return out;
}

struct place {
	struct memfs *memfs;
	const char *folder;
};

static void put(const struct place *place, const char *bytes, char digest[HEX_SIZE])
{
	char *path;

	hash_bytes(digest, bytes, strlen(bytes));
	path = text("%sblobs/sha256/%s", place->folder, digest);
	memfs_put(place->memfs, path, bytes, strlen(bytes));
	free(path);
}

// What the kernel measures for these bytes.
static void measure(const char *bytes, char digest[HEX_SIZE])
{
	struct memfs scratch;

	memfs_init(&scratch, NULL);
	memfs_put(&scratch, "file", bytes, strlen(bytes));
	int fd = scratch.fs.calls->open(&scratch.fs, "file", FS_READ);
	if (scratch.fs.calls->seal(&scratch.fs, fd, digest) != SEAL_NEW)
		abort();
	memfs_free(&scratch);
}

// Put a layer's blob; append its descriptor to the manifest's list.
static void layer_blob(const struct place *place, char **list, const char *layer, const char *role, const char *bytes,
		       bool wrong, char digest[HEX_SIZE])
{
	char verity[HEX_SIZE];

	put(place, bytes, digest);
	measure(bytes, verity);
	verity[0] = wrong ? (verity[0] == '0' ? '1' : '0') : verity[0];
	char *longer = text("%s%s{\"mediaType\":\"x\",\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":{"
			    "\"vnd.pycontainer.layer\":\"%s\",\"vnd.pycontainer.role\":\"%s\",\"vnd.pycontainer.fsverity\":"
			    "\"sha256:%s\"}}", *list, **list == '\0' ? "" : ",", digest, strlen(bytes), layer, role, verity);
	free(*list);
	*list = longer;
}

#define CONTAINER                                                                                                      \
	"{\"name\":\"%s\",\"kind\":\"%s\",\"version\":\"1\",\"runtime\":\"crun\",\"blobs\":{\"rootfs\":\"sha256:%s\","    \
	"\"run-config\":\"sha256:%s\"},\"startGroup\":%d,\"after\":[],\"restart\":{\"policy\":\"always\","               \
	"\"maxRetries\":0,\"initialDelayMs\":500,\"maxDelayMs\":30000,\"resetAfterMs\":60000},\"stop\":{\"signal\":15,"  \
	"\"timeoutMs\":10000},\"logs\":{\"maxBytes\":1048576,\"files\":2},\"volumes\":[],\"health\":null}"

static void envelope(const struct place *place, const char *manifest, const char *product, bool bundle, struct made *made)
{
	static const char type[] = "application/vnd.pycontainer.revision.signature.v1+json";
	unsigned char signature[crypto_sign_BYTES];
	char b64[1024], signature64[128];
	char *payload = text("{\"digest\":\"sha256:%s\",\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			     "\"product\":\"%s\",\"size\":%zu}", made->id, product, strlen(manifest));
	char *message = text("DSSEv1 %zu %s %zu %s", strlen(type), type, strlen(payload), payload);

	crypto_sign_detached(signature, NULL, (unsigned char *)message, strlen(message), secret);
	sodium_bin2base64(b64, sizeof b64, (unsigned char *)payload, strlen(payload), sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(signature64, sizeof signature64, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
	char *envelope = text("{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"%s\"}]}",
			      b64, type, product_facts.keys[0].id, signature64);
	put(place, envelope, made->envelope);
	char *referrer = text("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			      "\"artifactType\":\"application/vnd.pycontainer.signature.v1\",\"config\":{},\"layers\":[{"
			      "\"mediaType\":\"application/vnd.dsse.envelope.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu}],"
			      "\"subject\":{\"digest\":\"sha256:%s\"}}", made->envelope, strlen(envelope), made->id);
	if (bundle)
		put(place, referrer, made->referrer);
	free(payload);
	free(message);
	free(envelope);
	free(referrer);
}

void product_blobs(struct memfs *memfs, const char *folder, const struct sample *sample, bool bundle, struct made *made)
{
	struct place place = {memfs, folder};
	char modules[HEX_SIZE], dtb[HEX_SIZE], initramfs[HEX_SIZE], boot_env[HEX_SIZE], base_config[HEX_SIZE], web_config[HEX_SIZE];
	const char *product = sample->product != NULL ? sample->product : "demo";
	char *list = text("%s", "");

	layer_blob(&place, &list, "bsp", "kernel", sample->kernel != NULL ? sample->kernel : "a kernel", sample->wrong_verity,
		   made->kernel);
	layer_blob(&place, &list, "bsp", "modules", "some modules", false, modules);
	if (sample->dtb != NULL)
		layer_blob(&place, &list, "bsp", "dtb", sample->dtb, false, dtb);
	layer_blob(&place, &list, "host", "initramfs", "an initramfs", false, initramfs);
	layer_blob(&place, &list, "host", "boot-env", "kernel_args=quiet", false, boot_env);
	layer_blob(&place, &list, "rootfs", "rootfs", sample->rootfs != NULL ? sample->rootfs : "a root file system", false,
		   made->rootfs);
	layer_blob(&place, &list, "rootfs", "run-config", "{\"rootfs\":1}", false, base_config);
	// The same image in another layer: one blob.
	layer_blob(&place, &list, "web", "rootfs", sample->rootfs != NULL ? sample->rootfs : "a root file system", false,
		   made->rootfs);
	layer_blob(&place, &list, "web", "run-config", sample->config != NULL ? sample->config : "{\"web\":1}", false,
		   web_config);
	char *base = text(CONTAINER, "rootfs", "rootfs", made->rootfs, base_config, 0);
	char *web = text(CONTAINER, "web", "app", made->rootfs, web_config, 1);
	char *tree = sample->dtb != NULL ? text(",\"dtb\":\"sha256:%s\"", dtb) : text("%s", "");
	char *config = text("{\"schemaVersion\":1,\"product\":\"%s\",\"version\":\"1\",\"machine\":\"%s\",\"securityVersion\":%u,"
			    "\"layers\":[{\"name\":\"bsp\",\"kind\":\"bsp\",\"version\":\"6\",\"blobs\":{\"kernel\":\"sha256:%s\","
			    "\"modules\":\"sha256:%s\"%s}},{\"name\":\"host\",\"kind\":\"host\",\"version\":\"1\",\"blobs\":{"
			    "\"initramfs\":\"sha256:%s\",\"boot-env\":\"sha256:%s\"}},%s,%s]}", product,
			    sample->machine != NULL ? sample->machine : "qemu-amd64", sample->security, made->kernel, modules, tree,
			    initramfs, boot_env, base, web);
	put(&place, config, made->config);
	char *manifest = text("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			      "\"artifactType\":\"application/vnd.pycontainer.revision.v1\",\"config\":{\"mediaType\":"
			      "\"application/vnd.pycontainer.revision.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},"
			      "\"layers\":[%s],\"annotations\":{}}", made->config, strlen(config), list);
	put(&place, manifest, made->id);
	if (!sample->unsigned_)
		envelope(&place, manifest, product, bundle, made);
	free(list);
	free(base);
	free(web);
	free(tree);
	free(config);
	free(manifest);
}

void product_install(struct memfs *memfs, const struct sample *sample, struct made *made)
{
	struct fault *fault = memfs->fault;
	struct revision revision;
	struct error err;

	memfs->fault = NULL;
	product_blobs(memfs, "", sample, false, made);
	if (fs_make_folder(&memfs->fs, "revisions", 0755, &err) < 0 ||
	    verify_revision(&revision, made->id, made->envelope, store_reader, &memfs->fs, &product_facts, &err) < 0 ||
	    revisions_finish(&memfs->fs, &revision, made->envelope, &err) < 0) {
		printf("%s\n", err.text);
		abort();
	}
	revision_free(&revision);
	memfs_settle(memfs);
	memfs->fault = fault;
}

void product_bundle(struct memfs *memfs, const char *folder, const struct sample *samples, size_t count, struct made *made)
{
	char *list = text("%s", ""), *path;

	for (size_t i = 0; i < count; i++) {
		product_blobs(memfs, folder, &samples[i], true, &made[i]);
		char *longer = text("%s%s{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
				    "\"size\":1,\"artifactType\":\"application/vnd.pycontainer.revision.v1\"}", list,
				    i == 0 ? "" : ",", made[i].id);
		free(list);
		list = longer;
		if (samples[i].unsigned_)
			continue;
		longer = text("%s,{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
			      "\"size\":1,\"artifactType\":\"application/vnd.pycontainer.signature.v1\",\"annotations\":{"
			      "\"vnd.pycontainer.subject\":\"sha256:%s\"}}", list, made[i].referrer, made[i].id);
		free(list);
		list = longer;
	}
	char *index = text("{\"schemaVersion\":2,\"manifests\":[%s]}", list);
	path = text("%sindex.json", folder);
	memfs_put(memfs, path, index, strlen(index));
	free(path);
	path = text("%soci-layout", folder);
	memfs_put(memfs, path, "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	free(path);
	free(index);
	free(list);
	memfs_settle(memfs);
}

static bool blobs_whole(struct memfs *memfs, const struct revision *revision, struct error *err)
{
	for (size_t i = 0; i < revision->blob_count; i++) {
		const struct blob *blob = &revision->blobs[i];
		struct wanted wanted = {.size = blob->size};
		memcpy(wanted.digest, blob->digest, HEX_SIZE);
		memcpy(wanted.verity, blob->verity, HEX_SIZE);
		if (plan_check(&memfs->fs, &wanted, err) != 1)
			return false;
		// Whatever the seal says: the bytes.
		size_t length;
		char *path = text("blobs/sha256/%s", blob->digest), digest[HEX_SIZE];
		const char *bytes = memfs_get(memfs, path, &length);
		free(path);
		if (bytes == NULL)
			return false;
		hash_bytes(digest, bytes, length);
		if (strcmp(digest, blob->digest) != 0) {
			fail(err, "%s of %s has other bytes", blob->role, blob->layer);
			return false;
		}
	}
	return true;
}

// The boot loader finds the very blob, and does not look into the folder of blobs for it.
static bool is_blob(struct memfs *memfs, const char *id, const struct blob *blob)
{
	static const char *const names[] = {"kernel", "initramfs", "boot-env", "dtb"};
	bool same = true;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], blob->role) == 0) {
			char *path = text("revisions/%s/%s", id, names[i]), *other = text("blobs/sha256/%s", blob->digest);
			same = memfs->fs.calls->same(&memfs->fs, path, other) == 1;
			free(path);
			free(other);
		}
	return same;
}

bool product_whole(struct memfs *memfs, const char *id, struct error *err)
{
	struct fault *fault = memfs->fault;
	struct revision revision;

	memfs->fault = NULL;
	fail(err, "a blob is missing");
	bool whole = store_load_from(&revision, &memfs->fs, id, &product_facts, err) >= 0 && blobs_whole(memfs, &revision, err);
	for (size_t i = 0; i < revision.blob_count && whole; i++)
		whole = is_blob(memfs, id, &revision.blobs[i]);
	revision_free(&revision);
	memfs->fault = fault;
	return whole;
}
