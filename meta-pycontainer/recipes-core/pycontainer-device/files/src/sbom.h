// SPDX-License-Identifier: MIT
// The documents of what the layers are made of, where the product has them on the device.
#pragma once
#include "revision.h"
#include "work.h"

// The document of a layer; NULL with an error when there is no such layer, or no document of it.
const struct blob *sbom_find(const struct revision *revision, const char *layer, struct error *err);
// Send a text that is open as {"line": ...}, longer lines in pieces with "more": true. The last object, or NULL.
json_t *sbom_send(struct work *work, int fd, struct error *err);
