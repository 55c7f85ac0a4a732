// SPDX-License-Identifier: MIT
// Small helpers over files and folders.
#pragma once
#include "error.h"
#include <stddef.h>
#include <sys/types.h>

// Read a regular or virtual file of at most `limit` bytes, not through a symbolic link at its last component. Returns
// a zero-terminated buffer to free, or NULL; *length leaves the zero out.
char *file_read(int folder, const char *name, size_t limit, size_t *length, struct error *err);
// Read what is left of an open file, under the same limit.
char *file_read_fd(int fd, size_t limit, size_t *length, struct error *err);
// Write a text to an existing file, such as a kernel setting, in one write.
int file_put(const char *path, const char *text, struct error *err);
// Make a new file.
int file_make(const char *path, const char *bytes, size_t length, mode_t mode, struct error *err);
// Make a folder and its parents; existing ones are left as they are.
int folder_make(const char *path, mode_t mode, struct error *err);
