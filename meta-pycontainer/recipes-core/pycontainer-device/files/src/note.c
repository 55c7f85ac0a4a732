// SPDX-License-Identifier: MIT
// state/trial: {"revision": "sha256:<hex>", "from": "sha256:<hex>", "how": "boot" or "live", "generation": n, "reason":
// ""}
#include "boot.h"
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH "state/trial"

static int parse(struct note *out, const json_t *root, struct error *err)
{
	uint64_t generation;

	if (json_get_digest(root, "revision", out->revision, err) < 0 || json_get_digest(root, "from", out->from, err) < 0 ||
	    json_get_number(root, "generation", 1, RECORD_GENERATION_MOST, &generation, err) < 0)
		return -1;
	out->generation = (uint32_t)generation;
	const char *how = json_get_text(root, "how", err);
	const char *reason = how == NULL ? NULL : json_get_text(root, "reason", err);
	if (reason == NULL)
		return -1;
	out->live = strcmp(how, "live") == 0;
	if (!out->live && strcmp(how, "boot") != 0)
		return fail(err, "how: neither boot nor live");
	if (reason[0] != '\0' && text_copy(out->reason, sizeof out->reason, reason, err) < 0)
		return fail_in(err, "reason");
	return 0;
}

int note_parse(struct note *out, const char *text, size_t length, struct error *err)
{
	memset(out, 0, sizeof *out);
	json_t *root = json_object_parse(text, length, err);
	int result = root == NULL ? -1 : parse(out, root, err);
	json_decref(root);
	return result;
}

int note_read(struct fs *fs, struct note *out, struct error *err)
{
	size_t length;

	memset(out, 0, sizeof *out);
	int fd = fs->calls->open(fs, PATH, FS_READ);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, PATH);
	char *text = fs_read_open(fs, fd, NOTE_LIMIT, &length, err);
	fs->calls->close(fs, fd);
	int result = text == NULL ? -1 : note_parse(out, text, length, err);
	free(text);
	return result < 0 ? fail_in(err, PATH) : 1;
}

int note_write(struct fs *fs, const struct note *note, struct error *err)
{
	char reason[REASON_SIZE];
	size_t length = strnlen(note->reason, sizeof reason - 1);

	// It may quote a container; what JSON or our own reader refuses must not cost the whole note.
	for (size_t i = 0; i < length; i++)
		reason[i] = note->reason[i] < 0x20 || note->reason[i] > 0x7e ? '?' : note->reason[i];
	reason[length] = '\0';
	json_t *root = json_pack("{s:s+, s:s+, s:s, s:i, s:s}", "revision", "sha256:", note->revision, "from", "sha256:",
				 note->from, "how", note->live ? "live" : "boot", "generation", (int)note->generation, "reason",
				 reason);
	char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);

	json_decref(root);
	if (text == NULL)
		return fail(err, PATH ": no memory for it");
	int result = fs_write_file(fs, PATH, text, strlen(text), err);
	free(text);
	return result;
}

int note_remove(struct fs *fs, struct error *err)
{
	if (fs->calls->unlink(fs, PATH) < 0)
		return errno == ENOENT ? 0 : fail_errno(err, PATH);
	return fs->calls->sync_folder(fs, "state") < 0 ? fail_errno(err, "state") : 0;
}
