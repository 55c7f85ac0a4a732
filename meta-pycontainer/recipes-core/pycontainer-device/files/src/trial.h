// SPDX-License-Identifier: MIT
// Whether a revision that is tried is confirmed, fails, or is waited for: pure decisions, no clock and no process.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_WAITING_MOST 8
#define TRIAL_TEXT 120

enum trial_life {
	TRIAL_DOWN,	// not running, whatever comes
	TRIAL_UP,	// running
	TRIAL_DONE,	// ended well and not started again
	TRIAL_GIVEN_UP	// ended badly and not started again
};

struct trial_container {
	const char *name;
	bool required;		// false: it does not count
	enum trial_life life;
	bool has_health, healthy;
	uint64_t up_since_ms;	// running, and healthy when it has a health check, without a break since
	uint64_t healthy_for_ms;
	uint64_t restarts, max_restarts;	// since the trial began; how many may be
};

struct trial_condition {
	const char *name;	// as it reads among what is waited for
	bool held;
};

struct trial {
	uint64_t now_ms, started_ms, timeout_ms;
	bool manual, manual_confirmed;
	size_t container_count;
	const struct trial_container *containers;
	size_t condition_count;
	const struct trial_condition *conditions;
};

enum trial_verdict { TRIAL_WAIT, TRIAL_CONFIRM, TRIAL_FAIL };

struct trial_decision {
	uint64_t deadline_ms;	// TRIAL_WAIT: when to decide anew though nothing happened
	size_t waiting_count;	// how many things are waited for; texts for the first TRIAL_WAITING_MOST of them
	char waiting[TRIAL_WAITING_MOST][TRIAL_TEXT];
	char reason[256];	// TRIAL_FAIL: why
};

// A container that was given up, or restarted too often, fails the trial at once. What holds is confirmed, even after
// the time is up: a decision made late takes nothing away. Otherwise the end of the time fails what is still missing.
enum trial_verdict trial_decide(const struct trial *trial, struct trial_decision *out);
