// SPDX-License-Identifier: MIT
// The part of a config that says what of a container is watched; what is not there is off.
#pragma once
#include "error.h"
#include "revision.h"
#include <jansson.h>

// `object`: the container's entry. After a failure and at the end: observe_config_free.
int observe_config_parse(struct observe *observe, const json_t *object, struct error *err);
void observe_config_free(struct observe *observe);
