// SPDX-License-Identifier: MIT
// The health check of a layer as the revision's configuration says it.
#pragma once
#include "error.h"
#include "revision.h"
#include <jansson.h>

// Parse the member "health" of a layer; without one `health` stays as it is. At the end: health_config_free.
int health_config_parse(struct health_check *health, const json_t *layer, struct error *err);
void health_config_free(struct health_check *health);
