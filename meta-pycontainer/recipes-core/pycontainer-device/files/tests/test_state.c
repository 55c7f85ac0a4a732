// SPDX-License-Identifier: MIT
// The notes: what is kept, what damage and a power cut leave of them, and that they are changed in place.
#include "check.h"
#include "memfs.h"
#include "sample.h"
#include "state.h"
#include "verity.h"

#include <sodium.h>

#define NOTES "state/notes"

static struct memfs memfs;

static bool floor_is(uint64_t expected, uint64_t confirmed)
{
	struct facts facts = {.floor = 3};
	struct error err;
	uint64_t floor;

	return state_floor(&memfs.fs, &facts, confirmed, &floor, &err) == 0 && floor == expected;
}

static void store_floor(uint64_t floor)
{
	struct notes notes;
	struct error err;

	check(state_load(&memfs.fs, &notes, &err) == 0);
	notes.floor = floor;
	check(state_store(&memfs.fs, &notes, &err) == 0);
}

static uint64_t generation(void)
{
	struct notes notes;
	struct error err;

	check(state_load(&memfs.fs, &notes, &err) == 0);
	return notes.generation;
}

static char *bytes_of_notes(void)
{
	size_t length;
	const char *bytes = memfs_get(&memfs, NOTES, &length);
	char *out = malloc(2 * STATE_COPY);

	check(out != NULL && bytes != NULL && length == 2 * STATE_COPY);
	memcpy(out, bytes, 2 * STATE_COPY);
	return out;
}

static void test_absent(void)
{
	struct notes notes;
	struct error err;

	check(state_load(&memfs.fs, &notes, &err) == 0 && err.text[0] == '\0' && notes.generation == 0);
	check(notes.trial.revision[0] == '\0' && notes.outcome.revision[0] == '\0' && notes.previous[0] == '\0');
	check(floor_is(3, 0) && floor_is(3, 3) && floor_is(4, 4));
}

static void test_kept(void)
{
	struct notes notes = {.floor = 7, .previous = D("abcd"),
			      .trial = {.revision = D("aaaa"), .from = D("bbbb"), .live = true, .generation = 9, .number = 4},
			      .outcome = {.revision = D("cccc"), .number = 3, .reason = "web was not healthy"}};
	struct notes read;
	struct error err;

	check(state_store(&memfs.fs, &notes, &err) == 0 && notes.generation == 1);
	// It was on the medium when the call returned.
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(state_load(&memfs.fs, &read, &err) == 0 && err.text[0] == '\0' && read.generation == 1 && read.floor == 7);
	check(strcmp(read.previous, D("abcd")) == 0 && strcmp(read.trial.revision, D("aaaa")) == 0);
	check(strcmp(read.trial.from, D("bbbb")) == 0 && read.trial.live && read.trial.generation == 9);
	check(read.trial.number == 4 && read.trial.reason[0] == '\0');
	check(strcmp(read.outcome.revision, D("cccc")) == 0 && !read.outcome.confirmed && read.outcome.number == 3);
	check(strcmp(read.outcome.reason, "web was not healthy") == 0);
	check(floor_is(7, 6) && floor_is(8, 8));
	// Whatever a program said can be kept.
	memset(notes.trial.reason, '"', sizeof notes.trial.reason - 1);
	memset(notes.outcome.reason, '\\', sizeof notes.outcome.reason - 1);
	memcpy(notes.trial.reason, "bad \xff\n\"", 7);
	notes.outcome.confirmed = true;
	check(state_store(&memfs.fs, &notes, &err) == 0 && state_load(&memfs.fs, &read, &err) == 0);
	check(strlen(read.trial.reason) == REASON_SIZE - 1 && memcmp(read.trial.reason, "bad ??\"\"", 8) == 0);
	check(strlen(read.outcome.reason) == REASON_SIZE - 1 && read.outcome.confirmed);
	memset(&notes.trial, 0, sizeof notes.trial);
	check(state_store(&memfs.fs, &notes, &err) == 0 && state_load(&memfs.fs, &read, &err) == 0);
	check(read.trial.revision[0] == '\0' && read.generation == 3);
}

// Whatever is left of a write that the power cut short, the notes from before it or after it are.
static void test_power_cut(void)
{
	store_floor(10);
	uint64_t before = generation();
	for (unsigned at = 1; at < 20; at++)
		for (int how = 0; how < MEMFS_RESTARTS; how++) {
			struct fault fault = {.kind = FAULT_CRASH, .at = at};
			struct memfs cut, kept = memfs;
			struct notes notes = {.floor = 11};
			struct error err;
			memfs_copy(&cut, &memfs, &fault);
			int result = state_store(&cut.fs, &notes, &err);
			memfs_restart(&cut, (enum memfs_restart)how);
			cut.fault = NULL;
			memfs = cut;
			check(result == 0 ? floor_is(11, 0) : floor_is(10, 0) || floor_is(11, 0));
			check(generation() == before || generation() == before + 1);
			memfs = kept;
			memfs_free(&cut);
		}
}

// One write and one sync: none of a name, which would cost the file system's journal several blocks.
static void test_cost(void)
{
	struct fault fault = {.kind = FAULT_NONE};
	struct notes notes;
	struct error err;

	check(state_load(&memfs.fs, &notes, &err) == 0);
	memfs.fault = &fault;
	check(state_store(&memfs.fs, &notes, &err) == 0);
	memfs.fault = NULL;
	// Reading: open, size, size, read, close. Writing: open, write, sync, close.
	check(fault.calls == 9 && !fs_exists(&memfs.fs, NOTES ".tmp"));
}

static void test_damaged(void)
{
	struct facts facts = {.floor = 3};
	struct notes notes;
	struct error err;
	uint64_t floor, last;

	store_floor(20);
	last = generation();
	char *bytes = bytes_of_notes();
	int newer = strstr(bytes, "\"floor\":20") == NULL;
	for (int part = 0; part < STATE_COPY; part += 512) {
		// A torn sector, or a flipped bit, of the newer copy: the older one counts.
		bool matters = bytes[newer * STATE_COPY + part] != '\0';
		bytes[newer * STATE_COPY + part] ^= 1;
		memfs_put(&memfs, NOTES, bytes, 2 * STATE_COPY);
		check(generation() == (matters ? last - 1 : last));
		bytes[newer * STATE_COPY + part] ^= 1;
	}
	// Both.
	memset(bytes, 'x', 2 * STATE_COPY);
	memfs_put(&memfs, NOTES, bytes, 2 * STATE_COPY);
	check(state_floor(&memfs.fs, &facts, 0, &floor, &err) == 0 && floor == 3);
	check(strstr(err.text, "state/notes: both copies are damaged") != NULL);
	// What is damaged does not open the device to what is older than what it runs.
	check(state_floor(&memfs.fs, &facts, 6, &floor, &err) == 0 && floor == 6);
	store_floor(4);
	check(floor_is(4, 0) && generation() == 1);
	// Of another size.
	memfs_put(&memfs, NOTES, "{", 1);
	check(state_load(&memfs.fs, &notes, &err) == 0 && notes.generation == 0 && strstr(err.text, "damaged") != NULL);
	store_floor(5);
	check(floor_is(5, 0) && generation() == 1);
	free(bytes);
}

static void test_wrong(void)
{
	static const char good[] = "{\"floor\":1,\"generation\":2,\"outcome\":null,\"previous\":\"\",\"trial\":{\"from\":\"" D("bbbb") "\","
				   "\"generation\":7,\"live\":true,\"number\":1,\"reason\":\"\",\"revision\":\"" D("aaaa") "\"}}";
	static const struct {
		const char *from, *to, *error;
	} wrong[] = {
		{"true", "1", "trial: live"},
		{":7", ":0", "trial: generation: not within"},
		{D("bbbb"), "bb", "trial: from: not 64"},
		{"\"reason\":\"\"", "\"reason\":\"\\u0007\"", "trial: reason: control"},
		{"\"number\":1", "\"number\":0", "trial: number: not within"},
		{"\"outcome\":null", "\"outcome\":{}", "outcome: revision"},
		{"\"previous\":\"\"", "\"previous\":\"12\"", "previous: not 64"},
		{"\"floor\":1", "\"floor\":-1", "floor"},
		{"\"generation\":2", "\"generation\":0", "generation"},
		{"}}", "}", "JSON"},
	};
	char text[STATE_COPY + 1];
	struct notes notes;
	struct error none;

	for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
		// A newer program may say more.
		bool more = i == sizeof wrong / sizeof *wrong;
		char *line = more ? changed(good, "{", "{\"more\":[1],") : changed(good, wrong[i].from, wrong[i].to);
		hash_bytes(text, line, strlen(line));
		snprintf(text + 64, sizeof text - 64, " %s\n", line);
		if (more)
			check(state_decode(&notes, text, strlen(text), &none) == 0 && notes.trial.generation == 7);
		else
			check_error(state_decode(&notes, text, strlen(text), err), wrong[i].error);
		free(line);
	}
	check_error(state_decode(&notes, text, 60, err), "not a hash and a line");
	text[64] = '_';
	check_error(state_decode(&notes, text, strlen(text), err), "not a hash and a line");
}

// A medium that cannot be read may hold any floor.
static void test_unreadable(void)
{
	struct fault fault = {.kind = FAULT_ERROR, .at = 1, .error = 5};
	struct facts facts = {.floor = 3};
	struct notes notes = {.floor = 9};
	uint64_t floor;

	memfs.fault = &fault;
	check_error(state_floor(&memfs.fs, &facts, 9, &floor, err), "state/notes: Input/output");
	fault = (struct fault){.kind = FAULT_ERROR, .at = 4, .error = 5};
	check_error(state_store(&memfs.fs, &notes, err), "state/notes: reading: Input/output");
	memfs.fault = NULL;
	check(floor_is(5, 0));
}

int main(void)
{
	check(sodium_init() >= 0);
	memfs_init(&memfs, NULL);
	test_absent();
	test_kept();
	test_power_cut();
	test_cost();
	test_damaged();
	test_wrong();
	test_unreadable();
	check(memfs_open(&memfs) == 0);
	memfs_free(&memfs);
	return check_result("state");
}
