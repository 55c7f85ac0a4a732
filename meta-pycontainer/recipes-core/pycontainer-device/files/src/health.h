// SPDX-License-Identifier: MIT
// The health of one running container from the results of its probes, as Docker's HEALTHCHECK defines it: pure
// decisions, no clock and no process.
#pragma once
#include "revision.h"
#include <stdbool.h>
#include <stdint.h>

// During the start period a container that was not healthy yet is asked after so long, then after twice that, and so on,
// up to the second of these: what depends on it shall not wait for an interval that is meant for the years after.
#define HEALTH_START_FIRST_MS 250
#define HEALTH_START_MOST_MS 5000
// A probe ends itself when its time is up; one that does not end so long after that hangs.
#define HEALTH_GRACE_MS 10000

enum health_state {
	HEALTH_UNCHECKED,	// there is no check: it is well as long as it runs
	HEALTH_STARTING,
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY
};

enum health_step {
	HEALTH_WAIT,
	HEALTH_PROBE,		// start a probe now, and tell its result, or that it could not be started
	HEALTH_HANGS		// kill the probe and forget it: it counts as a failure already
};

struct health {
	const struct health_check *check;
	enum health_state state;
	uint64_t started;	// when the container began to run
	uint64_t since;		// when it became healthy; UINT64_MAX: it is not
	uint64_t failures;	// in a row, those of the start period left out
	uint64_t due;		// the next probe, or the latest end of the one that is at work
	uint64_t probe_began;
	bool probing;
	unsigned early;		// probes of the start period so far
};

// The container began to run now.
void health_init(struct health *health, const struct health_check *check, uint64_t now);
// What is to be done now; *when gets the time to ask again at the latest, UINT64_MAX: never.
enum health_step health_next(struct health *health, uint64_t now, uint64_t *when);
// The probe ended. A success makes the container healthy; failures that the start period does not excuse make it
// unhealthy once there are as many in a row as the check allows.
void health_result(struct health *health, uint64_t now, bool success);
// "none", "starting", "healthy", "unhealthy".
const char *health_word(enum health_state state);
