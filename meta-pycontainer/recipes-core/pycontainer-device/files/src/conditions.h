// SPDX-License-Identifier: MIT
// What a revision on trial has to show: its containers' health, and the product's own conditions.
#pragma once
#include "trial.h"
#include <stdint.h>

struct supervisor;

// Look at the product's conditions when it is time; returns when to come again, UINT64_MAX: there are none.
uint64_t conditions_look(struct supervisor *s, uint64_t now);
// Decide on the trial from what is known.
enum trial_verdict conditions_decide(const struct supervisor *s, uint64_t now, struct trial_decision *out);
