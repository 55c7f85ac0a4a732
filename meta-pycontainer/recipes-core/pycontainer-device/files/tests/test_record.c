// SPDX-License-Identifier: MIT
// The boot record: the shared vectors, written by what the build side itself writes and reads; then every fault and
// every power cut on the way of a change.
#include "check.h"
#include "memfs.h"
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>

static json_t *vectors(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, VECTORS "/record/%s", name);
	json_t *cases = json_load_file(path, 0, NULL);
	check(json_is_array(cases));
	return cases;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value == NULL ? "" : value;
}

static struct record to_record(const json_t *value)
{
	struct record record = {.generation = (uint32_t)json_integer_value(json_object_get(value, "generation")),
				.left = (unsigned)json_integer_value(json_object_get(value, "left"))};

	snprintf(record.rev, sizeof record.rev, "%s", text(value, "rev"));
	snprintf(record.attempt, sizeof record.attempt, "%s", text(value, "try"));
	return record;
}

static void test_decode(void)
{
	static unsigned char block[4096], written[RECORD_SIZE];
	json_t *cases = vectors("decode.json");
	const json_t *each;
	struct error err = {""};
	size_t i, canonical = 0;

	json_array_foreach(cases, i, each) {
		const char *b64 = text(each, "block");
		const json_t *expected = json_object_get(each, "record");
		size_t length, fill = (size_t)json_integer_value(json_object_get(each, "fill"));
		struct record record, wanted = to_record(expected);
		check(sodium_base642bin(block, sizeof block, b64, strlen(b64), NULL, &length, NULL,
					sodium_base64_VARIANT_ORIGINAL) == 0 && length + fill <= sizeof block);
		memset(block + length, '#', fill);
		// In a buffer of just its size, so that the sanitiser sees a byte read too far.
		unsigned char *exact = malloc(length + fill + 1);
		check(exact != NULL);
		memcpy(exact, block, length + fill);
		bool valid = record_decode(&record, exact, length + fill);
		bool right = json_is_null(expected) ? !valid : valid && record_equal(&record, &wanted);
		if (right && json_is_true(json_object_get(each, "canonical"))) {
			canonical++;
			right = record_encode(written, &record, &err) == 0 && memcmp(written, exact, RECORD_SIZE) == 0;
		}
		free(exact);
		if (!right)
			printf("decode: %s\n", text(each, "name"));
		check(right);
	}
	check(i >= 60 && canonical >= 6);
	json_decref(cases);
}

static void test_choose(void)
{
	json_t *cases = vectors("choose.json");
	const json_t *each;
	size_t i;

	json_array_foreach(cases, i, each) {
		const json_t *pair = json_object_get(each, "copies"), *chosen = json_object_get(each, "chosen");
		struct record copies[2];
		bool valid[2];
		for (size_t copy = 0; copy < 2; copy++) {
			valid[copy] = !json_is_null(json_array_get(pair, copy));
			copies[copy] = to_record(json_array_get(pair, copy));
		}
		check(record_choose(copies, valid) == (json_is_null(chosen) ? -1 : (int)json_integer_value(chosen)));
	}
	check(i >= 100);
	json_decref(cases);
}

static void test_encode(void)
{
	unsigned char block[RECORD_SIZE];
	struct record record = {.generation = 1, .left = 0};

	check_error(record_encode(block, &record, err), "not a boot record");
	memset(record.rev, 'a', 64);
	struct error none;
	check(record_encode(block, &record, &none) == 0);
	record.left = 1;
	check_error(record_encode(block, &record, err), "not a boot record");
	memset(record.attempt, 'b', 64);
	check(record_encode(block, &record, &none) == 0);
	record.left = 4;
	check_error(record_encode(block, &record, err), "4 attempts");
	record.left = 3;
	record.generation = 0;
	check_error(record_encode(block, &record, err), "generation 0");
	record.generation = RECORD_GENERATION_MOST + 1;
	check_error(record_encode(block, &record, err), "generation 1000000000");
	record.generation = RECORD_GENERATION_MOST;
	check(record_encode(block, &record, &none) == 0);
	// The largest record leaves its second half alone.
	for (size_t i = 512; i < RECORD_SIZE; i++)
		check(block[i] == '#');
}

static const char *const paths[2] = {"pycontainer/record.0", "pycontainer/record.1"};

static struct record make(uint32_t generation, char attempt, unsigned left)
{
	struct record made = {.generation = generation, .left = left};

	memset(made.rev, 'a', 64);
	if (attempt != '\0')
		memset(made.attempt, attempt, 64);
	return made;
}

static void put(struct memfs *memfs, int copy, const struct record *record)
{
	unsigned char block[RECORD_SIZE];
	struct error none;

	check(record_encode(block, record, &none) == 0);
	memfs_put(memfs, paths[copy], block, sizeof block);
}

// The ways in which the two copies may lie there before a change; the record that counts is always `old`.
enum { beginnings = 7 };
static void begin(struct memfs *memfs, int how, const struct record *old)
{
	struct record other = *old;

	memfs_init(memfs, NULL);
	for (int copy = 0; copy < 2; copy++)
		put(memfs, copy, old);
	switch (how) {
	case 1:	// GRUB counted in one copy only
	case 2:
		other.left++;
		put(memfs, how - 1, &other);
		break;
	case 3:	// a change that reached one copy only
		other.generation--;
		put(memfs, 1, &other);
		break;
	case 4:
		memfs_put(memfs, paths[0], "garbage", 7);
		break;
	case 5:
		memfs->fs.calls->unlink(&memfs->fs, paths[1]);
		break;
	case 6:
		memfs_put(memfs, paths[0], "", 0);
		break;
	default:
		break;
	}
	memfs_settle(memfs);
}

static bool holds(const struct memfs *memfs, int copy, const struct record *record)
{
	unsigned char block[RECORD_SIZE];
	size_t length = 0;
	struct error none;
	const char *bytes = memfs_get(memfs, paths[copy], &length);

	return record_encode(block, record, &none) == 0 && bytes != NULL && length == sizeof block &&
	       memcmp(bytes, block, sizeof block) == 0;
}

static void test_one_fault(int how, enum fault_kind kind, unsigned at, enum memfs_restart restart, bool *done)
{
	const struct record old = make(5, 'b', 2);
	struct record next = make(0, 'c', 3), found;
	struct memfs base, memfs;
	struct fault fault = {.kind = kind, .at = at, .error = ENOSPC};
	struct error err = {""};
	int which;

	begin(&base, how, &old);
	memfs_copy(&memfs, &base, &fault);
	int result = record_store(&memfs.fs, &next, &err);
	*done = fault.calls < at;
	check(memfs_open(&memfs) == 0 || fault.down);
	if (kind == FAULT_CRASH)
		memfs_restart(&memfs, restart);
	memfs.fault = NULL;
	// A write may tear anywhere: the copy that counts is not touched before the other one is new and whole.
	int winner = how == 1 || how == 4 || how == 6;
	if (kind == FAULT_CRASH && !holds(&memfs, winner, &old))
		check(holds(&memfs, 1 - winner, &next));
	// One of the two counts, whole; and the new one does whenever that was said.
	check(record_load(&memfs.fs, &found, &which, &err) == 0);
	check(record_equal(&found, &next) || (result < 0 && record_equal(&found, &old)));
	// A read error may have hidden the copy that counts; the one before it is then the last known.
	check(next.generation == 6 || (next.generation == 5 && how == 3 && kind == FAULT_ERROR) || result < 0);
	check(result >= 0 || err.text[0] != '\0');
	struct record before = found;
	int mended = record_mend(&memfs.fs, &err);
	check(mended >= 0 && record_mend(&memfs.fs, &err) == 0);
	check(record_load(&memfs.fs, &found, &which, &err) == 0 && record_equal(&found, &before) && which == 0);
	check(holds(&memfs, 0, &found) && holds(&memfs, 1, &found));
	memfs_free(&memfs);
	memfs_free(&base);
}

static void test_faults(void)
{
	for (int how = 0; how < beginnings; how++) {
		bool done = false;
		unsigned at = 1;
		for (; !done; at++) {
			test_one_fault(how, FAULT_ERROR, at, MEMFS_NOTHING, &done);
			test_one_fault(how, FAULT_SHORT, at, MEMFS_NOTHING, &done);
			for (int restart = 0; restart < MEMFS_RESTARTS; restart++)
				test_one_fault(how, FAULT_CRASH, at, (enum memfs_restart)restart, &done);
		}
		check(at > 15);
	}
}

static void test_store(void)
{
	const struct record old = make(5, '\0', 0);
	struct record next = make(0, 'b', 3), found;
	struct memfs memfs;
	struct fault fault = {.kind = FAULT_NONE};
	struct error none = {""};
	int which = -1;

	begin(&memfs, 0, &old);
	check(record_mend(&memfs.fs, &none) == 0);
	check(record_store(&memfs.fs, &next, &none) == 0 && next.generation == 6);
	check(record_load(&memfs.fs, &found, &which, &none) == 0 && record_equal(&found, &next) && which == 0);
	// The second copy cannot be opened: the change holds all the same.
	memfs.fault = &fault;
	check(record_store(&memfs.fs, &next, &none) == 0);
	fault = (struct fault){.kind = FAULT_ERROR, .error = EIO, .at = fault.calls - 3};
	check(record_store(&memfs.fs, &next, &none) == 1 && next.generation == 8 && fault.hit);
	memfs.fault = NULL;
	check(record_load(&memfs.fs, &found, &which, &none) == 0 && record_equal(&found, &next) && which == 1);
	check(record_mend(&memfs.fs, &none) == 1 && record_mend(&memfs.fs, &none) == 0);

	// What is no record is refused before anything is written.
	next.left = 4;
	check_error(record_store(&memfs.fs, &next, err), "not a boot record");
	check(record_load(&memfs.fs, &found, &which, &none) == 0 && found.generation == 8);
	next = make(RECORD_GENERATION_MOST, '\0', 0);
	put(&memfs, 0, &next);
	check_error(record_store(&memfs.fs, &next, err), "999999999 times");
	memfs_put(&memfs, paths[0], "x", 1);
	memfs.fs.calls->unlink(&memfs.fs, paths[1]);
	check_error(record_load(&memfs.fs, &found, &which, err),
		    "both copies of the boot record are damaged (pycontainer/record.0: torn or garbage; pycontainer/record.1: "
		    "No such file");
	check_error(record_store(&memfs.fs, &next, err), "both copies");
	check_error(record_mend(&memfs.fs, err), "both copies");
	memfs_free(&memfs);
}

int main(void)
{
	check(sodium_init() >= 0);
	test_store();
	test_faults();
	test_decode();
	test_choose();
	test_encode();
	return check_result("record");
}
