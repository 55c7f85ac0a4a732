// SPDX-License-Identifier: MIT
// The headers of a tar archive: POSIX.1-2001 pax interchange format, and GNU's binary numbers.
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512
#define TAR_PATH_SIZE 4096

// One block (pax(1), "ustar Interchange Format"); all of it text.
struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100], magic[8];
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};

// What extended headers say about the next member.
struct tar_extended {
	char path[TAR_PATH_SIZE];
	bool has_path, has_size;
	uint64_t size;
};

// Octal digits, blanks before and a blank or zero behind; or GNU's binary form, which large files have.
int tar_number(uint64_t *out, const char *field, size_t length, struct error *err);
// Of a known format, with the right checksum.
int tar_check(const struct tar_header *header, struct error *err);
int tar_set_path(struct tar_extended *out, const char *text, size_t length, struct error *err);
// The records of an extended header; of a global one when it is for all members that follow.
int tar_parse_extended(struct tar_extended *out, const char *text, size_t length, bool global, struct error *err);
// Put the path that the header itself gives in the place of an extended one.
void tar_own_path(struct tar_extended *out, const struct tar_header *header);
