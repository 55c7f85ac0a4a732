// SPDX-License-Identifier: MIT
#include "state.h"
#include "json.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 4096
#define FLOOR "state/floor"
#define PREVIOUS "state/previous"
#define TRIAL "state/trial"
#define OUTCOME "state/outcome"

int state_parse_floor(uint64_t *out, const char *text, size_t length, struct error *err)
{
	size_t digits = strspn(text, "0123456789");

	// At most INT64_MAX, like the facts' floor; one way to write each number.
	if (digits == 0 || digits > 18 || (text[0] == '0' && digits > 1) || strcmp(text + digits, "\n") != 0 ||
	    length != digits + 1)
		return fail(err, "not a number");
	*out = strtoull(text, NULL, 10);
	return 0;
}

int state_parse_previous(char revision[HEX_SIZE], const char *text, size_t length, struct error *err)
{
	char line[HEX_SIZE];

	if (length != 65 || text[64] != '\n')
		return fail(err, "not 64 hex digits and a line end");
	memcpy(line, text, 64);
	line[64] = '\0';
	if (!text_is_hex64(line))
		return fail(err, "not 64 hex digits and a line end");
	memcpy(revision, line, sizeof line);
	return 0;
}

static int parse_revision(const json_t *root, const char *key, char out[HEX_SIZE], struct error *err)
{
	const char *text = json_get_text(root, key, err);

	if (text == NULL)
		return -1;
	if (!text_is_hex64(text))
		return fail(err, "%s: not 64 hex digits", key);
	memcpy(out, text, HEX_SIZE);
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

int state_parse_trial(struct trial_state *out, const char *text, size_t length, struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	uint64_t generation;
	int result = -1;

	memset(out, 0, sizeof *out);
	if (root != NULL && parse_revision(root, "revision", out->revision, err) == 0 &&
	    parse_revision(root, "from", out->from, err) == 0 && parse_flag(root, "live", &out->live, err) == 0 &&
	    json_get_number(root, "generation", 1, RECORD_GENERATION_MOST, &generation, err) == 0) {
		out->generation = (uint32_t)generation;
		result = parse_reason(root, out->reason, err);
	}
	json_decref(root);
	return result;
}

int state_parse_outcome(struct outcome *out, const char *text, size_t length, struct error *err)
{
	json_t *root = json_object_parse(text, length, err);
	int result = -1;

	memset(out, 0, sizeof *out);
	if (root != NULL && parse_revision(root, "revision", out->revision, err) == 0 &&
	    parse_flag(root, "confirmed", &out->confirmed, err) == 0)
		result = parse_reason(root, out->reason, err);
	json_decref(root);
	return result;
}

// A state file, or NULL; err says why unless it is just not there.
static char *read_state(struct fs *fs, const char *path, size_t *length, struct error *err)
{
	err->text[0] = '\0';
	int fd = fs->calls->open(fs, path, FS_READ);
	if (fd < 0) {
		if (errno != ENOENT)
			fail_errno(err, "%s", path);
		return NULL;
	}
	char *text = fs_read_open(fs, fd, LIMIT, length, err);
	fs->calls->close(fs, fd);
	if (text == NULL)
		fail_in(err, "%s", path);
	return text;
}

static int write_state(struct fs *fs, const char *path, const char *text, struct error *err)
{
	if (fs->calls->mkdir(fs, "state", 0700) == 0 ? fs->calls->sync_folder(fs, "") < 0 : errno != EEXIST)
		return fail_errno(err, "state");
	return fs_write_file(fs, path, text, strlen(text), err);
}

// Write an object, which is taken over.
static int write_object(struct fs *fs, const char *path, json_t *object, struct error *err)
{
	char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	int result = text == NULL ? fail(err, "%s: out of memory", path) : write_state(fs, path, text, err);

	free(text);
	json_decref(object);
	return result;
}

// 0 when there is none, or a damaged one. -1: it cannot be read.
static int stored_floor(struct fs *fs, uint64_t *floor, struct error *err)
{
	size_t length;
	char *text = read_state(fs, FLOOR, &length, err);

	*floor = 0;
	if (text == NULL)
		return err->text[0] == '\0' ? 0 : -1;
	if (state_parse_floor(floor, text, length, err) < 0)
		fail_in(err, FLOOR);
	free(text);
	return 0;
}

int state_floor(struct fs *fs, const struct facts *facts, uint64_t confirmed, uint64_t *floor, struct error *err)
{
	if (stored_floor(fs, floor, err) < 0)
		return -1;
	if (*floor < facts->floor)
		*floor = facts->floor;
	if (*floor < confirmed)
		*floor = confirmed;
	return 0;
}

int state_raise_floor(struct fs *fs, uint64_t floor, struct error *err)
{
	uint64_t stored;
	char text[32];

	// What cannot be read may be higher, and is not replaced.
	if (stored_floor(fs, &stored, err) < 0)
		return -1;
	if (floor <= stored)
		return 0;
	snprintf(text, sizeof text, "%" PRIu64 "\n", floor);
	return write_state(fs, FLOOR, text, err);
}

bool state_read_previous(struct fs *fs, char revision[HEX_SIZE], struct error *err)
{
	size_t length;
	char *text = read_state(fs, PREVIOUS, &length, err);
	bool found = text != NULL && state_parse_previous(revision, text, length, err) == 0;

	if (text != NULL && !found)
		fail_in(err, PREVIOUS);
	free(text);
	return found;
}

int state_write_previous(struct fs *fs, const char *revision, struct error *err)
{
	char text[HEX_SIZE + 1];

	snprintf(text, sizeof text, "%.64s\n", revision);
	return write_state(fs, PREVIOUS, text, err);
}

bool state_read_trial(struct fs *fs, struct trial_state *out, struct error *err)
{
	size_t length;
	char *text = read_state(fs, TRIAL, &length, err);
	bool found = text != NULL && state_parse_trial(out, text, length, err) == 0;

	if (text != NULL && !found)
		fail_in(err, TRIAL);
	free(text);
	return found;
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

int state_write_trial(struct fs *fs, const struct trial_state *trial, struct error *err)
{
	return write_object(fs, TRIAL,
			    json_pack("{s:s, s:s, s:b, s:i, s:o}", "revision", trial->revision, "from", trial->from, "live",
				      trial->live, "generation", (int)trial->generation, "reason",
				      clean_reason(trial->reason)), err);
}

int state_clear_trial(struct fs *fs, struct error *err)
{
	if (fs->calls->unlink(fs, TRIAL) < 0)
		return errno == ENOENT ? 0 : fail_errno(err, TRIAL);
	return fs->calls->sync_folder(fs, "state") < 0 ? fail_errno(err, "state") : 0;
}

bool state_read_outcome(struct fs *fs, struct outcome *out, struct error *err)
{
	size_t length;
	char *text = read_state(fs, OUTCOME, &length, err);
	bool found = text != NULL && state_parse_outcome(out, text, length, err) == 0;

	if (text != NULL && !found)
		fail_in(err, OUTCOME);
	free(text);
	return found;
}

int state_write_outcome(struct fs *fs, const struct outcome *outcome, struct error *err)
{
	return write_object(fs, OUTCOME,
			    json_pack("{s:s, s:b, s:o}", "revision", outcome->revision, "confirmed", outcome->confirmed,
				      "reason", clean_reason(outcome->reason)), err);
}
