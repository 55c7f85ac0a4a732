// SPDX-License-Identifier: MIT
#include "observer.h"
#include "console.h"
#include "file.h"
#include "observed.h"
#include "observer_record.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CGROUP "/sys/fs/cgroup/pycontainer"
#define TURN 512		// records in a row before others have their turn
#define LINES_MOST 200		// of one container in one second
#define SAME_PLACE_NS 10000000000ull	// in which datagrams to one place are told of once

typedef void each_container(struct observer *observer, struct container *container);

static void for_each(struct observer *observer, struct containers *all, each_container *act)
{
	struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++)
			if (crews[k]->each[i].layer != NULL && observed_wanted(&crews[k]->each[i].layer->observe) != 0)
				act(observer, &crews[k]->each[i]);
}

// Say how many lines were left out, once their second is over.
static void catch_up(struct observer *observer, struct container *container)
{
	struct watched *w = &container->observed;
	uint64_t second = clock_ms() / 1000;

	(void)observer;
	if (w->second == second)
		return;
	w->second = second;
	w->lines = 0;
	if (w->dropped > 0)
		record_lost(container, w->dropped);
	w->dropped = 0;
}

static bool is_repeated(struct watched *w, const struct observed *what)
{
	bool same = what->head.kind == OBSERVED_CONNECT && what->peer.protocol == 17 && what->head.pid == w->last_pid &&
		    memcmp(&what->peer, &w->last, sizeof w->last) == 0 && what->head.when_ns - w->last_ns < SAME_PLACE_NS;

	if (what->head.kind != OBSERVED_CONNECT || same)
		return same;
	w->last = what->peer;
	w->last_pid = what->head.pid;
	w->last_ns = what->head.when_ns;
	return false;
}

static void judge(struct container *container, const struct observed *what)
{
	const struct observe *observe = &container->layer->observe;
	struct watched *w = &container->observed;
	enum watch watch = observed_watch(observe, what->head.kind);
	char text[OBSERVED_PATH + 64];

	// The runtime is in the control group before the container's own program is, which a health check may overtake.
	bool first = !w->began && what->head.kind == OBSERVED_EXEC &&
		     (container->init == 0 || (uint32_t)container->init == what->head.pid);
	w->began = w->began || first;
	if (!w->began || watch == WATCH_OFF || observed_is_own(observe, what) || is_repeated(w, what))
		return;
	bool declared = first || observed_is_declared(observe, what);
	catch_up(NULL, container);
	if (w->lines < LINES_MOST) {
		w->lines++;
		record_line(container, observed_json(container->layer, what, declared, record_epoch_ms()));
	} else {
		w->dropped++;
	}
	if (declared || watch != WATCH_STOP)
		return;
	observed_text(what, text, sizeof text);
	container_violated(container, text);
}

static bool is_alive(const struct container *container)
{
	return container->state == STATE_STARTING || container->state == STATE_RUNNING || container->state == STATE_STOPPING;
}

// The number of the control group of one that lives, 0 when it has none yet.
static uint64_t group_of(const struct container *container)
{
	char path[NAME_SIZE + 64];
	struct stat status;

	snprintf(path, sizeof path, CGROUP "/%s", container->layer->name);
	return is_alive(container) && stat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

// A control group is known by its number; which container's it is, is asked for once in a container's life.
static bool owns(struct container *container, uint64_t cgroup)
{
	if (container->observed.cgroup == 0 && group_of(container) == cgroup)
		container->observed.cgroup = cgroup;
	return container->observed.cgroup == cgroup;
}

static struct container *find(struct containers *all, uint64_t cgroup, bool *fresh)
{
	struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++) {
			struct container *c = &crews[k]->each[i];
			if (c->layer == NULL)
				continue;
			*fresh = c->observed.cgroup == 0 || observed_wanted(&c->layer->observe) == 0;
			if (owns(c, cgroup))
				return c;
		}
	*fresh = true;
	return NULL;
}

struct drain {
	struct observer *observer;
	struct containers *all;
};

// What is out of the ring makes room for more of the same.
static void count(struct observer *observer, struct container *container, const struct observed *what, size_t length)
{
	if (what->head.shared != 0) {
		observer->taken += bpf_room(length);
		observer->took = true;
	} else if (container != NULL) {
		container->observed.taken += bpf_room(length);
		container->observed.took = true;
	}
}

static void take(void *context, const unsigned char *bytes, size_t length)
{
	struct drain *drain = context;
	struct observed what;
	struct error err;
	bool fresh;

	if (observed_parse(&what, bytes, length, &err) < 0) {
		console_line("observe: a record is %s", err.text);
		return;
	}
	struct container *container = find(drain->all, what.head.cgroup, &fresh);
	uint32_t kinds = container == NULL ? 0 : observed_wanted(&container->layer->observe), none = 0;
	count(drain->observer, container, &what, length);
	// From now on the kernel knows what is wanted of it: nothing of a container that is not observed.
	if (fresh && bpf_want(&drain->observer->bpf.place, what.head.cgroup, kinds,
			      container == NULL ? &none : &container->observed.taken, &err) < 0)
		console_line("observe: %s", err.text);
	if (kinds != 0)
		judge(container, &what);
}

static bool has_rules(const struct observe *observe)
{
	return observe->exec == WATCH_STOP || observe->connect == WATCH_STOP || observe->write == WATCH_STOP;
}

// What found no room in the ring may have been anything.
static void say_lost(struct container *container, uint32_t count)
{
	record_lost(container, count);
	if (has_rules(&container->layer->observe))
		container_violated(container, "more at once than can be watched");
}

static void look_for_lost(struct observer *observer, struct container *container)
{
	struct watched *w = &container->observed;
	uint32_t lost = 0;
	struct error err;

	catch_up(observer, container);
	// One whose entry made room for others is told of in full, until the kernel knows again what is wanted of it.
	bool known = w->cgroup == 0 || bpf_lost(&observer->bpf.place, w->cgroup, &lost);
	if ((!known || (w->took && w->cgroup != 0)) && is_alive(container) &&
	    bpf_want(&observer->bpf.place, w->cgroup, observed_wanted(&container->layer->observe), &w->taken, &err) < 0)
		console_line("observe: %s", err.text);
	w->took = false;
	if (lost > w->lost)
		say_lost(container, lost - w->lost);
	w->lost = lost;
}

// Nor is it known whose it was: with it may have gone the first exec of any that starts, without which it would never count as begun.
static void look_for_unknown(struct observer *observer, struct container *container)
{
	struct watched *w = &container->observed;

	if (w->began || !is_alive(container))
		return;
	w->began = true;
	say_lost(container, bpf_unknown(&observer->bpf.place) - observer->unknown);
}

void observer_drain(struct observer *observer, struct containers *all)
{
	struct drain drain = {observer, all};
	struct error err;

	if (!observer->bpf.open)
		return;
	bpf_drain(&observer->bpf, TURN, take, &drain);
	for_each(observer, all, look_for_lost);
	if (observer->took && bpf_took_unknown(&observer->bpf.place, observer->taken, &err) < 0)
		console_line("observe: %s", err.text);
	observer->took = false;
	if (bpf_unknown(&observer->bpf.place) == observer->unknown)
		return;
	for_each(observer, all, look_for_unknown);
	observer->unknown = bpf_unknown(&observer->bpf.place);
}

uint64_t observer_deadline(const struct containers *all)
{
	const struct crew *const crews[] = {&all->now, &all->former};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; crews[k]->revision != NULL && i < crews[k]->revision->layer_count; i++)
			if (crews[k]->each[i].layer != NULL && crews[k]->each[i].observed.dropped > 0)
				return (crews[k]->each[i].observed.second + 1) * 1000;
	return UINT64_MAX;
}

static uint32_t sum;

static void add_wanted(struct observer *observer, struct container *container)
{
	(void)observer;
	sum |= observed_wanted(&container->layer->observe);
}

static void want_again(struct observer *observer, struct container *container)
{
	const struct observe *observe = &container->layer->observe;
	uint32_t stops = (observe->exec == WATCH_STOP ? OBSERVED_EXEC : 0u) |
			 (observe->connect == WATCH_STOP ? OBSERVED_CONNECT : 0u) |
			 (observe->write == WATCH_STOP ? OBSERVED_WRITE : 0u);
	struct error err;

	// Without the exec by which its program begins nothing of a container counts.
	stops |= stops == 0 ? 0u : OBSERVED_EXEC;
	container->observed.blind = (stops & ~observer->kinds) != 0;
	// The kernel may have been told that nothing is wanted of one that was not observed before, and tells nothing that it be known by.
	if (container->observed.cgroup == 0)
		container->observed.cgroup = group_of(container);
	if (observer->bpf.open && container->observed.cgroup != 0 &&
	    bpf_want(&observer->bpf.place, container->observed.cgroup, observed_wanted(observe), &container->observed.taken, &err) < 0)
		console_line("observe: %s", err.text);
}

static int open_bpf(struct observer *observer, struct error *err)
{
	observer->unknown = observer->taken = 0;
	return folder_make(OBSERVED_FOLDER, 0750, err) < 0 || folder_make(CGROUP, 0755, err) < 0 ||
	       bpf_open(&observer->bpf, CGROUP, err) < 0 ? -1 : 1;
}

int observer_adopt(struct observer *observer, struct containers *all)
{
	struct error err;
	int another = 0;

	sum = 0;
	for_each(observer, all, add_wanted);
	if (sum == 0) {
		bpf_close(&observer->bpf);
		observer->kinds = 0;
		return 0;
	}
	// What runs on is watched on meanwhile.
	if (!observer->bpf.open)
		another = open_bpf(observer, &err);
	if (observer->bpf.open && (sum & ~observer->kinds) != 0)
		observer->kinds |= bpf_watch(&observer->bpf, sum & ~observer->kinds, &err);
	if ((sum & ~observer->kinds) != 0)
		console_line("observe: this kernel cannot watch containers: %s", err.text);
	for_each(observer, all, want_again);
	return another;
}
