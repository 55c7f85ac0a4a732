// SPDX-License-Identifier: MIT
// The record that is kept of what a container did, line by line.
#pragma once
#include "container.h"
#include <jansson.h>
#include <stdint.h>

// When the device started, by its clock.
int64_t record_epoch_ms(void);
// Takes the object; NULL: there was no memory for it.
void record_line(struct container *container, json_t *line);
// So much of what it did is not told of.
void record_lost(struct container *container, uint64_t count);
