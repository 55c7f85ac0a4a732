// SPDX-License-Identifier: MIT
// The control group that a test runs in.
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// As a container's group is named; "" for the uppermost one. False on a machine without the unified hierarchy.
static inline bool own_group(char group[512])
{
	char line[600];
	FILE *groups = fopen("/proc/self/cgroup", "re");
	bool known = false;

	group[0] = '\0';
	while (groups != NULL && fgets(line, sizeof line, groups) != NULL)
		if (strncmp(line, "0::/", 4) == 0) {
			known = true;
			snprintf(group, 512, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
		}
	if (groups != NULL)
		fclose(groups);
	if (strcmp(group, "/") == 0)
		group[0] = '\0';
	return known;
}
