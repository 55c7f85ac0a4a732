// SPDX-License-Identifier: MIT
// As much of HTTP as a health check needs: the first line of an answer.
#pragma once
#include <stddef.h>

#define STATUS_LINE_MOST 1024

// The status, 100 to 599, of an answer whose first bytes these are; 0: the first line is not whole yet; -1: no HTTP/1.
int http_status(const char *text, size_t length);
