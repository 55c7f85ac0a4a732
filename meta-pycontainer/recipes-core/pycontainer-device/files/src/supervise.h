// SPDX-License-Identifier: MIT
// The main loop: containers, processes, signals, devices, the power button.
#pragma once
#include "cmdline.h"
#include "error.h"
#include "facts.h"
#include "power.h"
#include "revision.h"

// What the steps before found out.
struct beginning {
	const struct facts *facts;
	const struct cmdline *cmdline;
	const char *storage;	// the device that it lies on
	uint64_t started_ms;	// when this program began, for the message
};

// Start the containers and look after everything until the machine shall end; every container has ended then. The
// revision, whose layers are prepared, was allocated by malloc and belongs to this from now on.
int supervise(struct revision *revision, const struct beginning *begin, enum end *end, struct error *err);
