// SPDX-License-Identifier: MIT
// The container runtime as a program that ends once the container runs: crun, or LXC behind the same command line.
#pragma once
#include "error.h"
#include "revision.h"
#include <stdbool.h>
#include <sys/types.h>

#ifndef CRUN
#define CRUN "/usr/bin/crun"
#endif
#define CRUN_LXC "/usr/libexec/pycontainer-lxc"

// The program that runs a layer's containers, and its name for people.
const char *crun_program(const struct layer *layer);
const char *crun_name(const struct layer *layer);
// The program that runs the container of that name now.
const char *crun_program_of(const char *container);
// The bundle of a layer: its root file system mounted, its configuration in RAM. `rootfs`, `config` and `policy` (-1
// when it has none) are the proven blobs, open. Its place is named by its content, so that it can be made while an older
// one of the same layer runs.
int crun_prepare(const struct layer *layer, int rootfs, int config, int policy, struct error *err);
// Was this very bundle made already?
bool crun_prepared(const struct layer *layer);
// The root folder of a prepared layer, open as a path, or -1.
int crun_open_root(const struct layer *layer, struct error *err);
// The path of that folder.
void crun_rootfs(char *out, size_t size, const struct layer *layer);
// Undo it.
void crun_forget(const struct layer *layer);
// Start "crun run --detach"; its container writes to `output`. Returns the process id of crun or -1.
pid_t crun_run(const struct layer *layer, int output, struct error *err);
// The process id of the container, after crun_run's process ended with status 0. `keeper` becomes the process whose end
// tells of the container's: its own first process, or LXC's monitor above it.
pid_t crun_pid(const struct layer *layer, pid_t *keeper, struct error *err);
#define CRUN_EXEC_WORDS 12
// The words that begin "crun exec" of a command in a container, which follows them; returns how many, or -1. `process`: a place for
// a file that crun is told all of it by, to be removed when it has ended. What is started belongs to the control group "exec"
// below the container's own when that was made: a process in the group itself would keep an init from dividing it.
int crun_exec_words(const char *words[CRUN_EXEC_WORDS], const char *program, const char *container, const char *pid_file,
		    const char *process, const char *const *command, struct error *err);
// Make that group, once the container runs.
void crun_make_exec_group(const struct layer *layer);
// Start "crun delete --force", which forgets a container that ended.
pid_t crun_delete(const struct layer *layer, struct error *err);
// Kill every process of the container at once.
int crun_kill(const struct layer *layer, struct error *err);
// How often the kernel killed a process of the container for its memory limit.
unsigned long crun_oom_kills(const struct layer *layer);
