// SPDX-License-Identifier: MIT
#include "change.h"
#include "apparmor.h"
#include "crun.h"
#include "storage.h"
#include "store.h"
#include "warm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int prepare(const struct layer *layer, struct error *err)
{
	// Without fs-verity a proof is a full hash. That was made a moment ago by the job that prepared this, and process 1
	// has no time for it.
	struct seal_counts counts = {.hashed_before = true};
	int image = store_open(STORAGE, layer->rootfs, &counts, err);
	int config = image < 0 ? -1 : store_open(STORAGE, layer->run_config, &counts, err);
	int policy = config < 0 || layer->policy == NULL ? -1 : store_open(STORAGE, layer->policy, &counts, err);
	int result = config < 0 || (policy < 0 && layer->policy != NULL) ? -1
									  : crun_prepare(layer, image, config, policy, err);

	if (image >= 0)
		close(image);
	if (config >= 0)
		close(config);
	if (policy >= 0)
		close(policy);
	return result < 0 ? fail_in(err, "%s", layer->name) : 0;
}

static int prepare_all(const struct revision *next, struct error *err)
{
	if (next->apparmor_required && !apparmor_enabled())
		return fail(err, "this kernel has no AppArmor, which the revision requires");
	bool *made = calloc(next->layer_count + 1, sizeof *made);
	int result = made == NULL ? fail_errno(err, "layers") : 0;

	for (size_t i = 0; i < next->layer_count && result == 0; i++) {
		if (!next->layers[i].container || crun_prepared(&next->layers[i]))
			continue;
		result = prepare(&next->layers[i], err);
		made[i] = result == 0;
	}
	for (size_t i = 0; i < next->layer_count && result < 0 && made != NULL; i++)
		if (made[i])
			crun_forget(&next->layers[i]);
	free(made);
	return result;
}

void change_warm(const struct containers *all, const char *id, const struct facts *facts)
{
	struct revision next = {0};
	struct error ignored;
	char path[PATH_MAX];

	if (store_load(&next, STORAGE, id, facts, &ignored) >= 0 && prepare_all(&next, &ignored) == 0)
		for (size_t i = 0; i < next.layer_count; i++) {
			const struct layer *layer = &next.layers[i];
			const struct container *now = layer->container ? crew_find(&all->now, layer->name) : NULL;
			if (now == NULL || now->init <= 0 || containers_same_bundle(now->layer, layer))
				continue;
			crun_rootfs(path, sizeof path, layer);
			warm_like(now->init, path);
		}
	revision_free(&next);
}

static void forget_unused(const struct revision *running, const struct revision *next)
{
	for (size_t i = 0; i < next->layer_count; i++) {
		bool used = !next->layers[i].container;
		for (size_t k = 0; k < running->layer_count && !used; k++)
			used = running->layers[k].container && containers_same_bundle(&running->layers[k], &next->layers[i]);
		if (!used)
			crun_forget(&next->layers[i]);
	}
}

int change_to(struct containers *all, const char *id, const struct facts *facts, struct error *err)
{
	struct revision *next = calloc(1, sizeof *next);

	if (next == NULL)
		return fail_errno(err, "revision");
	if (store_load(next, STORAGE, id, facts, err) >= 0 && prepare_all(next, err) == 0) {
		if (containers_switch(all, next, err) == 0)
			return 0;
		forget_unused(all->now.revision, next);
	}
	revision_free(next);
	free(next);
	return -1;
}

static const struct blob *find(const struct revision *revision, const struct blob *wanted)
{
	for (size_t i = 0; i < revision->blob_count; i++)
		if (strcmp(revision->blobs[i].layer, wanted->layer) == 0 && strcmp(revision->blobs[i].role, wanted->role) == 0)
			return &revision->blobs[i];
	return NULL;
}

static bool of_container(const struct revision *revision, const struct blob *blob)
{
	for (size_t i = 0; i < revision->layer_count; i++)
		if (strcmp(revision->layers[i].name, blob->layer) == 0)
			return revision->layers[i].container;
	return false;
}

// Every blob of the platform that `a` has, `b` has too, with the same content.
static bool platform_within(const struct revision *a, const struct revision *b)
{
	for (size_t i = 0; i < a->blob_count; i++) {
		// A document of the platform runs nothing: it may change with the containers.
		if (of_container(a, &a->blobs[i]) || strcmp(a->blobs[i].role, "sbom") == 0)
			continue;
		const struct blob *other = find(b, &a->blobs[i]);
		if (other == NULL || of_container(b, other) || strcmp(other->digest, a->blobs[i].digest) != 0)
			return false;
	}
	return true;
}

bool change_is_live(const struct revision *running, const struct revision *next)
{
	return platform_within(running, next) && platform_within(next, running);
}
