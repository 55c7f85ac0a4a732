// SPDX-License-Identifier: MIT
// What run and enter share: complaints, and a container's configuration as liblxc has read it.
#pragma once
#include <lxc/lxccontainer.h>
#include <sys/types.h>

#define ROOT "/run/pycontainer/lxc"
#define PATH_SIZE 512
#define WORDS_MOST 4096

// A line on standard error; always -1.
int complain(const char *what, const char *detail);
int complain_errno(const char *what);
// The container of that name, its configuration read; NULL after a complaint.
struct lxc_container *open_container(const char *name);
// A number of the container's configuration; `fallback` when it has none.
unsigned long number_of(struct lxc_container *c, const char *key, unsigned long fallback);
// A text of the container's configuration; NULL when it has none.
char *text_of(struct lxc_container *c, const char *key);
// The file by which our caller learns the process that stands for what was started, and whose child it is.
int write_pids(const char *path, pid_t init, pid_t keeper);
