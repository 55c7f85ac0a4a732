// SPDX-License-Identifier: MIT
// Installing from a bundle and blob by blob, and what is refused before anything is written.
#include "blobs.h"
#include "check.h"
#include "install.h"
#include "names.h"
#include "product.h"
#include "references.h"
#include "revisions.h"
#include "sample.h"
#include "store.h"

static const struct sample old = {.kernel = "kernel a"};
static const struct sample new_ = {.kernel = "kernel b", .config = "{\"web\":2}"};

// A device with one revision, and a stick.
struct setup {
	struct memfs storage, stick;
	struct made running, made[4];
	struct bundle bundle;
	struct installer installer;
	unsigned reports;
	char last[16];
	uint64_t done, total;
};

static void note(void *context, const char *step, uint64_t done, uint64_t total)
{
	struct setup *setup = context;

	setup->reports++;
	snprintf(setup->last, sizeof setup->last, "%s", step);
	if (strcmp(step, "verify") == 0)
		setup->done = 0;
	if (strcmp(step, "copy") == 0) {
		check(done <= total && done >= setup->done);
		setup->done = done;
		setup->total = total;
	}
}

static void prepare(struct setup *setup, const struct sample *samples, size_t count)
{
	struct error err;

	memset(setup, 0, sizeof *setup);
	memfs_init(&setup->storage, NULL);
	product_install(&setup->storage, &old, &setup->running);
	memfs_init(&setup->stick, NULL);
	product_bundle(&setup->stick, "", samples, count, setup->made);
	check(bundle_open(&setup->bundle, &setup->stick.fs, "", &err) == 0);
	setup->installer = (struct installer){.fs = &setup->storage.fs, .facts = &product_facts,
					      .keep = {setup->running.id}, .progress = note, .context = setup};
}

static void finish(struct setup *setup)
{
	bundle_close(&setup->bundle);
	check(memfs_open(&setup->storage) == 0 && memfs_open(&setup->stick) == 0);
	memfs_free(&setup->storage);
	memfs_free(&setup->stick);
}

// Revisions that share a blob share the file; one that came anew is given to all of them, and links of an older version
// are left, for what they lead to is the same.
static void test_shared(void)
{
	static const struct sample same_kernel = {.kernel = "kernel a", .config = "{\"web\":2}"};
	struct setup setup;
	struct error err;
	char id[HEX_SIZE], blob[128], path[128], target[128], digest[HEX_SIZE];

	prepare(&setup, &same_kernel, 1);
	struct fs *fs = &setup.storage.fs;
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0);
	snprintf(blob, sizeof blob, "blobs/sha256/%s", setup.made[0].kernel);
	snprintf(path, sizeof path, "revisions/%s/kernel", setup.running.id);
	check(fs->calls->same(fs, blob, path) == 1);
	memfs_put(&setup.storage, blob, "kernel x", 8);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && setup.installer.blobs == 1);
	check(fs->calls->same(fs, blob, path) == 1);
	check(product_whole(&setup.storage, setup.running.id, &err));

	snprintf(path, sizeof path, "revisions/%s/kernel", id);
	snprintf(target, sizeof target, "../../%s", blob);
	check(fs->calls->unlink(fs, path) == 0 && fs->calls->symlink(fs, target, path) == 0);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0);
	check(store_link(fs, path, digest, &err) == 0 && strcmp(digest, setup.made[0].kernel) == 0);
	finish(&setup);
}

// So few that all their names are in one sector of their folder.
static void test_installed_most(void)
{
	static const struct sample more[] = {{.kernel = "kernel b"}, {.kernel = "kernel c"}, {.kernel = "kernel d"},
					     {.kernel = "kernel e"}};
	static const struct sample fifth = {.kernel = "kernel f"};
	struct setup setup;
	struct made made;
	struct names names;
	struct error err;
	char id[HEX_SIZE];

	prepare(&setup, more, 4);
	product_install(&setup.storage, &fifth, &made);
	for (size_t i = 0; i < 4; i++) {
		check(install_bundle(&setup.installer, &setup.bundle, setup.made[i].id, id, &err) == 0);
		check(product_whole(&setup.storage, id, &err) && product_whole(&setup.storage, setup.running.id, &err));
		check(names_list(&names, &setup.storage.fs, "revisions", REVISIONS_MOST, &err) == 0);
		check(names.count == (i < 3 ? 3 + i : 2));
		names_free(&names);
	}
	// One that is installed is no further one.
	for (size_t i = 0; i < 3; i++)
		check(install_bundle(&setup.installer, &setup.bundle, setup.made[i].id, id, &err) == 0);
	check(install_bundle(&setup.installer, &setup.bundle, setup.made[0].id, id, &err) == 0);
	check(product_whole(&setup.storage, setup.made[3].id, &err));
	finish(&setup);
}

static void test_bundle(void)
{
	struct setup setup;
	struct error err;
	char id[HEX_SIZE], path[128];
	struct memfs cut;

	prepare(&setup, &new_, 1);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0);
	check(strcmp(id, setup.made[0].id) == 0 && product_whole(&setup.storage, id, &err));
	check(product_whole(&setup.storage, setup.running.id, &err));
	// Manifest, config, envelope, kernel, the run configuration; the rest is there.
	check(setup.installer.blobs == 5 && setup.installer.copied > 1000);
	check(setup.done == 8 + 9 && setup.total == 8 + 9 && strcmp(setup.last, "sync") == 0);
	// All of it is on the medium.
	memfs_copy(&cut, &setup.storage, NULL);
	memfs_restart(&cut, MEMFS_NOTHING);
	check(product_whole(&cut, id, &err));
	memfs_free(&cut);
	revisions_path(path, id, REVISIONS_BEGUN);
	check(!fs_exists(&setup.storage.fs, path));
	// Again: nothing is copied.
	check(install_bundle(&setup.installer, &setup.bundle, id, id, &err) == 0);
	check(setup.installer.blobs == 0 && setup.installer.copied == 0);

	// A damaged blob and a lost name of an installed one are mended by it.
	snprintf(path, sizeof path, "blobs/sha256/%s", setup.made[0].kernel);
	memfs_put(&setup.storage, path, "kernel x", 8);
	snprintf(path, sizeof path, "revisions/%s/initramfs", id);
	check(setup.storage.fs.calls->unlink(&setup.storage.fs, path) == 0);
	snprintf(path, sizeof path, "revisions/%s/volumes/web/data", id);
	memfs_put(&setup.storage, path, "kept", 4);
	check(!product_whole(&setup.storage, id, &err));
	check(install_bundle(&setup.installer, &setup.bundle, id, id, &err) == 0 && product_whole(&setup.storage, id, &err));
	check(setup.installer.blobs == 1 && fs_exists(&setup.storage.fs, path));
	revisions_path(path, id, REVISIONS_BEGUN);
	check(!fs_exists(&setup.storage.fs, path));
	finish(&setup);

	test_shared();
	test_installed_most();
	// A device tree is one more file that the boot loader finds by its name; without it there is none.
	struct sample board = new_;
	board.dtb = "a device tree";
	prepare(&setup, &board, 1);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && product_whole(&setup.storage, id, &err));
	snprintf(path, sizeof path, "revisions/%s/dtb", id);
	check(fs_exists(&setup.storage.fs, path));
	check(setup.storage.fs.calls->unlink(&setup.storage.fs, path) == 0 && !product_whole(&setup.storage, id, &err));
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && product_whole(&setup.storage, id, &err));
	finish(&setup);

	// Without fs-verity.
	prepare(&setup, &new_, 1);
	snprintf(path, sizeof path, "revisions/%s/dtb", id);
	check(!fs_exists(&setup.storage.fs, path));
	setup.storage.no_verity = true;
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && product_whole(&setup.storage, id, &err));
	snprintf(path, sizeof path, "blobs/sha256/%s", setup.made[0].kernel);
	memfs_put(&setup.storage, path, "kernel x", 8);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && setup.installer.blobs == 1);
	check(product_whole(&setup.storage, id, &err));
	finish(&setup);
}

// The error of an install that must not have written anything.
static int refuse(const struct sample *samples, size_t count, const char *wanted, uint64_t floor, struct error *err)
{
	struct fault fault = {.kind = FAULT_NONE};
	struct setup setup;
	char id[HEX_SIZE];

	prepare(&setup, samples, count);
	setup.storage.fault = &fault;
	setup.installer.floor = floor;
	int result = install_bundle(&setup.installer, &setup.bundle, wanted, id, err);
	// Not one call to storage.
	check(fault.calls == 0);
	finish(&setup);
	return result;
}

static void test_refused(void)
{
	static const struct sample stranger = {.product = "toaster"}, other = {.machine = "qemu-arm64"},
				   unsigned_ = {.kernel = "evil", .unsigned_ = true},
				   safe = {.kernel = "kernel c", .security = 5};
	struct sample samples[3];
	struct setup setup;
	struct error none;
	char id[HEX_SIZE];

	check_error(refuse(&stranger, 1, "", 0, err), "signature: it is for product toaster");
	check_error(refuse(&other, 1, "", 0, err), "config: machine is qemu-arm64");
	check_error(refuse(&unsigned_, 1, "", 0, err), "the bundle has no signature of it");
	check_error(refuse(&new_, 1, "", 1, err), "its security version 0 is below this device's floor of 1");
	check_error(refuse(&safe, 1, "", 6, err), "security version 5");
	prepare(&setup, &new_, 1);
	product_facts.threshold = 2;
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "2 are needed");
	product_facts.threshold = 1;
	finish(&setup);
	check_error(refuse(&new_, 1, D("1234"), 0, err), "has no revision 1234");
	check_error(refuse(&new_, 1, "1", 0, err), "at least 4 digits");
	check_error(refuse(&new_, 0, "", 0, err), "the bundle has no revision");
	samples[0] = stranger;
	samples[1] = other;
	check_error(refuse(samples, 2, "", 0, err), "fits this device; the last one: revision");
	samples[1] = new_;
	samples[2] = safe;
	check_error(refuse(samples, 3, "", 0, err), "say which");

	// The one that fits, and the one that is named.
	samples[0] = unsigned_;
	for (uint64_t floor = 0; floor < 6; floor += 5) {
		prepare(&setup, samples, 3);
		setup.installer.floor = floor;
		char wanted[9] = "";
		if (floor == 0)
			snprintf(wanted, sizeof wanted, "%.8s", setup.made[1].id);
		check(install_bundle(&setup.installer, &setup.bundle, wanted, id, &none) == 0);
		check(strcmp(id, setup.made[floor == 0 ? 1 : 2].id) == 0 && product_whole(&setup.storage, id, &none));
		finish(&setup);
	}
}

// A signature that is none, before the good one.
static void test_bad_signature_beside(void)
{
	struct setup setup;
	struct error err;
	char id[HEX_SIZE];
	size_t length;

	prepare(&setup, &new_, 1);
	bundle_close(&setup.bundle);
	char entry[400];
	snprintf(entry, sizeof entry,
		 "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
		 "\"size\":1,\"artifactType\":\"application/vnd.pycontainer.signature.v1\"},", setup.made[0].kernel);
	char *index = changed(memfs_get(&setup.stick, "index.json", &length), "\"manifests\":[", entry);
	memfs_put(&setup.stick, "index.json", index, strlen(index));
	free(index);
	check(bundle_open(&setup.bundle, &setup.stick.fs, "", &err) == 0 && setup.bundle.layout.signature_count == 2);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0 && product_whole(&setup.storage, id, &err));
	finish(&setup);
}

// A bundle for several machines: the release that groups the revisions, its signature, and another machine's revision are
// passed over.
static void test_several_machines(void)
{
	static const struct sample samples[] = {{.machine = "qemu-arm64", .kernel = "kernel of another"}, {.kernel = "kernel b"}};
	struct setup setup;
	struct error err;
	char id[HEX_SIZE], entries[800];
	size_t length;

	prepare(&setup, samples, 2);
	bundle_close(&setup.bundle);
	snprintf(entries, sizeof entries,
		 "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"sha256:%s\",\"size\":1,"
		 "\"artifactType\":\"application/vnd.pycontainer.release.v1\","
		 "\"annotations\":{\"org.opencontainers.image.ref.name\":\"release/main\"}},"
		 "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":1,"
		 "\"artifactType\":\"application/vnd.pycontainer.signature.v1\","
		 "\"annotations\":{\"vnd.pycontainer.subject\":\"sha256:%s\"}},",
		 setup.made[0].kernel, setup.made[1].kernel, setup.made[0].kernel);
	char *index = changed(memfs_get(&setup.stick, "index.json", &length), "\"manifests\":[", entries);
	memfs_put(&setup.stick, "index.json", index, strlen(index));
	free(index);
	check(bundle_open(&setup.bundle, &setup.stick.fs, "", &err) == 0 && setup.bundle.layout.revision_count == 2);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &err) == 0);
	check(strcmp(id, setup.made[1].id) == 0 && product_whole(&setup.storage, id, &err));
	finish(&setup);
}

static void test_wrong_blobs(void)
{
	static const struct sample lie = {.kernel = "kernel b", .wrong_verity = true};
	struct setup setup;
	struct error none;
	char id[HEX_SIZE], path[128];
	size_t length;

	prepare(&setup, &new_, 1);
	snprintf(path, sizeof path, "blobs/sha256/%s", setup.made[0].kernel);
	memfs_put(&setup.stick, path, "kernel x", 8);
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "its bytes do not have this digest");
	memfs_put(&setup.stick, path, "kernel", 6);
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "has 6 bytes and not 8");
	check(setup.stick.fs.calls->unlink(&setup.stick.fs, path) == 0);
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "it has no blob");
	check(product_whole(&setup.storage, setup.running.id, &none));
	memfs_put(&setup.stick, path, "kernel b", 8);
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &none) == 0 && product_whole(&setup.storage, id, &none));
	finish(&setup);

	// What the manifest says of fs-verity is wrong: neither when it comes, nor when it is there already.
	prepare(&setup, &lie, 1);
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "fs-verity digest is not the one");
	memfs_put(&setup.storage, path, "kernel b", 8);
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "the manifest is wrong");
	check(memfs_get(&setup.storage, path, &length) != NULL);
	finish(&setup);
}

// Room is made by removing what is not kept, and when that is not enough, nothing is lost.
static void test_room(void)
{
	static const struct sample spare = {.kernel = "kernel s", .config = "spare", .rootfs = "another root file system"};
	struct setup setup;
	struct made made;
	struct error none;
	char id[HEX_SIZE], path[128];
	uint64_t room, full;

	prepare(&setup, &new_, 1);
	product_install(&setup.storage, &spare, &made);
	setup.storage.capacity = 1 << 20;
	check(setup.storage.fs.calls->room(&setup.storage.fs, &room) == 0);
	full = (1 << 20) - room;
	revisions_path(path, made.id, REVISIONS_INSTALLED);
	// Enough for the proofs with what is planned around them; the rest only when the spare one goes.
	setup.storage.capacity = full + 304 * 1024;
	setup.installer.keep[1] = made.id;
	check_error(install_bundle(&setup.installer, &setup.bundle, "", id, err), "storage is too full: 1 MiB");
	check(product_whole(&setup.storage, made.id, &none) && product_whole(&setup.storage, setup.running.id, &none));
	setup.installer.keep[1] = NULL;
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &none) == 0);
	check(product_whole(&setup.storage, id, &none) && product_whole(&setup.storage, setup.running.id, &none));
	check(!fs_exists(&setup.storage.fs, path));
	finish(&setup);

	// What the new revision shares with one that goes, stays.
	static const struct sample both = {.kernel = "kernel s", .rootfs = "another root file system"};
	prepare(&setup, &both, 1);
	product_install(&setup.storage, &spare, &made);
	setup.storage.capacity = full + 304 * 1024;
	check(install_bundle(&setup.installer, &setup.bundle, "", id, &none) == 0 && product_whole(&setup.storage, id, &none));
	finish(&setup);
}

static int put(struct setup *setup, const char *hex, uint64_t size, struct error *err)
{
	struct receiver receiver;
	size_t length;
	char path[128];

	snprintf(path, sizeof path, "blobs/sha256/%s", hex);
	const char *bytes = memfs_get(&setup->stick, path, &length);
	check(bytes != NULL && length == size);
	if (install_put_allowed(&setup->storage.fs, hex, size, err) < 0 ||
	    blob_begin(&receiver, &setup->storage.fs, hex, size, err) < 0 ||
	    blob_append(&receiver, bytes + receiver.received, (size_t)(size - receiver.received), err) < 0)
		return -1;
	return blob_finish(&receiver, "", err);
}

static void test_blob_by_blob(void)
{
	char *large = malloc((1 << 20) + 100);
	struct setup setup;
	struct error none;
	struct wanted *missing;
	size_t count;
	struct receiver receiver;

	check(large != NULL);
	memset(large, 'k', (1 << 20) + 99);
	large[(1 << 20) + 99] = '\0';
	struct sample sample = {.kernel = large, .config = "{\"web\":2}"};
	prepare(&setup, &sample, 1);
	const struct made *made = &setup.made[0];
	size_t length;
	char path[128];
	check_error(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, err), "manifest");
	check_error(put(&setup, made->kernel, strlen(large), err), "no begun install has one of that size");
	const char *const proofs[] = {made->id, made->config, made->envelope};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "blobs/sha256/%s", proofs[i]);
		check(memfs_get(&setup.stick, path, &length) != NULL && put(&setup, proofs[i], length, &none) == 0);
	}
	setup.installer.floor = 1;
	check_error(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, err), "floor of 1");
	setup.installer.floor = 0;
	check_error(install_begin(&setup.installer, made->id, made->config, &missing, &count, err), "signature");
	check_error(put(&setup, made->kernel, strlen(large), err), "no begun install");
	check(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, &none) == 0 && count == 2);
	check(missing != NULL && strcmp(missing[0].digest, made->kernel) == 0 && missing[0].size == strlen(large));
	check(missing[0].offset == 0 && missing[1].size == 9);
	free(missing);
	// A part of the large one, then all.
	check_error(install_put_allowed(&setup.storage.fs, made->kernel, strlen(large) + 1, err), "of that size");
	check(blob_begin(&receiver, &setup.storage.fs, made->kernel, strlen(large), &none) == 0);
	check(blob_append(&receiver, large, 5000, &none) == 0 && blob_pause(&receiver, &none) == 0);
	check(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, &none) == 0 && count == 2);
	check(missing[0].offset == 5000);
	for (size_t i = 0; i < count; i++)
		check(put(&setup, missing[i].digest, missing[i].size, &none) == 0);
	free(missing);
	check(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, &none) == 0);
	check(count == 0 && missing == NULL && product_whole(&setup.storage, made->id, &none));
	check_error(put(&setup, made->kernel, strlen(large), err), "no begun install");
	finish(&setup);
	free(large);
}

// Blobs that nobody signed: so many and no more, however small, and none into the reserve.
static void test_loose_blobs(void)
{
	static const struct sample sample = {.kernel = "kernel 2"};
	struct setup setup;
	struct error none;
	struct wanted *missing;
	size_t count, length;
	uint64_t bytes, room;
	char path[128], hex[HEX_SIZE];

	prepare(&setup, &sample, 1);
	const struct made *made = &setup.made[0];
	const char *const proofs[] = {made->id, made->config, made->envelope};
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 0 && bytes == 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "blobs/sha256/%s", proofs[i]);
		check(memfs_get(&setup.stick, path, &length) != NULL && put(&setup, proofs[i], length, &none) == 0);
	}
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 3 && bytes > 0);
	check(install_begin(&setup.installer, made->id, made->envelope, &missing, &count, &none) == 0 && count == 1);
	free(missing);
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 0);
	for (unsigned i = 0; i < LOOSE_MOST; i++) {
		snprintf(hex, sizeof hex, "%064x", i);
		check(install_put_allowed(&setup.storage.fs, hex, 10, &none) == 0);
		snprintf(path, sizeof path, "blobs/%s/%s", i % 2 == 0 ? "incoming" : "sha256", hex);
		memfs_put(&setup.storage, path, "x", 1);
	}
	// One that was begun may go on; a further one, not; one that a begun install lists, always.
	check(install_put_allowed(&setup.storage.fs, hex, 10, &none) == 0);
	snprintf(hex, sizeof hex, "%064x", LOOSE_MOST);
	check(put(&setup, made->kernel, strlen(sample.kernel), &none) == 0);
	check(references_loose(&setup.storage.fs, hex, 2 * LOOSE_MOST, &count, &bytes, &none) == 0 && count == LOOSE_MOST);
	// So the others go, and nothing of the install that has begun.
	check(install_put_allowed(&setup.storage.fs, hex, 10, &none) == 0);
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 0);
	snprintf(path, sizeof path, "blobs/sha256/%s", made->kernel);
	check(fs_exists(&setup.storage.fs, path));
	// As bytes.
	char *large = calloc(1, SMALL_BLOB);
	for (unsigned i = 0; i < 15 && large != NULL; i++) {
		snprintf(path, sizeof path, "blobs/sha256/%064x", i);
		memfs_put(&setup.storage, path, large, SMALL_BLOB);
	}
	free(large);
	check(install_put_allowed(&setup.storage.fs, hex, SMALL_BLOB, &none) == 0);
	snprintf(path, sizeof path, "blobs/incoming/%064x", 15);
	memfs_put(&setup.storage, path, "x", 1);
	check(install_put_allowed(&setup.storage.fs, hex, SMALL_BLOB - 1, &none) == 0);
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 16);
	check(install_put_allowed(&setup.storage.fs, hex, SMALL_BLOB, &none) == 0);
	check(references_loose(&setup.storage.fs, "", LOOSE_MOST, &count, &bytes, &none) == 0 && count == 0);
	// And never so that nothing is left.
	setup.storage.capacity = UINT64_C(1) << 30;
	check(setup.storage.fs.calls->room(&setup.storage.fs, &room) == 0);
	setup.storage.capacity -= room - 200 * 1024;
	check_error(install_put_allowed(&setup.storage.fs, hex, 10, err), "storage is too full");
	finish(&setup);
}

int main(void)
{
	product_init();
	test_bundle();
	test_refused();
	test_bad_signature_beside();
	test_several_machines();
	test_wrong_blobs();
	test_room();
	test_blob_by_blob();
	test_loose_blobs();
	return check_result("install");
}
