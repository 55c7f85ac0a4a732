// SPDX-License-Identifier: MIT
// The words of crun's command line that the device program uses. Each returns what the program ends with.
#pragma once

// Start the container whose folder in LXC's sense is `bundle`; its process and its parent's go to `pid_file`.
int run(const char *bundle, const char *pid_file, const char *name);
// Run a program in it, as its own program runs, and end as that does; 125: it could not be started.
int enter(const char *pid_file, const char *name, char **words);
// Take away what LXC leaves behind when its monitor was killed.
int forget(const char *name);
