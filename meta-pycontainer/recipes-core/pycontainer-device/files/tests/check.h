// SPDX-License-Identifier: MIT
// A test is a function; check() counts and names what does not hold.
#pragma once
#include "error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checked, failed;

#define check(condition)                                                                                               \
	do {                                                                                                           \
		checked++;                                                                                             \
		if (!(condition)) {                                                                                    \
			failed++;                                                                                      \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                         \
		}                                                                                                      \
	} while (0)

// The text of the error holds a part.
#define check_error(call, part)                                                                                        \
	do {                                                                                                           \
		struct error problem = {""};                                                                           \
		struct error *err = &problem;                                                                          \
		checked++;                                                                                             \
		if ((call) >= 0 || strstr(problem.text, part) == NULL) {                                               \
			failed++;                                                                                      \
			printf("%s:%d: %s: got \"%s\"\n", __FILE__, __LINE__, #call, problem.text);                    \
		}                                                                                                      \
	} while (0)

static inline int check_result(const char *name)
{
	printf("%-14s %3d checks, %d failed\n", name, checked, failed);
	return failed > 0 || checked == 0;
}
