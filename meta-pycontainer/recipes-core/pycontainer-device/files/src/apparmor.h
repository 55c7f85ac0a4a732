// SPDX-License-Identifier: MIT
// AppArmor policies, compiled where the revision was built: the kernel takes them as they are (apparmor(7)).
#pragma once
#include "error.h"
#include "revision.h"
#include <stdbool.h>

// Does this kernel enforce policies?
bool apparmor_enabled(void);
// Give the kernel the layer's policy, which is a proven blob, open; without AppArmor in the kernel nothing is done. One that
// is there already stays as it is: its name says what is in it.
int apparmor_load(const struct layer *layer, int policy, struct error *err);
// Take it out again.
void apparmor_unload(const struct layer *layer);
