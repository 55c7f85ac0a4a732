// SPDX-License-Identifier: MIT
// PID 1 of the host: from the kernel's hand-over to the running containers, and to the end.
#include "apparmor.h"
#include "background.h"
#include "bridge.h"
#include "cmdline.h"
#include "console.h"
#include "crun.h"
#include "ctl.h"
#include "facts.h"
#include "file.h"
#include "hardening.h"
#include "image.h"
#include "modules.h"
#include "mounts.h"
#include "network.h"
#include "place.h"
#include "power.h"
#include "program.h"
#include "storage.h"
#include "store.h"
#include "supervise.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define FATAL_WAIT_S 10
#define KILLED_WAIT_MS 2000
#define UNMOUNT_WAIT_MS 30000
#define LISTED_MODULES "/etc/pycontainer/modules"

// What this program itself cannot do without, whatever the list says.
static const char *const needed_modules[] = {"loop", "fs-ext4", "fs-squashfs"};

// Proven blobs of a layer, open: what was proven is what is used. -1: none.
struct proven {
	int image;	// rootfs or modules
	int config;
	int policy;
};

struct device {
	struct cmdline cmdline;
	struct facts facts;
	struct modules *modules;
	struct revision *revision;
	struct proven *proven;	// of each layer
	int firmware;
	char storage[64];	// the device that it lies on
	uint64_t started_ms;
	enum end end;
};

static int step_mounts(struct device *device, struct error *err)
{
	struct utsname system;

	(void)device;
	if (mounts_move_root(err) < 0 || mounts_kernel(err) < 0)
		return -1;
	console_open("/dev/console");
	if (uname(&system) < 0)
		return fail_errno(err, "uname");
	console_line("host: Linux %s %s", system.release, system.machine);
	hardening_apply();
	return 0;
}

static int step_command_line(struct device *device, struct error *err)
{
	return cmdline_read(&device->cmdline, err);
}

static int step_facts(struct device *device, struct error *err)
{
	if (sodium_init() < 0)
		return fail(err, "the cryptographic library does not start");
	return facts_read(&device->facts, "/etc/pycontainer/product.json", err);
}

static int step_modules(struct device *device, struct error *err)
{
	if (modules_register(err) < 0)
		return -1;
	device->modules = modules_open(err);
	if (device->modules == NULL) {
		// A kernel with everything built in needs none.
		console_line("modules: %s", err->text);
		return 0;
	}
	int needed = 0, listed = modules_listed(device->modules, LISTED_MODULES);
	for (size_t i = 0; i < sizeof needed_modules / sizeof *needed_modules; i++) {
		int loaded = modules_load(device->modules, needed_modules[i], err);
		if (loaded < 0)
			console_line("modules: %s", err->text);
		needed += loaded > 0 ? loaded : 0;
	}
	int found = modules_coldplug(device->modules);
	console_line("modules: %d listed, %d for devices", listed + needed, found);
	return 0;
}

static int step_storage(struct device *device, struct error *err)
{
	int result = storage_mount(device->cmdline.storage, device->modules, device->storage, err);

	modules_close(device->modules);
	device->modules = NULL;
	return result < 0 ? -1 : folder_make(STORAGE "/logs", 0750, err);
}

// Prove every blob that is needed before containers run.
static int prove_layers(struct device *device, struct seal_counts *counts, struct error *err)
{
	for (size_t i = 0; i < device->revision->layer_count; i++) {
		const struct layer *layer = &device->revision->layers[i];
		struct proven *proven = &device->proven[i];
		const struct blob *image = layer->container ? layer->rootfs : layer->modules;
		if (image != NULL && (proven->image = store_open(STORAGE, image, counts, err)) < 0)
			return -1;
		if (layer->container && (proven->config = store_open(STORAGE, layer->run_config, counts, err)) < 0)
			return -1;
		if (layer->policy != NULL && (proven->policy = store_open(STORAGE, layer->policy, counts, err)) < 0)
			return -1;
		if (layer->firmware != NULL && device->firmware < 0 &&
		    (device->firmware = store_open(STORAGE, layer->firmware, counts, err)) < 0)
			return -1;
	}
	return 0;
}

static int step_verify(struct device *device, struct error *err)
{
	struct seal_counts counts = {0};
	device->revision = calloc(1, sizeof *device->revision);
	if (device->revision == NULL)
		return fail_errno(err, "revision");
	int signers = store_load(device->revision, STORAGE, device->cmdline.revision, &device->facts, err);

	if (signers < 0)
		return -1;
	device->proven = malloc((device->revision->layer_count + 1) * sizeof *device->proven);
	if (device->proven == NULL)
		return fail_errno(err, "layers");
	for (size_t i = 0; i < device->revision->layer_count; i++)
		device->proven[i] = (struct proven){-1, -1, -1};
	if (prove_layers(device, &counts, err) < 0)
		return -1;
	char hashed[80] = "";
	if (counts.hashed > 0)
		snprintf(hashed, sizeof hashed, ", %u hashed in full: %s", counts.hashed, counts.unsealed);
	console_line("verify: revision %.12s signed by %d of %u keys; %u blobs whole, %u sealed now%s", device->revision->id,
		     signers, device->facts.key_count, counts.sealed + counts.newly + counts.hashed, counts.newly, hashed);
	return 0;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool uses_bridge(const struct revision *revision)
{
	for (size_t i = 0; i < revision->layer_count; i++)
		if (revision->layers[i].network == NETWORK_BRIDGE)
			return true;
	return false;
}

static int step_hardware(struct device *device, struct error *err)
{
	const struct layer *bsp = revision_layer(device->revision, "bsp");
	int *image = bsp == NULL ? NULL : &device->proven[bsp - device->revision->layers].image;

	if (device->firmware >= 0 && image_mount_firmware(device->firmware, err) < 0)
		return fail_in(err, "firmware");
	drop(&device->firmware);
	if (image == NULL || *image < 0)
		return 0;
	if (image_mount_modules(*image, err) < 0)
		return -1;
	drop(image);
	struct modules *index = modules_open(err);
	if (index == NULL)
		return -1;
	int listed = modules_listed(index, LISTED_MODULES);
	int found = modules_coldplug(index);
	// The kernel would ask for each of these by itself, dozens of times.
	for (size_t i = 0; uses_bridge(device->revision) && bridge_modules[i] != NULL; i++)
		if (modules_load(index, bridge_modules[i], err) < 0)
			console_line("hardware: %s", err->text);
	modules_close(index);
	console_line("hardware: %d further modules", listed + found);
	return 0;
}

static int step_layers(struct device *device, struct error *err)
{
	char names[256] = "";
	size_t used = 0, policies = 0;

	if (device->revision->apparmor_required && !apparmor_enabled())
		return fail(err, "this kernel has no AppArmor, which the revision requires");
	for (size_t i = 0; i < device->revision->layer_count; i++) {
		const struct layer *layer = &device->revision->layers[i];
		if (!layer->container)
			continue;
		struct proven *proven = &device->proven[i];
		if (crun_prepare(layer, proven->image, proven->config, proven->policy, err) < 0 ||
		    place_make(device->revision, layer, err) < 0)
			return fail_in(err, "%s", layer->name);
		drop(&proven->image);
		drop(&proven->config);
		drop(&proven->policy);
		policies += layer->policy != NULL;
		if (used + strlen(layer->name) + 2 < sizeof names)
			used += (size_t)snprintf(names + used, sizeof names - used, " %s", layer->name);
	}
	if (network_setup(device->facts.product, err) < 0)
		return -1;
	console_line("layers:%s mounted", used > 0 ? names : " none");
	if (policies > 0 && !apparmor_enabled())
		console_line("layers: this kernel has no AppArmor: the policies of %zu containers are not in force", policies);
	else if (policies > 0)
		console_line("layers: the AppArmor policies of %zu containers are in force", policies);
	// The index files and JSON trees are gone; what they took goes back to the kernel.
	malloc_trim(0);
	return 0;
}

static int step_containers(struct device *device, struct error *err)
{
	const struct beginning begin = {&device->facts, &device->cmdline, device->storage, device->started_ms};

	return supervise(device->revision, &begin, &device->end, err);
}

static const struct step {
	const char *name;
	int (*run)(struct device *device, struct error *err);
} steps[] = {
	{"mounts", step_mounts},     {"command line", step_command_line}, {"facts", step_facts},
	{"modules", step_modules},   {"storage", step_storage},		  {"verify", step_verify},
	{"hardware", step_hardware}, {"layers", step_layers},		  {"containers", step_containers},
};

// Run in a process of its own: on a disk that does not answer it sleeps for ever.
static void unmount_and_sync(void)
{
	int busy, storage = open(STORAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	// In case whoever froze it was killed before it thawed it.
	if (storage >= 0) {
		ioctl(storage, FITHAW, 0);
		close(storage);
	}
	int count = mounts_undo(&busy);

	if (busy > 0)
		console_line("storage: %d of %d mounts were busy", busy, count);
	else if (count > 0)
		console_line("storage: unmounted");
	sync();
}

// Whatever still lives belongs to no container any more, and nothing of it, nor what a failed step left open, shall hold
// storage.
static void leave_storage(void)
{
	int status;

	close_range(3, ~0u, 0);
	kill(-1, SIGKILL);
	for (uint64_t end = clock_ms() + KILLED_WAIT_MS; clock_ms() < end; usleep(2000)) {
		while (waitpid(-1, &status, WNOHANG) > 0)
			;
		if (waitpid(-1, &status, WNOHANG) < 0)
			break;
	}
	pid_t child = fork();
	if (child == 0) {
		unmount_and_sync();
		_exit(0);
	}
	if (child < 0)
		unmount_and_sync();
	else if (!program_wait(child, &status, UNMOUNT_WAIT_MS))
		console_line("storage: does not answer, left as it is; its journal is replayed at the next start");
}

int main(int argc, char *argv[])
{
	static struct device device = {.firmware = -1};
	struct error err = {""};
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	// In a container that may use some verbs, it may well be process 1.
	if (argc > 0 && strcmp(name == NULL ? argv[0] : name + 1, "pycontainerctl") == 0)
		return ctl_main(argc, argv);
	if (getpid() != 1) {
		if (argc == 4 && strcmp(argv[1], "-q") == 0 && strcmp(argv[2], "--") == 0)
			return modules_serve(argv[3]);
		fputs("pycontainer-init is started by the kernel, as process 1\n", stderr);
		return 2;
	}
	device.started_ms = clock_ms();
	const struct step *step = steps, *last = steps + sizeof steps / sizeof *steps;
	while (step < last && step->run(&device, &err) == 0)
		step++;
	if (step < last)
		console_line("FAILED %s: %s", step->name, err.text);
	leave_storage();
	if (step < last) {
		device.end = device.cmdline.panic_poweroff ? END_POWER_OFF : END_RESTART;
		if (device.end == END_RESTART) {
			console_line("restart in %d s", FATAL_WAIT_S);
			sleep(FATAL_WAIT_S);
		}
	}
	console_line("%s: now", device.end == END_POWER_OFF ? "power off" : "restart");
	power_end(device.end);
	// Not reached by process 1.
	return 1;
}
