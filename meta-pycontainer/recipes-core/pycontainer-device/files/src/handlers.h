// SPDX-License-Identifier: MIT
// What the verbs of the control protocol do.
#pragma once
#include "connection.h"
#include "error.h"
#include <stdint.h>

struct supervisor;

extern const struct handlers device_handlers;

// Open the sockets that the product grants, and close all others; again after each change of revisions.
int handlers_listen(struct supervisor *s, struct error *err);
// Open the port that the product grants, when it is there and not open: at the start, and whenever one appears.
void handlers_open_port(struct supervisor *s);
// Answer those who wait for a container, once it is where they want it; open a port that was closed.
void handlers_tick(struct supervisor *s);
bool handlers_wait(const struct supervisor *s);
// An update_answer.
void handlers_update_answer(void *supervisor, uint64_t ticket, const struct error *problem);

// The workers, in processes of their own. `context` is the supervisor, as it was when they began.
json_t *work_status(struct work *work, void *supervisor, struct error *err);
json_t *work_ps(struct work *work, void *supervisor, struct error *err);
json_t *work_observe(struct work *work, void *supervisor, struct error *err);
json_t *work_revisions(struct work *work, void *supervisor, struct error *err);
json_t *work_volumes(struct work *work, void *supervisor, struct error *err);
json_t *work_identity(struct work *work, void *supervisor, struct error *err);
json_t *work_sbom(struct work *work, void *supervisor, struct error *err);
json_t *work_install(struct work *work, void *supervisor, struct error *err);
json_t *work_put(struct work *work, void *supervisor, struct error *err);
json_t *work_gc(struct work *work, void *supervisor, struct error *err);
