// SPDX-License-Identifier: MIT
// The part of a config that describes one container; what is not there has its default.
#pragma once
#include "error.h"
#include "revision.h"
#include <jansson.h>

// The largest number of any kind in a config, as its writer defines it; a rate may be larger.
#define NATURAL_MOST INT32_MAX
#define RATE_MOST (1ull << 40)
#define PATH_MOST 1023

// Its name, kind and blobs are parsed. After a failure and at the end: container_config_free.
int container_config_parse(struct layer *layer, const json_t *object, struct error *err);
void container_config_free(struct layer *layer);
