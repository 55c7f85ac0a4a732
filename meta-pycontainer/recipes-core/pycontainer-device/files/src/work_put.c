// SPDX-License-Identifier: MIT
// The verb that brings one blob to the device, in a process of its own.
#include "blobs.h"
#include "console.h"
#include "exclusive.h"
#include "handlers.h"
#include "install.h"
#include "storage.h"

static int receive(struct work *work, struct receiver *receiver, struct error *err)
{
	static unsigned char bytes[WORK_DATA_MOST];
	struct pace pace;
	size_t length;

	pace_begin(&pace, receiver->received, clock_ms());
	while (receiver->received < receiver->size) {
		switch (work_wait(work, bytes, &length, 60000, err)) {
		case WORK_DATA:
			if (length > receiver->size - receiver->received)
				return fail(err, "more than the %llu bytes of the blob", (unsigned long long)receiver->size);
			if (blob_append(receiver, bytes, length, err) < 0)
				return -1;
			break;
		case WORK_COPY:
			if (blob_copy(receiver, work->copy.digest, work->copy.offset, work->copy.size, err) < 0)
				return -1;
			break;
		case WORK_NONE:
			return fail(err, "nothing came for a minute");
		case WORK_END:
			return fail(err, "ended at %llu of %llu bytes", (unsigned long long)receiver->received,
				    (unsigned long long)receiver->size);
		case WORK_WRONG:
			return -1;
		}
		if (pace_check(&pace, receiver->received, clock_ms(), err) < 0)
			return -1;
	}
	return 0;
}

json_t *work_put(struct work *work, void *supervisor, struct error *err)
{
	static struct receiver receiver;
	const char *digest = json_string_value(json_object_get(work->arguments, "digest"));
	uint64_t size = (uint64_t)json_integer_value(json_object_get(work->arguments, "size"));
	struct error ignored;
	char hex[HEX_SIZE];
	struct fs storage;

	(void)supervisor;
	fs_real(&storage, STORAGE);
	if (exclusive_take(err) < 0 || text_digest(hex, digest, err) < 0)
		return NULL;
	int listed = install_put_allowed(&storage, hex, size, err);
	if (listed < 0 || blob_begin(&receiver, &storage, hex, size, err) < 0)
		return NULL;
	// "copy": a sender may leave out what lies here in other blobs.
	json_t *ready = json_pack("{s:{s:I, s:b}}", "ready", "offset", (json_int_t)receiver.received, "copy", 1);
	if (work_line(work, ready, err) < 0 || receive(work, &receiver, err) < 0) {
		blob_pause(&receiver, &ignored);
		return NULL;
	}
	// Manifest, config and signature are not sealed: they are hashed whenever they are read.
	return blob_finish(&receiver, listed ? "" : NULL, err) < 0 ? NULL : json_object();
}
