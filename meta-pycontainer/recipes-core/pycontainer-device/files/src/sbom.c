// SPDX-License-Identifier: MIT
#include "sbom.h"
#include "handlers.h"
#include "logs.h"
#include "storage.h"
#include "store.h"
#include "supervisor.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const struct blob *sbom_find(const struct revision *revision, const char *layer, struct error *err)
{
	bool known = false;

	for (size_t i = 0; i < revision->layer_count; i++)
		known = known || strcmp(revision->layers[i].name, layer) == 0;
	for (size_t i = 0; i < revision->blob_count; i++)
		if (strcmp(revision->blobs[i].layer, layer) == 0 && strcmp(revision->blobs[i].role, "sbom") == 0)
			return &revision->blobs[i];
	if (known)
		fail(err, "the product keeps no documents on the device");
	else
		fail(err, "there is no layer %.63s", layer);
	return NULL;
}

static int send_piece(struct work *work, char *piece, size_t *used, size_t length, bool more, struct error *err)
{
	json_t *text = utf8_json(piece, length);
	json_t *object = more ? json_pack("{s:o, s:b}", "line", text, "more", 1) : json_pack("{s:o}", "line", text);

	*used -= length;
	memmove(piece, piece + length, *used);
	return work_line(work, object, err);
}

json_t *sbom_send(struct work *work, int fd, struct error *err)
{
	static char block[LOGS_PIECE], piece[LOGS_PIECE];
	size_t used = 0;
	ssize_t got;

	while ((got = read(fd, block, sizeof block)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail_errno(err, "the document");
			return NULL;
		}
		for (ssize_t i = 0; i < got; i++) {
			if (block[i] == '\n') {
				if (send_piece(work, piece, &used, used, false, err) < 0)
					return NULL;
				continue;
			}
			if (used == sizeof piece &&
			    send_piece(work, piece, &used, utf8_cut(piece, used, sizeof piece - 1), true, err) < 0)
				return NULL;
			piece[used++] = block[i];
		}
	}
	if (used > 0 && send_piece(work, piece, &used, used, false, err) < 0)
		return NULL;
	return json_object();
}

json_t *work_sbom(struct work *work, void *supervisor, struct error *err)
{
	const struct supervisor *s = supervisor;
	const char *layer = json_string_value(json_object_get(work->arguments, "layer"));
	const struct blob *blob = sbom_find(s->containers.now.revision, layer, err);
	struct seal_counts counts = {0};
	int fd = blob == NULL ? -1 : store_open(STORAGE, blob, &counts, err);

	if (fd < 0)
		return NULL;
	json_t *final = lseek(fd, 0, SEEK_SET) < 0 ? NULL : sbom_send(work, fd, err);
	close(fd);
	return final;
}
