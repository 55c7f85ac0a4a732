// SPDX-License-Identifier: MIT
#include "check.h"
#include "gc.h"
#include "product.h"
#include "revisions.h"
#include "sample.h"
#include "state.h"

static struct memfs memfs;
static struct made a, b, c;

// Three installed revisions with much in common.
static void fresh(void)
{
	static const struct sample samples[] = {{.kernel = "kernel a"}, {.kernel = "kernel b"}, {.rootfs = "another root"}};
	struct error err;

	memfs_init(&memfs, NULL);
	product_install(&memfs, &samples[0], &a);
	product_install(&memfs, &samples[1], &b);
	product_install(&memfs, &samples[2], &c);
	check(product_whole(&memfs, a.id, &err) && product_whole(&memfs, b.id, &err) && product_whole(&memfs, c.id, &err));
}

static bool there(const char *folder, const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return fs_exists(&memfs.fs, path);
}

static void test_everything(void)
{
	const char *const keep[] = {a.id, NULL};
	struct gc_result result;
	struct error err;

	fresh();
	memfs_put(&memfs, "blobs/sha256/" D("1234"), "of nobody", 9);
	memfs_put(&memfs, "blobs/incoming/" D("1234"), "nor this", 8);
	memfs_put(&memfs, "revisions/.rubbish", "x", 1);
	memfs_put(&memfs, "revisions/." D("1234") ".old/manifest", "x", 1);
	memfs_put(&memfs, "removing/" D("1234") "/manifest", "x", 1);
	memfs_put(&memfs, "revisions/lost+found", "x", 1);
	check(gc_run(&memfs.fs, keep, 0, &result, &err) == 0);
	check(product_whole(&memfs, a.id, &err));
	check(!there("revisions", b.id) && !there("revisions", c.id) && there("revisions", "lost+found"));
	check(!there("revisions", ".rubbish") && !there("revisions", "." D("1234") ".old") && !there("removing", D("1234")));
	check(!there("blobs/incoming", D("1234")) && !there("blobs/sha256", D("1234")));
	check(!there("blobs/sha256", b.id) && !there("blobs/sha256", b.config) && !there("blobs/sha256", b.envelope));
	check(!there("blobs/sha256", b.kernel) && !there("blobs/sha256", c.rootfs) && there("blobs/sha256", a.rootfs));
	// Of each manifest, config and envelope; b's kernel; c's kernel and root file system; the one of nobody.
	check(result.revisions == 2 && result.blobs == 2 * 3 + 1 + 2 + 1 && result.freed > 1000);
	check(gc_run(&memfs.fs, keep, 0, &result, &err) == 0);
	check(result.revisions == 0 && result.blobs == 0 && result.freed == 0);
	check(memfs_open(&memfs) == 0);
	memfs_free(&memfs);
}

static int note_previous(const char *id, struct error *err)
{
	struct notes notes = {.floor = 0};

	memcpy(notes.previous, id, HEX_SIZE);
	return state_store(&memfs.fs, &notes, err);
}

// One after the other, and the previously confirmed one last.
static void test_as_needed(void)
{
	const char *const keep[] = {a.id, NULL}, *const others[] = {b.id, c.id};
	struct gc_result result;
	struct error err;
	uint64_t room;

	for (int i = 0; i < 2; i++) {
		fresh();
		check(note_previous(others[i], &err) == 0);
		memfs.capacity = 60 * 4096;
		check(memfs.fs.calls->room(&memfs.fs, &room) == 0 && room > 0);
		check(gc_run(&memfs.fs, keep, room, &result, &err) == 0 && result.revisions == 0);
		check(gc_run(&memfs.fs, keep, room + 4096, &result, &err) == 0 && result.revisions == 1);
		check(there("revisions", others[i]) && !there("revisions", others[1 - i]));
		check(product_whole(&memfs, others[i], &err));
		// More than there can be: all goes but what is kept, and that is no error.
		check(gc_run(&memfs.fs, keep, UINT64_C(1) << 30, &result, &err) == 0 && result.revisions == 1);
		check(!there("revisions", others[i]) && product_whole(&memfs, a.id, &err));
		memfs_free(&memfs);
	}
}

// The one to go back to stays without need; those of a trial stay in any case, whatever who asks knows of it.
static void test_state(void)
{
	const char *const keep[] = {a.id, NULL}, *const nothing[] = {NULL};
	struct notes notes = {.trial = {.generation = 1, .number = 1}};
	struct gc_result result;
	struct error none;

	fresh();
	check(note_previous(b.id, &none) == 0);
	check(gc_run(&memfs.fs, keep, 0, &result, &none) == 0 && result.revisions == 1);
	check(product_whole(&memfs, b.id, &none) && !there("revisions", c.id));
	check(gc_run(&memfs.fs, keep, 0, &result, &none) == 0 && result.revisions == 0 && result.blobs == 0);
	memfs_free(&memfs);

	fresh();
	memcpy(notes.trial.revision, b.id, HEX_SIZE);
	memcpy(notes.trial.from, a.id, HEX_SIZE);
	check(state_store(&memfs.fs, &notes, &none) == 0);
	check(gc_run(&memfs.fs, nothing, UINT64_C(1) << 50, &result, &none) == 0 && result.revisions == 1);
	check(product_whole(&memfs, a.id, &none) && product_whole(&memfs, b.id, &none) && !there("revisions", c.id));
	memfs_put(&memfs, "state/notes", "{", 1);
	check_error(gc_run(&memfs.fs, keep, 0, &result, err), "collecting garbage: state/notes: damaged");
	check(product_whole(&memfs, b.id, &none));
	memset(&notes.trial, 0, sizeof notes.trial);
	check(state_store(&memfs.fs, &notes, &none) == 0);
	check(gc_run(&memfs.fs, keep, 0, &result, &none) == 0 && result.revisions == 1 && !there("revisions", b.id));
	check(memfs_open(&memfs) == 0);
	memfs_free(&memfs);
}

static void test_begun(void)
{
	const char *const keep[] = {a.id, NULL}, *const keep_both[] = {a.id, b.id, NULL};
	struct gc_result result;
	struct error err;

	fresh();
	char path[128], installed[128];
	revisions_path(path, b.id, REVISIONS_BEGUN);
	check(fs_make_folder(&memfs.fs, "installing", 0755, &err) == 0);
	revisions_path(installed, b.id, REVISIONS_INSTALLED);
	check(memfs.fs.calls->rename(&memfs.fs, installed, path) == 0);
	char kernel[200], incoming[200];
	snprintf(kernel, sizeof kernel, "blobs/sha256/%s", b.kernel);
	snprintf(incoming, sizeof incoming, "blobs/incoming/%s", b.kernel);
	check(memfs.fs.calls->unlink(&memfs.fs, kernel) == 0);
	memfs_put(&memfs, incoming, "ker", 3);
	check(gc_run(&memfs.fs, keep, 0, &result, &err) == 0 && result.revisions == 1);
	check(fs_exists(&memfs.fs, path) && fs_exists(&memfs.fs, incoming) && there("blobs/sha256", b.config));
	// What has arrived needs no incoming one.
	memfs_put(&memfs, kernel, "kernel b", 8);
	check(gc_run(&memfs.fs, keep, 0, &result, &err) == 0);
	check(!fs_exists(&memfs.fs, incoming) && fs_exists(&memfs.fs, kernel));
	check(gc_run(&memfs.fs, keep_both, UINT64_C(1) << 50, &result, &err) == 0 && fs_exists(&memfs.fs, path));
	check(gc_run(&memfs.fs, keep, UINT64_C(1) << 50, &result, &err) == 0 && !fs_exists(&memfs.fs, path));
	check(!fs_exists(&memfs.fs, kernel) && result.revisions == 0 && product_whole(&memfs, a.id, &err));
	memfs_free(&memfs);
}

static void test_broken(void)
{
	const char *const keep[] = {a.id, b.id, NULL}, *const less[] = {a.id, NULL};
	char path[200];
	struct gc_result result;
	struct error none;

	// A broken one that is not kept goes even without need.
	fresh();
	snprintf(path, sizeof path, "blobs/sha256/%s", b.id);
	memfs_put(&memfs, path, "{}", 2);
	check_error(gc_run(&memfs.fs, keep, 1, &result, err), "cannot tell what it needs: manifest");
	check(there("blobs/sha256", b.kernel) && there("revisions", c.id));
	check_error(gc_run(&memfs.fs, keep, 0, &result, err), "cannot tell what it needs");
	check(there("blobs/sha256", b.kernel) && there("revisions", c.id) && result.blobs == 0 && result.revisions == 0);
	check(gc_run(&memfs.fs, less, 1, &result, &none) == 0 && result.revisions == 1);
	check(!there("revisions", b.id) && !there("blobs/sha256", b.kernel) && product_whole(&memfs, c.id, &none));
	memfs_free(&memfs);
}

// Volumes of a revision go with it, however deep a container nested them.
static void test_volumes(void)
{
	const char *const keep[] = {a.id, NULL};
	char path[800];
	struct gc_result result;
	struct error err;

	fresh();
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof path, "revisions/%s/volumes/web/data/%d", b.id, i);
		memfs_put(&memfs, path, "x", 1);
		snprintf(path, sizeof path, "revisions/%s/volumes/web/data/d%d/e/f/g/.1", b.id, i);
		memfs_put(&memfs, path, "x", 1);
	}
	check(gc_run(&memfs.fs, keep, 0, &result, &err) == 0 && result.revisions == 2);
	check(!there("revisions", b.id));
	check(!there("removing", b.id));
	memfs_free(&memfs);
}

// What no revision refers to goes, and no revision does, not even one that is only begun or of no use.
static void test_loose(void)
{
	char begun[128], installed[128];
	struct gc_result result;
	struct error none;

	fresh();
	revisions_path(begun, b.id, REVISIONS_BEGUN);
	revisions_path(installed, b.id, REVISIONS_INSTALLED);
	check(fs_make_folder(&memfs.fs, "installing", 0755, &none) == 0);
	check(memfs.fs.calls->rename(&memfs.fs, installed, begun) == 0);
	memfs_put(&memfs, "blobs/sha256/" D("1234"), "of nobody", 9);
	memfs_put(&memfs, "blobs/incoming/" D("1235"), "nor this", 8);
	check(gc_loose(&memfs.fs, &result, &none) == 0 && result.blobs == 1 && result.freed == 17 && result.revisions == 0);
	check(!there("blobs/sha256", D("1234")) && !there("blobs/incoming", D("1235")));
	check(there("blobs/sha256", b.kernel) && there("blobs/sha256", b.envelope) && product_whole(&memfs, c.id, &none));
	// Of a begun one without its manifest, the signature is known, which a link names.
	snprintf(begun, sizeof begun, "blobs/sha256/%s", b.id);
	memfs_put(&memfs, begun, "{}", 2);
	check(gc_loose(&memfs.fs, &result, &none) == 0 && result.blobs > 0 && result.revisions == 0);
	check(there("blobs/sha256", b.envelope) && !there("blobs/sha256", b.kernel));
	// Of an installed one it must be known.
	memfs_put(&memfs, "blobs/sha256/" D("1234"), "of nobody", 9);
	snprintf(installed, sizeof installed, "blobs/sha256/%s", c.id);
	memfs_put(&memfs, installed, "{}", 2);
	check_error(gc_loose(&memfs.fs, &result, err), "cannot tell what it needs: manifest");
	check(there("blobs/sha256", D("1234")));
	memfs_free(&memfs);
}

int main(void)
{
	product_init();
	fresh();
	memfs_free(&memfs);
	test_everything();
	test_as_needed();
	test_state();
	test_begun();
	test_broken();
	test_volumes();
	test_loose();
	return check_result("gc");
}
