// SPDX-License-Identifier: MIT
// The transaction's steps on the device's real disks. Each is the `run` of a job (job.h) and so in a process of its own:
// it mounts the ESP for as long as it needs it.
#pragma once
#include "error.h"
#include "job.h"

struct supervisor;

// `supervisor`: process 1's, as it was when the job began. Results as transaction.h says.
int jobs_settle(void *supervisor, struct job_result *out, struct error *err);
int jobs_prepare(void *supervisor, struct job_result *out, struct error *err);
int jobs_commit(void *supervisor, struct job_result *out, struct error *err);
int jobs_abort(void *supervisor, struct job_result *out, struct error *err);
// What the first start does once: the device's key, and storage that fills the disk.
int jobs_first(void *supervisor, struct job_result *out, struct error *err);
