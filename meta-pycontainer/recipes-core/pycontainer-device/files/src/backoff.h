// SPDX-License-Identifier: MIT
// When a container that ended is started again: pure decisions, no clock and no process.
#pragma once
#include "revision.h"
#include <stdbool.h>
#include <stdint.h>

struct backoff {
	uint64_t retries;	// in this row of failures
	uint64_t delay_ms;	// of the last restart
};

enum verdict { VERDICT_RESTART, VERDICT_DONE, VERDICT_GIVE_UP };

// Decide after an end. `success`: exit status 0; `ran_ms`: how long it ran. With VERDICT_RESTART *delay_ms says when:
// the initial delay, doubled at each end, up to the maximum. Having run for reset_after_ms starts the row anew.
enum verdict backoff_next(struct backoff *state, const struct restart *policy, bool success, uint64_t ran_ms,
			  uint64_t *delay_ms);
