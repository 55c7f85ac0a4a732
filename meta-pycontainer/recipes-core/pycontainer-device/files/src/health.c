// SPDX-License-Identifier: MIT
#include "health.h"

static bool excused(const struct health *health, uint64_t now)
{
	return health->state == HEALTH_STARTING && now - health->started < health->check->start_period_ms;
}

static void plan(struct health *health, uint64_t now)
{
	uint64_t wait = health->check->interval_ms;

	if (excused(health, now)) {
		uint64_t early = (uint64_t)HEALTH_START_FIRST_MS << (health->early < 8 ? health->early++ : 8);
		if (early > HEALTH_START_MOST_MS)
			early = HEALTH_START_MOST_MS;
		wait = wait < early ? wait : early;
	}
	health->probing = false;
	health->due = now + wait;
}

void health_init(struct health *health, const struct health_check *check, uint64_t now)
{
	bool checked = check->kind != HEALTH_NONE;

	*health = (struct health){
		.check = check,
		.state = checked ? HEALTH_STARTING : HEALTH_UNCHECKED,
		.started = now,
		.since = checked ? UINT64_MAX : now,
		.due = UINT64_MAX,
	};
	if (checked)
		plan(health, now);
}

enum health_step health_next(struct health *health, uint64_t now, uint64_t *when)
{
	enum health_step step = HEALTH_WAIT;

	if (now >= health->due && health->probing) {
		step = HEALTH_HANGS;
		health_result(health, now, false);
	} else if (now >= health->due && health->state != HEALTH_UNCHECKED) {
		step = HEALTH_PROBE;
		health->probing = true;
		health->probe_began = now;
		health->due = now + health->check->timeout_ms + HEALTH_GRACE_MS;
	}
	*when = health->due;
	return step;
}

void health_result(struct health *health, uint64_t now, bool success)
{
	if (!health->probing)
		return;
	// A probe that began within the start period is excused, whenever it ends.
	bool counts = !success && !excused(health, health->probe_began);
	if (success) {
		health->failures = 0;
		if (health->state != HEALTH_HEALTHY)
			health->since = now;
		health->state = HEALTH_HEALTHY;
	} else if (counts && ++health->failures >= health->check->retries) {
		health->state = HEALTH_UNHEALTHY;
		health->since = UINT64_MAX;
	}
	plan(health, now);
}

const char *health_word(enum health_state state)
{
	static const char *const words[] = {"none", "starting", "healthy", "unhealthy"};

	return words[state];
}
