// SPDX-License-Identifier: MIT
#include "backoff.h"
#include "check.h"

int main(void)
{
	struct restart policy = {RESTART_ALWAYS, 0, 500, 3000, 60000};
	struct backoff state = {0};
	uint64_t delay = 0;
	static const uint64_t wanted[] = {500, 1000, 2000, 3000, 3000};

	for (size_t i = 0; i < 5; i++) {
		check(backoff_next(&state, &policy, i % 2 == 0, 1000, &delay) == VERDICT_RESTART);
		check(delay == wanted[i]);
	}
	// Long enough: the row begins anew.
	check(backoff_next(&state, &policy, false, 60000, &delay) == VERDICT_RESTART && delay == 500);
	// Without a reset time it never does.
	policy.reset_after_ms = 0;
	check(backoff_next(&state, &policy, false, UINT64_MAX, &delay) == VERDICT_RESTART && delay == 1000);

	policy = (struct restart){RESTART_ON_FAILURE, 2, 10, 10, 0};
	state = (struct backoff){0};
	check(backoff_next(&state, &policy, true, 0, &delay) == VERDICT_DONE);
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_RESTART);
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_RESTART);
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_GIVE_UP);

	policy.policy = RESTART_NO;
	check(backoff_next(&state, &policy, true, 0, &delay) == VERDICT_DONE);
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_GIVE_UP);

	// Doubling does not run over.
	policy = (struct restart){RESTART_ALWAYS, 0, UINT64_MAX / 2 + 1, UINT64_MAX, 0};
	state = (struct backoff){0};
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_RESTART && delay == UINT64_MAX / 2 + 1);
	check(backoff_next(&state, &policy, false, 0, &delay) == VERDICT_RESTART && delay == UINT64_MAX);
	return check_result("backoff");
}
