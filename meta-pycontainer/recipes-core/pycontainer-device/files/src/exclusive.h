// SPDX-License-Identifier: MIT
// One process at a time changes what is installed.
#pragma once
#include "error.h"

// Take the right to do so, which ends with this process. -1: another one has it.
int exclusive_take(struct error *err);
