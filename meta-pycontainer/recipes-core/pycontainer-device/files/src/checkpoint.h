// SPDX-License-Identifier: MIT
// Bringing a file system to where a reader finds all of it that does not replay its journal.
#pragma once

// `fd` is a folder of it. Returns 0, or -1 with errno.
int checkpoint(int fd);
