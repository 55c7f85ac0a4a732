// SPDX-License-Identifier: MIT
// Finding a revision that is installed whole on storage.
#pragma once
#include "error.h"
#include "fs.h"
#include "text.h"

// The one whose id begins with `given`, 4 to 64 digits; none, or more than one, is an error that says so.
int installed_find(struct fs *storage, const char *given, char id[HEX_SIZE], struct error *err);
