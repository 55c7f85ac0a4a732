// SPDX-License-Identifier: MIT
// Collecting garbage: what no revision to keep refers to is removed from storage.
#pragma once
#include "error.h"
#include "fs.h"

struct gc_result {
	unsigned revisions, blobs;
	uint64_t freed;	// bytes of the blobs and of what was incoming
};

// Never removed: the revisions in `keep` (ids, NULL at the end) and those of a trial that is noted, with all that they
// refer to, and while `needed` is 0 the previously confirmed one and those whose install has begun. What was left by
// interruptions, broken revisions and blobs of nobody always go. Then installed revisions go, all others when `needed`
// is 0, else one after the other until so many bytes are free; the previously confirmed one last, and when that is still
// too little, other begun installs. Too little room at the end is no error. Fails before it removes a blob when it cannot
// tell what a revision to keep refers to, or which ones are on trial.
int gc_run(struct fs *fs, const char *const keep[], uint64_t needed, struct gc_result *result, struct error *err);
// Remove only the blobs that no installed or begun revision refers to, whole or on their way; no revision. It may be done at
// any time. Fails before it removes one when it cannot tell what an installed one refers to.
int gc_loose(struct fs *fs, struct gc_result *result, struct error *err);
