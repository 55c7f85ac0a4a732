// SPDX-License-Identifier: MIT
#include "check.h"
#include "memfs.h"
#include "sample.h"
#include "state.h"

static struct memfs memfs;

static void put(const char *path, const char *text)
{
	memfs_put(&memfs, path, text, strlen(text));
}

static bool is(const char *path, const char *text)
{
	size_t length;
	const char *found = memfs_get(&memfs, path, &length);

	return found != NULL && length == strlen(text) && memcmp(found, text, length) == 0;
}

static bool floor_is(uint64_t expected, uint64_t confirmed)
{
	struct facts facts = {.floor = 3};
	struct error err;
	uint64_t floor;

	return state_floor(&memfs.fs, &facts, confirmed, &floor, &err) == 0 && floor == expected && err.text[0] == '\0';
}

static void test_floor(void)
{
	static const char *const damaged[] = {"", "7", "07\n", "-1\n", "7\n\n", " 7\n", "1234567890123456789\n", "x\n"};
	struct facts facts = {.floor = 3};
	struct error err;
	uint64_t floor;

	check(floor_is(3, 0) && floor_is(3, 3) && floor_is(4, 4));
	check(state_raise_floor(&memfs.fs, 2, &err) == 0 && is("state/floor", "2\n"));
	check(floor_is(3, 0));
	check(state_raise_floor(&memfs.fs, 7, &err) == 0 && is("state/floor", "7\n"));
	check(floor_is(7, 0) && floor_is(7, 6) && floor_is(8, 8));
	check(state_raise_floor(&memfs.fs, 5, &err) == 0 && is("state/floor", "7\n"));
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		put("state/floor", damaged[i]);
		check(state_floor(&memfs.fs, &facts, 0, &floor, &err) == 0 && floor == 3);
		check(strstr(err.text, "state/floor: not a number") != NULL);
		// What is damaged does not open the device to what is older than what it runs.
		check(state_floor(&memfs.fs, &facts, 6, &floor, &err) == 0 && floor == 6);
	}
	check(state_raise_floor(&memfs.fs, 4, &err) == 0 && is("state/floor", "4\n"));
	// It was on the medium when the call returned.
	memfs_restart(&memfs, MEMFS_NOTHING);
	check(is("state/floor", "4\n"));
}

static void test_previous(void)
{
	char revision[HEX_SIZE];
	struct error err;

	check(!state_read_previous(&memfs.fs, revision, &err) && err.text[0] == '\0');
	check(state_write_previous(&memfs.fs, D("abcd"), &err) == 0 && is("state/previous", D("abcd") "\n"));
	check(state_read_previous(&memfs.fs, revision, &err) && strcmp(revision, D("abcd")) == 0);
	put("state/previous", D("abcx") "\n");
	check(!state_read_previous(&memfs.fs, revision, &err) && strstr(err.text, "state/previous: not 64") != NULL);
	put("state/previous", D("abcd"));
	check(!state_read_previous(&memfs.fs, revision, &err));
}

static void test_trial(void)
{
	static const char text[] = "{\"from\":\"" D("bbbb") "\",\"generation\":7,\"live\":true,\"reason\":\"\",\"revision\":\"" D("aaaa") "\"}";
	struct trial_state trial = {.revision = D("aaaa"), .from = D("bbbb"), .live = true, .generation = 7}, read;
	struct error none;

	check(!state_read_trial(&memfs.fs, &read, &none) && none.text[0] == '\0');
	check(state_clear_trial(&memfs.fs, &none) == 0);
	check(state_write_trial(&memfs.fs, &trial, &none) == 0 && is("state/trial", text));
	check(state_read_trial(&memfs.fs, &read, &none) && read.live && read.generation == 7);
	check(strcmp(read.revision, D("aaaa")) == 0 && strcmp(read.from, D("bbbb")) == 0 && read.reason[0] == '\0');
	// Whatever a program said can be kept.
	memset(trial.reason, 'x', sizeof trial.reason - 1);
	memcpy(trial.reason, "bad \xff\n\"", 7);
	trial.live = false;
	check(state_write_trial(&memfs.fs, &trial, &none) == 0 && state_read_trial(&memfs.fs, &read, &none));
	check(!read.live && strlen(read.reason) == REASON_SIZE - 1 && memcmp(read.reason, "bad ??\"x", 8) == 0);
	put("state/trial", "{\"from\":1}");
	check(!state_read_trial(&memfs.fs, &read, &none) && strstr(none.text, "state/trial: revision") != NULL);
	char *bad = changed(text, "true", "1");
	check_error(state_parse_trial(&read, bad, strlen(bad), err), "live");
	free(bad);
	bad = changed(text, ":7", ":0");
	check_error(state_parse_trial(&read, bad, strlen(bad), err), "generation: not within");
	free(bad);
	bad = changed(text, D("bbbb"), "bb");
	check_error(state_parse_trial(&read, bad, strlen(bad), err), "from: not 64");
	free(bad);
	bad = changed(text, "\"reason\":\"\"", "\"reason\":\"\\u0007\"");
	check_error(state_parse_trial(&read, bad, strlen(bad), err), "reason: control");
	free(bad);
	// A newer program may say more.
	char *more = changed(text, "{", "{\"more\":[1],");
	check(state_parse_trial(&read, more, strlen(more), &none) == 0);
	free(more);
	check(state_clear_trial(&memfs.fs, &none) == 0 && !fs_exists(&memfs.fs, "state/trial"));
}

static void test_outcome(void)
{
	struct outcome outcome = {D("aaaa"), false, "web was not healthy"}, read;
	struct error err;

	check(!state_read_outcome(&memfs.fs, &read, &err) && err.text[0] == '\0');
	check(state_write_outcome(&memfs.fs, &outcome, &err) == 0);
	check(state_read_outcome(&memfs.fs, &read, &err) && memcmp(&read, &outcome, sizeof read) == 0);
	put("state/outcome", "{");
	check(!state_read_outcome(&memfs.fs, &read, &err) && strstr(err.text, "state/outcome: not valid JSON") != NULL);
	outcome = (struct outcome){D("aaaa"), true, ""};
	check(state_write_outcome(&memfs.fs, &outcome, &err) == 0);
	check(state_read_outcome(&memfs.fs, &read, &err) && read.confirmed && read.reason[0] == '\0');
}

// A medium that cannot be read may hold any floor.
static void test_unreadable(void)
{
	struct fault fault = {.kind = FAULT_ERROR, .at = 1, .error = 5};
	struct facts facts = {.floor = 3};
	uint64_t floor;

	memfs.fault = &fault;
	check_error(state_floor(&memfs.fs, &facts, 9, &floor, err), "state/floor: Input/output");
	fault = (struct fault){.kind = FAULT_ERROR, .at = 1, .error = 5};
	check_error(state_raise_floor(&memfs.fs, 9, err), "state/floor: Input/output");
	memfs.fault = NULL;
	check(is("state/floor", "4\n"));
}

int main(void)
{
	memfs_init(&memfs, NULL);
	test_floor();
	test_previous();
	test_trial();
	test_outcome();
	test_unreadable();
	check(memfs_open(&memfs) == 0);
	memfs_free(&memfs);
	return check_result("state");
}
