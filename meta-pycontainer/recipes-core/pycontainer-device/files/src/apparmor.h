// SPDX-License-Identifier: MIT
// AppArmor policies, compiled where the revision was built: the kernel takes them as they are (apparmor(7)).
#pragma once
#include "error.h"
#include "revision.h"
#include <stdbool.h>

// Does this kernel enforce policies?
bool apparmor_enabled(void);
// Give the kernel the layer's policy, which is a proven blob, open; without AppArmor in the kernel nothing is done. A policy
// that several layers, or two revisions, have is loaded once and counted.
int apparmor_load(const struct layer *layer, int policy, struct error *err);
// Take it out again when nobody else needs it.
void apparmor_unload(const struct layer *layer);
