// SPDX-License-Identifier: MIT
#include "state.h"
#include "json.h"
#include "record.h"
#include "verity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES "state/notes"
#define HASH (HEX_SIZE - 1)

// "" stands for no revision where that is allowed.
static int parse_revision(const json_t *root, const char *key, bool optional, char out[HEX_SIZE], struct error *err)
{
	const char *text = json_get_text(root, key, err);

	if (text == NULL)
		return -1;
	if (!text_is_hex64(text) && !(optional && text[0] == '\0'))
		return fail(err, "%s: not 64 hex digits", key);
	snprintf(out, HEX_SIZE, "%s", text);
	return 0;
}

static int parse_flag(const json_t *root, const char *key, bool *out, struct error *err)
{
	const json_t *value = json_object_get(root, key);

	if (!json_is_boolean(value))
		return fail(err, "%s: missing or not true or false", key);
	*out = json_is_true(value);
	return 0;
}

static int parse_reason(const json_t *root, char out[REASON_SIZE], struct error *err)
{
	const char *text = json_get_text(root, "reason", err);

	if (text == NULL)
		return -1;
	if (text[0] == '\0') {
		out[0] = '\0';
		return 0;
	}
	return text_copy(out, REASON_SIZE, text, err) < 0 ? fail_in(err, "reason") : 0;
}

static int parse_trial(struct trial_state *out, const json_t *root, struct error *err)
{
	uint64_t generation;

	if (json_is_null(root))
		return 0;
	if (parse_revision(root, "revision", false, out->revision, err) < 0 ||
	    parse_revision(root, "from", false, out->from, err) < 0 || parse_flag(root, "live", &out->live, err) < 0 ||
	    json_get_number(root, "generation", 1, RECORD_GENERATION_MOST, &generation, err) < 0 ||
	    json_get_number(root, "number", 1, INT64_MAX, &out->number, err) < 0)
		return -1;
	out->generation = (uint32_t)generation;
	return parse_reason(root, out->reason, err);
}

static int parse_outcome(struct outcome *out, const json_t *root, struct error *err)
{
	if (json_is_null(root))
		return 0;
	if (parse_revision(root, "revision", false, out->revision, err) < 0 ||
	    parse_flag(root, "confirmed", &out->confirmed, err) < 0 ||
	    json_get_number(root, "number", 1, INT64_MAX, &out->number, err) < 0)
		return -1;
	return parse_reason(root, out->reason, err);
}

static int parse(struct notes *out, const json_t *root, struct error *err)
{
	if (json_get_number(root, "generation", 1, INT64_MAX, &out->generation, err) < 0 ||
	    json_get_number(root, "floor", 0, INT64_MAX, &out->floor, err) < 0 ||
	    parse_revision(root, "previous", true, out->previous, err) < 0)
		return -1;
	if (parse_trial(&out->trial, json_object_get(root, "trial"), err) < 0)
		return fail_in(err, "trial");
	return parse_outcome(&out->outcome, json_object_get(root, "outcome"), err) < 0 ? fail_in(err, "outcome") : 0;
}

int state_decode(struct notes *out, const char *text, size_t length, struct error *err)
{
	char found[HEX_SIZE];

	memset(out, 0, sizeof *out);
	const char *end = length > HASH ? memchr(text + HASH, '\n', length - HASH) : NULL;
	if (end == NULL || text[HASH] != ' ')
		return fail(err, "not a hash and a line");
	const char *line = text + HASH + 1;
	hash_bytes(found, line, (size_t)(end - line));
	if (memcmp(found, text, HASH) != 0)
		return fail(err, "torn or damaged");
	json_t *root = json_object_parse(line, (size_t)(end - line), err);
	int result = root == NULL ? -1 : parse(out, root, err);
	json_decref(root);
	if (result < 0)
		memset(out, 0, sizeof *out);
	return result;
}

// A text as JSON may hold it and the readers take it: reasons come from programs and kernels.
static json_t *clean_reason(const char reason[REASON_SIZE])
{
	char text[REASON_SIZE];
	size_t i = 0;

	for (; i < sizeof text - 1 && reason[i] != '\0'; i++)
		text[i] = reason[i] >= 0x20 && reason[i] < 0x7f ? reason[i] : '?';
	text[i] = '\0';
	return json_string(text);
}

static json_t *describe_trial(const struct trial_state *trial)
{
	if (trial->revision[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:s, s:b, s:i, s:I, s:o}", "revision", trial->revision, "from", trial->from, "live",
			 trial->live, "generation", (int)trial->generation, "number", (json_int_t)trial->number, "reason",
			 clean_reason(trial->reason));
}

static json_t *describe_outcome(const struct outcome *outcome)
{
	if (outcome->revision[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:b, s:I, s:o}", "revision", outcome->revision, "confirmed", outcome->confirmed, "number",
			 (json_int_t)outcome->number, "reason", clean_reason(outcome->reason));
}

int state_encode(char text[STATE_COPY], const struct notes *notes, struct error *err)
{
	json_t *root = json_pack("{s:I, s:I, s:s, s:o, s:o}", "generation", (json_int_t)notes->generation, "floor",
				 (json_int_t)notes->floor, "previous", notes->previous, "trial", describe_trial(&notes->trial),
				 "outcome", describe_outcome(&notes->outcome));
	char *line = root == NULL ? NULL : json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	size_t length = line == NULL ? 0 : strlen(line);
	int result = line == NULL ? fail(err, NOTES ": out of memory")
		     : length > STATE_COPY - HASH - 2 ? fail(err, NOTES ": too long") : 0;

	memset(text, 0, STATE_COPY);
	if (result == 0) {
		hash_bytes(text, line, length);
		text[HASH] = ' ';
		memcpy(text + HASH + 1, line, length);
		text[HASH + 1 + length] = '\n';
	}
	free(line);
	json_decref(root);
	return result;
}

struct copies {
	bool whole;		// the file is there and has its size
	bool valid[2];
	struct notes notes[2];
	int chosen;		// -1: none is valid
};

// -1: it cannot be told what is there. err->text is empty unless what is there is damaged.
static int load_copies(struct fs *fs, struct copies *out, struct error *err)
{
	uint64_t size;
	size_t length;
	struct error why;

	*out = (struct copies){.chosen = -1};
	err->text[0] = '\0';
	int fd = fs->calls->open(fs, NOTES, FS_READ);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, NOTES);
	int result = fs->calls->size(fs, fd, &size) < 0 ? fail_errno(err, NOTES) : 0;
	out->whole = result == 0 && size == 2 * STATE_COPY;
	char *text = out->whole ? fs_read_open(fs, fd, 2 * STATE_COPY, &length, err) : NULL;
	fs->calls->close(fs, fd);
	if (result < 0 || (out->whole && text == NULL))
		return result < 0 ? -1 : fail_in(err, NOTES);
	if (!out->whole) {
		fail(err, NOTES ": damaged");
		return 0;
	}
	for (int i = 0; i < 2; i++)
		out->valid[i] = length == 2 * STATE_COPY &&
				state_decode(&out->notes[i], text + i * STATE_COPY, STATE_COPY, &why) == 0;
	free(text);
	if (out->valid[0] || out->valid[1])
		out->chosen = !out->valid[0] || (out->valid[1] && out->notes[1].generation > out->notes[0].generation);
	else
		fail(err, NOTES ": both copies are damaged: %s", why.text);
	return 0;
}

int state_load(struct fs *fs, struct notes *out, struct error *err)
{
	struct copies copies;

	memset(out, 0, sizeof *out);
	if (load_copies(fs, &copies, err) < 0)
		return -1;
	if (copies.chosen >= 0)
		*out = copies.notes[copies.chosen];
	return 0;
}

static int make_file(struct fs *fs, const char text[STATE_COPY], struct error *err)
{
	char both[2 * STATE_COPY];

	memcpy(both, text, STATE_COPY);
	memcpy(both + STATE_COPY, text, STATE_COPY);
	if (fs->calls->mkdir(fs, "state", 0700) == 0 ? fs->calls->sync_folder(fs, "") < 0 : errno != EEXIST)
		return fail_errno(err, "state");
	return fs_write_file(fs, NOTES, both, sizeof both, err);
}

int state_store(struct fs *fs, struct notes *notes, struct error *err)
{
	struct copies copies;
	struct error damage;
	char text[STATE_COPY];

	if (load_copies(fs, &copies, &damage) < 0) {
		*err = damage;
		return -1;
	}
	notes->generation = (copies.chosen < 0 ? 0 : copies.notes[copies.chosen].generation) + 1;
	if (state_encode(text, notes, err) < 0)
		return -1;
	if (!copies.whole)
		return make_file(fs, text, err);
	// Never over the copy that counts.
	return fs_overwrite(fs, NOTES, text, sizeof text, copies.chosen == 0 ? STATE_COPY : 0, err);
}

int state_floor(struct fs *fs, const struct facts *facts, uint64_t confirmed, uint64_t *floor, struct error *err)
{
	struct notes notes;

	if (state_load(fs, &notes, err) < 0)
		return -1;
	*floor = notes.floor;
	if (*floor < facts->floor)
		*floor = facts->floor;
	if (*floor < confirmed)
		*floor = confirmed;
	return 0;
}
