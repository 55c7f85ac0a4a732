// SPDX-License-Identifier: MIT
// What a change from one revision to another stops, starts and leaves alone.
#include "change.h"
#include "check.h"
#include "containers.h"

#include <fcntl.h>
#include <unistd.h>

static struct blob blobs[8];

static const struct blob *blob(size_t i, const char *layer, const char *role, char letter)
{
	snprintf(blobs[i].layer, sizeof blobs[i].layer, "%s", layer);
	snprintf(blobs[i].role, sizeof blobs[i].role, "%s", role);
	memset(blobs[i].digest, letter, 64);
	return &blobs[i];
}

static struct layer container(const char *name, const struct blob *rootfs, const struct blob *config)
{
	struct layer layer = {.kind = "app", .container = true, .rootfs = rootfs, .run_config = config, .log_bytes = 4096,
			      .log_files = 2, .restart = {.policy = RESTART_ALWAYS}, .stop_signal = 15};

	snprintf(layer.name, sizeof layer.name, "%s", name);
	return layer;
}

static void test_keep(void)
{
	struct volume permanent = {"data", VOLUME_PERMANENT, 0755, 0, 0}, own = {"own", VOLUME_REVISION, 0755, 0, 0};
	const struct blob *rootfs = blob(0, "web", "rootfs", 'a'), *config = blob(1, "web", "run-config", 'b');
	struct layer before = container("web", rootfs, config), after = before;

	check(containers_keep(&before, &after));
	after.restart.max_retries = 7;
	check(containers_keep(&before, &after));
	after.rootfs = config;
	check(!containers_keep(&before, &after));
	after = before;
	after.run_config = rootfs;
	check(!containers_keep(&before, &after));
	before.volumes = after.volumes = &permanent;
	before.volume_count = after.volume_count = 1;
	after.run_config = config;
	check(containers_keep(&before, &after));
	after.volume_count = 0;
	check(!containers_keep(&before, &after));
	// A volume of the revision is another one in the next revision.
	before.volumes = after.volumes = &own;
	after.volume_count = 1;
	check(!containers_keep(&before, &after));
}

static struct revision revision(struct layer *layers, size_t layer_count, struct blob *all, size_t blob_count)
{
	return (struct revision){.layers = layers, .layer_count = layer_count, .blobs = all, .blob_count = blob_count};
}

static void test_live(void)
{
	struct layer layers[] = {{.name = "bsp", .kind = "bsp"}, {.name = "web", .kind = "app", .container = true}};
	struct blob first[2] = {{.layer = "bsp", .role = "kernel", .digest = "1"}, {.layer = "web", .role = "rootfs", .digest = "2"}};
	struct blob second[2], third[3];
	struct revision a = revision(layers, 2, first, 2);

	memcpy(second, first, sizeof first);
	strcpy(second[1].digest, "3");
	struct revision b = revision(layers, 2, second, 2);
	check(change_is_live(&a, &b) && change_is_live(&b, &a) && change_is_live(&a, &a));
	strcpy(second[0].digest, "4");
	check(!change_is_live(&a, &b) && !change_is_live(&b, &a));
	memcpy(third, first, sizeof first);
	third[2] = (struct blob){.layer = "bsp", .role = "firmware", .digest = "5"};
	struct revision c = revision(layers, 2, third, 3);
	check(!change_is_live(&a, &c) && !change_is_live(&c, &a));
	third[2] = (struct blob){.layer = "bsp", .role = "sbom", .digest = "6"};
	check(change_is_live(&a, &c) && change_is_live(&c, &a));
	// A container may come or go.
	struct revision d = revision(layers, 1, first, 1);
	check(change_is_live(&a, &d) && change_is_live(&d, &a));
}

// Three containers run; in the next revision one is equal, one differs, one is gone, and one is new.
static void test_switch(void)
{
	const struct blob *one = blob(2, "x", "rootfs", '1'), *two = blob(3, "x", "rootfs", '2');
	const struct blob *config = blob(4, "x", "run-config", '3');
	struct layer old[] = {container("same", one, config), container("other", one, config), container("gone", one, config)};
	struct layer new[] = {container("same", one, config), container("other", two, config), container("fresh", one, config)};
	struct containers all = {.end_count = 0};
	struct revision *before = calloc(1, sizeof *before), *next = calloc(1, sizeof *next);
	struct error failure;

	*before = revision(memcpy(calloc(3, sizeof *old), old, sizeof old), 3, NULL, 0);
	*next = revision(memcpy(calloc(3, sizeof *new), new, sizeof new), 3, NULL, 0);
	check(crew_init(&all.now, before, false, &failure) == 0);
	for (size_t i = 0; i < 3; i++) {
		all.now.each[i].state = STATE_RUNNING;
		all.now.each[i].init = 1000000 + (pid_t)i;
		all.now.each[i].restarts = 5;
	}
	int output = all.now.each[0].output[0];
	check(containers_switch(&all, next, &failure) == 0);
	check(!containers_settled(&all));
	check_error(containers_switch(&all, next, err), "still being stopped");
	check(all.now.each[0].state == STATE_RUNNING && all.now.each[0].init == 1000000);
	check(all.now.each[0].layer == &next->layers[0] && all.now.each[0].restarts == 0);
	check(containers_by_output(&all, output) == &all.now.each[0]);
	check(all.now.each[1].state == STATE_WAITING && all.now.each[1].init == 0);
	check(crew_find(&all.former, "same") == NULL && crew_find(&all.former, "other")->init == 1000001);
	// Nothing of the new revision begins while what it replaces runs, and what is gone with it may hold a port.
	check(crew_find(&all.former, "gone")->state == STATE_RUNNING && all.now.each[2].state == STATE_WAITING);
	for (size_t i = 0; i < 3; i++) {
		all.now.each[i].state = STATE_STOPPED;
		all.former.each[i].state = STATE_STOPPED;
	}
	check(containers_stopped(&all));
	containers_start(&all);
	check(containers_settled(&all));
	crew_free(&all.now);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY), saved = dup(2);

	test_keep();
	test_live();
	// The console's lines.
	dup2(null, 2);
	test_switch();
	dup2(saved, 2);
	close(saved);
	close(null);
	return check_result("change");
}
