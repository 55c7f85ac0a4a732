// SPDX-License-Identifier: MIT
// Settings of the kernel that a distribution leaves open for its users, of whom a device has none (admin-guide/sysctl).
#pragma once

// Set them all but those that the kernel's command line sets ("sysctl.NAME=VALUE"); a kernel without one of them is fine.
// What goes wrong is said on the console.
void hardening_apply(void);
