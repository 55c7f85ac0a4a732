// SPDX-License-Identifier: MIT
// The main loop: containers, processes, signals, devices, the power button.
#pragma once
#include "error.h"
#include "power.h"
#include "revision.h"

// Start the containers and look after everything until the machine shall end; every container has ended then.
// `started_ms`: when this program began, for the message.
int supervise(const struct revision *revision, uint64_t started_ms, enum end *end, struct error *err);
