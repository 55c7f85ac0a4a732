// SPDX-License-Identifier: MIT
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATOMIC 512
#define OK_SIZE 160	// 9 + 1 + 64 + 1 + 64 + 1 + 1 characters, and room to see that there are more

static const char header[] = "# GRUB Environment Block\n";
static const char *const paths[2] = {"pycontainer/record.0", "pycontainer/record.1"};

enum variable { GEN, REV, TRY, LEFT, OK, VARIABLES };
static const char *const names[VARIABLES] = {"gen", "rev", "try", "left", "ok"};

static bool is_form(const struct record *record)
{
	bool tried = record->attempt[0] != '\0';

	return record->generation >= 1 && record->generation <= RECORD_GENERATION_MOST && text_is_hex64(record->rev) &&
	       (tried ? text_is_hex64(record->attempt) && record->left <= RECORD_TRIES : record->left == 0);
}

int record_encode(unsigned char out[RECORD_SIZE], const struct record *record, struct error *err)
{
	char text[ATOMIC + 1];

	if (!is_form(record))
		return fail(err, "not a boot record: generation %" PRIu32 ", %u attempts", record->generation, record->left);
	// `ok` comes last: torn at any byte, it vouches for what is before it.
	int length = snprintf(text, sizeof text,
			      "%sgen=%" PRIu32 "\nrev=%s\ntry=%s\nleft=%u\nok=%" PRIu32 ":%s:%s:%u\n", header,
			      record->generation, record->rev, record->attempt, record->left, record->generation,
			      record->rev, record->attempt, record->left);
	if (length < 0 || length > ATOMIC)
		return fail(err, "the boot record does not fit");
	memset(out, '#', RECORD_SIZE);
	memcpy(out, text, (size_t)length);
	return 0;
}

// Take in one variable as GRUB does: a backslash stands for the character behind it, and the last value of a name wins.
static void take(char values[VARIABLES][OK_SIZE], const char *name, size_t name_length, const char *value,
		 const char *end)
{
	for (int i = 0; i < VARIABLES; i++) {
		if (strlen(names[i]) != name_length || memcmp(names[i], name, name_length) != 0)
			continue;
		size_t used = 0;
		for (; value < end && used < OK_SIZE; value++) {
			value += *value == '\\';
			values[i][used++] = *value;
		}
		// Too long, or with a zero byte: like no value of a record.
		if (used == OK_SIZE || memchr(values[i], '\0', used) != NULL)
			strcpy(values[i], "?");
		else
			values[i][used] = '\0';
	}
}

// GRUB's reader (grub-core/lib/envblk.c), as lenient as it is: what both read must not differ.
static void read_variables(char values[VARIABLES][OK_SIZE], const char *block)
{
	const char *const stop = block + RECORD_SIZE;
	const char *position = block + sizeof header - 1;

	while (position < stop) {
		if (*position != '#') {
			const char *equals = memchr(position, '=', (size_t)(stop - position));
			if (equals == NULL)
				return;
			const char *end = equals + 1;
			while (end < stop && *end != '\n')
				end += *end == '\\' ? 2 : 1;
			if (end >= stop)
				return;
			take(values, position, (size_t)(equals - position), equals + 1, end);
			position = end;
		}
		const char *newline = memchr(position, '\n', (size_t)(stop - position));
		position = newline == NULL ? stop : newline + 1;
	}
}

static bool take_hex(char out[HEX_SIZE], const char *value)
{
	if (strlen(value) != HEX_SIZE - 1 || !text_is_hex64(value))
		return false;
	memcpy(out, value, HEX_SIZE);
	return true;
}

bool record_decode(struct record *out, const void *bytes, size_t length)
{
	char values[VARIABLES][OK_SIZE] = {{0}}, wanted[OK_SIZE];
	const char *gen = values[GEN];

	memset(out, 0, sizeof *out);
	if (length != RECORD_SIZE || memcmp(bytes, header, sizeof header - 1) != 0)
		return false;
	read_variables(values, bytes);
	size_t digits = strspn(gen, "0123456789");
	if (digits < 1 || digits > 9 || gen[digits] != '\0' || gen[0] == '0' || !take_hex(out->rev, values[REV]) ||
	    (values[TRY][0] != '\0' && !take_hex(out->attempt, values[TRY])) || values[LEFT][0] < '0' ||
	    values[LEFT][0] > '0' + RECORD_TRIES || values[LEFT][1] != '\0')
		return false;
	out->generation = (uint32_t)strtoul(gen, NULL, 10);
	out->left = (unsigned)(values[LEFT][0] - '0');
	snprintf(wanted, sizeof wanted, "%s:%s:%s:%s", gen, out->rev, out->attempt, values[LEFT]);
	return is_form(out) && strcmp(wanted, values[OK]) == 0;
}

bool record_equal(const struct record *a, const struct record *b)
{
	return a->generation == b->generation && strcmp(a->rev, b->rev) == 0 && strcmp(a->attempt, b->attempt) == 0 &&
	       a->left == b->left;
}

int record_choose(const struct record copies[2], const bool valid[2])
{
	if (!valid[0] || !valid[1])
		return valid[0] ? 0 : valid[1] ? 1 : -1;
	if (copies[0].generation != copies[1].generation)
		return copies[0].generation > copies[1].generation ? 0 : 1;
	// GRUB counts down and cannot add: the lower count is the later one, and an attempt once counted stays counted.
	return copies[1].left < copies[0].left ? 1 : 0;
}

// Returns which copy counts, or -1 with an error.
static int load_both(struct fs *fs, struct record copies[2], bool valid[2], struct error *err)
{
	struct error why[2];

	for (int i = 0; i < 2; i++) {
		size_t length;
		char *bytes = fs_read_file(fs, paths[i], RECORD_SIZE, &length, &why[i]);
		valid[i] = bytes != NULL && record_decode(&copies[i], bytes, length);
		if (bytes != NULL && !valid[i])
			fail(&why[i], "%s: torn or garbage", paths[i]);
		free(bytes);
	}
	int chosen = record_choose(copies, valid);
	return chosen < 0 ? fail(err, "both copies of the boot record are damaged (%.120s; %.120s)", why[0].text, why[1].text)
			  : chosen;
}

int record_load(struct fs *fs, struct record *out, int *which, struct error *err)
{
	struct record copies[2];
	bool valid[2];
	int chosen = load_both(fs, copies, valid, err);

	if (chosen < 0)
		return -1;
	*out = copies[chosen];
	*which = chosen;
	return 0;
}

// In place, so that a power cut leaves old bytes or new ones and no moment without a file. A copy that is missing or
// not of the right size, which only damage to the file system can bring about, has nothing that could be lost.
static int write_copy(struct fs *fs, int which, const unsigned char bytes[RECORD_SIZE], struct error *err)
{
	uint64_t size = 0;
	int fd = fs->calls->open(fs, paths[which], FS_READ);

	if (fd >= 0) {
		if (fs->calls->size(fs, fd, &size) < 0)
			size = 0;
		fs->calls->close(fs, fd);
	}
	return size == RECORD_SIZE ? fs_overwrite(fs, paths[which], bytes, RECORD_SIZE, 0, err)
				   : fs_write_file(fs, paths[which], bytes, RECORD_SIZE, err);
}

int record_store(struct fs *fs, struct record *next, struct error *err)
{
	struct record copies[2];
	unsigned char bytes[RECORD_SIZE];
	bool valid[2];
	int winner = load_both(fs, copies, valid, err);

	if (winner < 0)
		return -1;
	if (copies[winner].generation >= RECORD_GENERATION_MOST)
		return fail(err, "the boot record was changed %u times, which is as often as it can be: write the image anew",
			    RECORD_GENERATION_MOST);
	next->generation = copies[winner].generation + 1;
	// The first write is the moment of the change, the second one restores the redundancy.
	if (record_encode(bytes, next, err) < 0 || write_copy(fs, 1 - winner, bytes, err) < 0)
		return -1;
	return write_copy(fs, winner, bytes, err) < 0 ? 1 : 0;
}

int record_mend(struct fs *fs, struct error *err)
{
	struct record copies[2];
	unsigned char bytes[RECORD_SIZE];
	bool valid[2];
	int winner = load_both(fs, copies, valid, err);

	if (winner < 0)
		return -1;
	if (valid[1 - winner] && record_equal(&copies[0], &copies[1]))
		return 0;
	return record_encode(bytes, &copies[winner], err) < 0 || write_copy(fs, 1 - winner, bytes, err) < 0 ? -1 : 1;
}
