// SPDX-License-Identifier: MIT
// The boot record: the shared vectors, written by what the build side itself writes and reads.
#include "check.h"
#include "record.h"

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

int main(void)
{
	check(sodium_init() >= 0);
	test_decode();
	test_choose();
	test_encode();
	return check_result("record");
}
