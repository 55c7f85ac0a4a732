// SPDX-License-Identifier: MIT
// A container that is about to take the place of another one finds in memory what that one uses: its programs and
// libraries, read from the new image before the old container is stopped.
#pragma once
#include <sys/types.h>

// The path in a line of /proc/<pid>/maps (proc_pid_maps(5)), which is changed for it; NULL: it names no file.
char *warm_path(char *line);
// Read the files that a process has mapped, as far as they are below `root`, too: a mounted root file system. Whatever is
// not there, or is too much, is left out.
void warm_like(pid_t process, const char *root);
