// SPDX-License-Identifier: MIT
#include "store.h"
#include "dsse.h"
#include "file.h"
#include "verity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_LIMIT (1u << 20)

// Pass on a text, NULL included, whose bytes have this digest; free any other one.
static char *checked(char *text, const size_t *length, const char *digest, struct error *err)
{
	char found[HEX_SIZE];

	if (text == NULL)
		return NULL;
	hash_bytes(found, text, *length);
	if (strcmp(found, digest) == 0)
		return text;
	fail(err, "the content does not have its digest: it was changed or damaged");
	free(text);
	return NULL;
}

// Read a small blob whole and check that its bytes have the digest by which it is named.
static char *read_named(const char *root, const char *digest, size_t limit, size_t *length, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/blobs/sha256/%s", root, digest);
	char *text = file_read(AT_FDCWD, path, limit, length, err);
	return checked(text, length, digest, err);
}

// The signature is the one blob that no signed text names: a link beside the manifest says which it is, and the
// signature itself says whether that was right.
static char *read_signature(const char *root, const char *id, size_t *length, struct error *err)
{
	static const char form[] = "../../blobs/sha256/";
	char path[PATH_MAX], target[sizeof form + 64];

	snprintf(path, sizeof path, "%s/revisions/%s/signature", root, id);
	ssize_t size = readlink(path, target, sizeof target);
	if (size < 0) {
		fail_errno(err, "revisions/%.12s.../signature", id);
		return NULL;
	}
	if (size != (ssize_t)sizeof form - 1 + 64 || memcmp(target, form, sizeof form - 1) != 0) {
		fail(err, "revisions/%.12s.../signature: not a link into blobs/sha256", id);
		return NULL;
	}
	target[size] = '\0';
	if (!text_is_hex64(target + sizeof form - 1)) {
		fail(err, "revisions/%.12s.../signature: not a link to a blob", id);
		return NULL;
	}
	return read_named(root, target + sizeof form - 1, DSSE_LIMIT, length, err);
}

static int check_signature(const char *root, const char *id, size_t manifest_length, const struct facts *facts,
			   struct error *err)
{
	struct statement statement;
	size_t length;
	char *envelope = read_signature(root, id, &length, err);

	if (envelope == NULL)
		return fail_in(err, "signature");
	int count = dsse_verify(&statement, envelope, length, facts, err);
	free(envelope);
	if (count < 0)
		return -1;
	if (strcmp(statement.digest, id) != 0)
		return fail(err, "signature: it is for revision %.12s", statement.digest);
	if (statement.size != manifest_length)
		return fail(err, "signature: it is for a manifest of %" PRIu64 " bytes", statement.size);
	if (strcmp(statement.product, facts->product) != 0)
		return fail(err, "signature: it is for product %s, this device is %s", statement.product, facts->product);
	return count;
}

static int load_config(struct revision *out, const char *root, const struct facts *facts, struct error *err)
{
	size_t length;
	char *config = read_named(root, out->config_digest, CONFIG_LIMIT, &length, err);

	if (config == NULL)
		return fail_in(err, "config");
	int result = length == out->config_size ? revision_parse_config(out, config, length, err)
						: fail(err, "config: not of the size that the manifest says");
	free(config);
	if (result < 0)
		return -1;
	if (strcmp(out->product, facts->product) != 0)
		return fail(err, "config: product is %s, this device is %s", out->product, facts->product);
	if (strcmp(out->machine, facts->machine) != 0)
		return fail(err, "config: machine is %s, this device is %s", out->machine, facts->machine);
	return 0;
}

int store_load(struct revision *out, const char *root, const char *id, const struct facts *facts, struct error *err)
{
	size_t length;
	int signers = -1;

	memset(out, 0, sizeof *out);
	char *manifest = read_named(root, id, MANIFEST_LIMIT, &length, err);
	if (manifest == NULL)
		return fail_in(err, "revision %.12s: manifest", id);
	// The signature comes first: only signed bytes are worth parsing.
	signers = check_signature(root, id, length, facts, err);
	int result = signers < 0 ? -1 : revision_parse_manifest(out, manifest, length, err);
	free(manifest);
	if (result == 0) {
		memcpy(out->id, id, sizeof out->id);
		result = load_config(out, root, facts, err);
	}
	return result < 0 ? fail_in(err, "revision %.12s", id) : signers;
}

static int prove(const struct blob *blob, int fd, struct seal_counts *counts, struct error *err)
{
	char found[HEX_SIZE];
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail_errno(err, "stat");
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != blob->size)
		return fail(err, "not a file of %" PRIu64 " bytes", blob->size);
	int seal = verity_seal(found, fd, err);
	if (seal < 0)
		return -1;
	if (seal == SEAL_OK || seal == SEAL_NEW) {
		counts->sealed += seal == SEAL_OK;
		counts->newly += seal == SEAL_NEW;
		return strcmp(found, blob->verity) == 0
			       ? 0 : fail(err, "fs-verity digest differs: the content was changed or damaged");
	}
	counts->hashed++;
	counts->unsealed = seal == SEAL_UNSUPPORTED ? "no fs-verity here" : "storage is full or read-only";
	if (hash_file(found, fd, err) < 0)
		return -1;
	return strcmp(found, blob->digest) == 0 ? 0 : fail(err, "digest differs: the content was changed or damaged");
}

int store_open(const char *root, const struct blob *blob, struct seal_counts *counts, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/blobs/sha256/%s", root, blob->digest);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(err, "%s of layer %s (%.12s)", blob->role, blob->layer, blob->digest);
	if (prove(blob, fd, counts, err) == 0)
		return fd;
	close(fd);
	return fail_in(err, "%s of layer %s (%.12s)", blob->role, blob->layer, blob->digest);
}

char *store_read(const struct blob *blob, int fd, size_t *length, struct error *err)
{
	char *text = file_read_fd(fd, SMALL_LIMIT, length, err);

	text = checked(text, length, blob->digest, err);
	if (text == NULL)
		fail_in(err, "%s of layer %s (%.12s)", blob->role, blob->layer, blob->digest);
	return text;
}
