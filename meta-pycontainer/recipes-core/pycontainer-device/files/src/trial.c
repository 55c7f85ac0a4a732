// SPDX-License-Identifier: MIT
#include "trial.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

__attribute__((format(printf, 2, 3))) static void wait_for(struct trial_decision *out, const char *format, ...)
{
	va_list args;

	if (out->waiting_count < TRIAL_WAITING_MOST) {
		va_start(args, format);
		vsnprintf(out->waiting[out->waiting_count], TRIAL_TEXT, format, args);
		va_end(args);
	}
	out->waiting_count++;
}

static bool fails_at_once(const struct trial_container *container, struct trial_decision *out)
{
	if (!container->required)
		return false;
	if (container->life == TRIAL_GIVEN_UP) {
		snprintf(out->reason, sizeof out->reason, "%s failed and was given up", container->name);
		return true;
	}
	if (container->restarts > container->max_restarts) {
		snprintf(out->reason, sizeof out->reason, "%s was restarted %" PRIu64 " times, %" PRIu64 " are allowed",
			 container->name, container->restarts, container->max_restarts);
		return true;
	}
	return false;
}

// Note what a container lacks, and when time alone brings it.
static void look_at(const struct trial_container *container, uint64_t now, struct trial_decision *out)
{
	if (!container->required || container->life == TRIAL_DONE)
		return;
	if (container->life != TRIAL_UP) {
		wait_for(out, "%s is not up", container->name);
		return;
	}
	if (container->has_health && !container->healthy) {
		wait_for(out, "%s is not healthy", container->name);
		return;
	}
	// A beginning that lies ahead of now has lasted for no time.
	uint64_t lasted = now > container->up_since_ms ? now - container->up_since_ms : 0;
	if (lasted >= container->healthy_for_ms)
		return;
	wait_for(out, "%s has been %s for %" PRIu64 " of %" PRIu64 " s", container->name,
		 container->has_health ? "healthy" : "up", lasted / 1000, (container->healthy_for_ms + 999) / 1000);
	uint64_t then = add(now, container->healthy_for_ms - lasted);
	if (then < out->deadline_ms)
		out->deadline_ms = then;
}

static void say_what_is_missing(struct trial_decision *out, uint64_t timeout_ms)
{
	size_t shown = out->waiting_count < TRIAL_WAITING_MOST ? out->waiting_count : TRIAL_WAITING_MOST;
	int used = snprintf(out->reason, sizeof out->reason, "not confirmed within %" PRIu64 " s", timeout_ms / 1000);

	for (size_t i = 0; i < shown && used >= 0 && (size_t)used < sizeof out->reason; i++)
		used += snprintf(out->reason + used, sizeof out->reason - (size_t)used, "%s %s", i == 0 ? ":" : ",",
				 out->waiting[i]);
	if (out->waiting_count > shown && used >= 0 && (size_t)used < sizeof out->reason)
		snprintf(out->reason + used, sizeof out->reason - (size_t)used, ", and %zu more", out->waiting_count - shown);
}

enum trial_verdict trial_decide(const struct trial *trial, struct trial_decision *out)
{
	uint64_t elapsed = trial->now_ms > trial->started_ms ? trial->now_ms - trial->started_ms : 0;

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < trial->container_count; i++)
		if (fails_at_once(&trial->containers[i], out))
			return TRIAL_FAIL;
	out->deadline_ms = elapsed < trial->timeout_ms ? add(trial->now_ms, trial->timeout_ms - elapsed) : trial->now_ms;
	for (size_t i = 0; i < trial->container_count; i++)
		look_at(&trial->containers[i], trial->now_ms, out);
	for (size_t i = 0; i < trial->condition_count; i++)
		if (!trial->conditions[i].held)
			wait_for(out, "%s", trial->conditions[i].name);
	if (trial->manual && !trial->manual_confirmed)
		wait_for(out, "confirmation by hand");
	if (out->waiting_count == 0)
		return TRIAL_CONFIRM;
	if (elapsed < trial->timeout_ms)
		return TRIAL_WAIT;
	say_what_is_missing(out, trial->timeout_ms);
	return TRIAL_FAIL;
}
