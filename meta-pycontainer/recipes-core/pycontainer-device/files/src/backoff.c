// SPDX-License-Identifier: MIT
#include "backoff.h"

enum verdict backoff_next(struct backoff *state, const struct restart *policy, bool success, uint64_t ran_ms,
			  uint64_t *delay_ms)
{
	if (policy->policy == RESTART_NO || (policy->policy == RESTART_ON_FAILURE && success))
		return success ? VERDICT_DONE : VERDICT_GIVE_UP;
	if (policy->reset_after_ms > 0 && ran_ms >= policy->reset_after_ms)
		*state = (struct backoff){0};
	if (policy->max_retries > 0 && state->retries >= policy->max_retries)
		return VERDICT_GIVE_UP;
	if (state->retries == 0)
		state->delay_ms = policy->initial_delay_ms;
	else
		state->delay_ms = state->delay_ms > UINT64_MAX / 2 ? UINT64_MAX : state->delay_ms * 2;
	if (state->delay_ms > policy->max_delay_ms)
		state->delay_ms = policy->max_delay_ms;
	state->retries++;
	*delay_ms = state->delay_ms;
	return VERDICT_RESTART;
}
