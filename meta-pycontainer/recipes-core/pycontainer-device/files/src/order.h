// SPDX-License-Identifier: MIT
// Who may start, who may stop: groups ascend at the start and descend at the end; "after" holds within a group too.
#pragma once
#include "revision.h"
#include <stdbool.h>

// `up[i]`: container i runs, or ended well and shall not run again; `done[i]`: the latter.
bool order_may_start(const struct revision *revision, size_t layer, const bool up[], const bool done[]);
// `ended[i]`: container i does not run and will not be started again.
bool order_may_stop(const struct revision *revision, size_t layer, const bool ended[]);
