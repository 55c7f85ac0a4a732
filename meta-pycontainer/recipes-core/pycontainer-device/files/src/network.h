// SPDX-License-Identifier: MIT
// The host's own network: its name and the loopback interface.
#pragma once
#include "error.h"

int network_setup(const char *hostname, struct error *err);
