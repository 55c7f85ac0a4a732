// SPDX-License-Identifier: MIT
// The port over which the device may be controlled from outside, when the product grants one.
#pragma once

// The device node of a port's name: a virtio port's (such as org.pycontainer.control) or a terminal's (such as ttyS1).
// -1: there is none now.
int ports_find(const char *name, char path[64]);
