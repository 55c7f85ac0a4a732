// SPDX-License-Identifier: MIT
#include "check.h"
#include "health.h"

#define START 1000000ull

// For how long it has been well without a break, as a trial reckons it.
static uint64_t well_ms(const struct health *health, uint64_t now)
{
	return health->since == UINT64_MAX || now < health->since ? 0 : now - health->since;
}

static void test_without_a_check(void)
{
	struct health_check check_none = {.kind = HEALTH_NONE};
	struct health health;
	uint64_t when = 0;

	health_init(&health, &check_none, START);
	check(health.state == HEALTH_UNCHECKED && well_ms(&health, START + 7) == 7);
	check(health_next(&health, UINT64_MAX - 1, &when) == HEALTH_WAIT && when == UINT64_MAX);
	check(health_next(&health, UINT64_MAX, &when) == HEALTH_WAIT && when == UINT64_MAX);
	health_result(&health, START + 9, false);
	check(health.state == HEALTH_UNCHECKED && well_ms(&health, START + 9) == 9);
	check(strcmp(health_word(HEALTH_UNCHECKED), "none") == 0 && strcmp(health_word(HEALTH_UNHEALTHY), "unhealthy") == 0);
}

static void test_times(void)
{
	struct health_check tcp = {.kind = HEALTH_TCP, .interval_ms = 30000, .timeout_ms = 2000, .retries = 2};
	struct health health;
	uint64_t when = 0;

	// The first probe comes an interval after the start, and so does each after the end of the one before.
	health_init(&health, &tcp, START);
	check(health.state == HEALTH_STARTING && well_ms(&health, START + 1) == 0);
	check(health_next(&health, START, &when) == HEALTH_WAIT && when == START + 30000);
	check(health_next(&health, START + 29999, &when) == HEALTH_WAIT && when == START + 30000);
	check(health_next(&health, START + 30000, &when) == HEALTH_PROBE && when == START + 32000 + HEALTH_GRACE_MS);
	check(health_next(&health, START + 30000, &when) == HEALTH_WAIT && when == START + 32000 + HEALTH_GRACE_MS);
	health_result(&health, START + 31000, true);
	check(health.state == HEALTH_HEALTHY && well_ms(&health, START + 31500) == 500);
	check(well_ms(&health, START) == 0);
	check(health_next(&health, START + 31000, &when) == HEALTH_WAIT && when == START + 61000);
	// A result that nobody waits for changes nothing.
	health_result(&health, START + 31001, false);
	check(health.failures == 0 && health.due == START + 61000);

	// One that hangs is a failure, told once; its result, should it come, is not asked for any more.
	check(health_next(&health, START + 61000, &when) == HEALTH_PROBE && when == START + 63000 + HEALTH_GRACE_MS);
	uint64_t late = when;
	check(health_next(&health, late - 1, &when) == HEALTH_WAIT && when == late);
	check(health_next(&health, late, &when) == HEALTH_HANGS && when == late + 30000);
	check(health.failures == 1 && health.state == HEALTH_HEALTHY);
	check(health_next(&health, late, &when) == HEALTH_WAIT && when == late + 30000);
	health_result(&health, late + 1, true);
	check(health.failures == 1);
	// Late is not lost.
	check(health_next(&health, late + 90000, &when) == HEALTH_PROBE);
	health_result(&health, late + 90001, false);
	check(health.state == HEALTH_UNHEALTHY && well_ms(&health, late + 90002) == 0);
	check(health_next(&health, late + 120001, &when) == HEALTH_PROBE);
	health_result(&health, late + 120002, true);
	check(health.state == HEALTH_HEALTHY && well_ms(&health, late + 120003) == 1);
}

static void test_start_period(void)
{
	struct health_check slow = {.kind = HEALTH_COMMAND, .start_period_ms = 12000, .interval_ms = 30000, .timeout_ms = 1000,
				    .retries = 1};
	struct health health;
	uint64_t when = 0;

	// Asked soon, then less and less often, until it is healthy; failures are excused, and one that began in time is,
	// whenever it ends.
	health_init(&health, &slow, START);
	uint64_t at = START;
	for (uint64_t wait = 250; wait <= 4000; wait *= 2) {
		at += wait;
		check(health_next(&health, at - 1, &when) == HEALTH_WAIT && when == at);
		check(health_next(&health, at, &when) == HEALTH_PROBE);
		health_result(&health, at, false);
	}
	check(health.state == HEALTH_STARTING && health.failures == 0);
	check(health_next(&health, at, &when) == HEALTH_WAIT && when == at + 5000);
	health_init(&health, &slow, START);
	check(health_next(&health, START + 11000, &when) == HEALTH_PROBE);
	health_result(&health, START + 13000, false);
	check(health.state == HEALTH_STARTING && health.failures == 0);
	check(health_next(&health, START + 13000, &when) == HEALTH_WAIT && when == START + 43000);
	check(health_next(&health, START + 43000, &when) == HEALTH_PROBE);
	health_result(&health, START + 43001, false);
	check(health.state == HEALTH_UNHEALTHY && health.failures == 1);

	// The first success ends it: a failure counts from then on, and the interval is the usual one.
	health_init(&health, &slow, START);
	check(health_next(&health, START + 5000, &when) == HEALTH_PROBE);
	health_result(&health, START + 5001, true);
	check(health.state == HEALTH_HEALTHY && health_next(&health, START + 5001, &when) == HEALTH_WAIT);
	check(when == START + 35001);
	slow.start_period_ms = 3600000;
	check(health_next(&health, START + 35001, &when) == HEALTH_PROBE);
	health_result(&health, START + 35002, false);
	check(health.state == HEALTH_UNHEALTHY);

	// A short interval is not made longer.
	slow.interval_ms = 100;
	health_init(&health, &slow, START);
	check(health_next(&health, START, &when) == HEALTH_WAIT && when == START + 100);
}

// What the state must be after a row of results, from the definition: the last `retries` counted results are failures,
// or the last success has not been outweighed. `in_start`: how many of the first results fall into the start period.
static enum health_state expected(unsigned results, int count, int in_start, int retries)
{
	enum health_state state = HEALTH_STARTING;
	int streak = 0;
	bool succeeded = false;

	for (int i = 0; i < count; i++) {
		if (results & 1u << i) {
			streak = 0;
			succeeded = true;
			state = HEALTH_HEALTHY;
		} else if (succeeded || i >= in_start) {
			streak++;
			if (streak >= retries) {
				state = HEALTH_UNHEALTHY;
				succeeded = true;
			}
		}
	}
	return state;
}

// Every row of up to ten results, with every number of retries and every length of the start period.
static void test_all_rows(void)
{
	unsigned wrong = 0, rows = 0;

	for (int retries = 1; retries <= 4; retries++)
		for (int in_start = 0; in_start <= 5; in_start++)
			for (unsigned results = 0; results < 1u << 10; results++) {
				struct health_check row = {.kind = HEALTH_TCP, .interval_ms = 1000, .timeout_ms = 1,
							   .retries = (uint64_t)retries,
							   .start_period_ms = in_start == 0 ? 0 : (uint64_t)in_start * 1000 + 1};
				struct health health;
				uint64_t when, well = UINT64_MAX;
				health_init(&health, &row, START);
				for (int i = 0; i < 10; i++) {
					uint64_t now = START + 1000 * ((uint64_t)i + 1);
					enum health_state before = health.state;
					wrong += health_next(&health, now, &when) != HEALTH_PROBE;
					health_result(&health, now, results & 1u << i);
					wrong += health.state != expected(results, i + 1, in_start, retries);
					if (health.state == HEALTH_HEALTHY && before != HEALTH_HEALTHY)
						well = now;
					wrong += well_ms(&health, now + 5) != (health.state == HEALTH_HEALTHY ? now + 5 - well : 0);
					rows++;
				}
			}
	check(rows == 4 * 6 * 1024 * 10 && wrong == 0);
}

int main(void)
{
	test_without_a_check();
	test_times();
	test_start_period();
	test_all_rows();
	return check_result("health");
}
