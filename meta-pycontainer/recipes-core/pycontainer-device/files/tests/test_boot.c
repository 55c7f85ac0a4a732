// SPDX-License-Identifier: MIT
// What a boot means: each power cut on the way of an update, with GRUB's part played as its configuration plays it; and
// every combination of what may be found.
#include "boot.h"
#include "check.h"

#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X "1111111111111111111111111111111111111111111111111111111111111111"
#define Y "2222222222222222222222222222222222222222222222222222222222222222"

static struct record record(uint32_t generation, const char *rev, const char *attempt, unsigned left)
{
	struct record made = {.generation = generation, .left = left};

	strcpy(made.rev, rev);
	strcpy(made.attempt, attempt);
	return made;
}

static struct note note(const char *revision, bool live, uint32_t generation, const char *reason)
{
	struct note made = {.from = A, .live = live, .generation = generation};

	strcpy(made.revision, revision);
	strcpy(made.reason, reason);
	return made;
}

// What GRUB boots (grub.cfg, record.next_boot); `stuck`: it cannot write the record.
static const char *grub(struct record *r, bool stuck)
{
	static char booted[HEX_SIZE];

	strcpy(booted, r->rev);
	if (r->attempt[0] == '\0' || stuck)
		return booted;
	if (r->left == 0) {
		r->attempt[0] = '\0';
		return booted;
	}
	r->left--;
	strcpy(booted, r->attempt);
	return booted;
}

static enum boot_kind look(struct boot *out, const char *booted, const struct record *r, const struct note *n)
{
	boot_outcome(out, booted, r, n);
	return out->kind;
}

static void test_trial_by_boot(void)
{
	struct record r = record(5, A, "", 0);
	struct note n = note(X, false, 6, "");
	struct boot b;

	check(look(&b, grub(&r, false), &r, NULL) == BOOT_NORMAL && !b.clear_record && !b.clear_note && b.reason[0] == '\0');
	// The note is written first; the power fails before the record is.
	check(look(&b, grub(&r, false), &r, &n) == BOOT_NOT_BEGUN && b.clear_note && !b.clear_record);
	check(strcmp(b.revision, X) == 0 && strstr(b.reason, "before the trial began") != NULL);
	// Then the record: three attempts that all hang.
	r = record(6, A, X, 3);
	for (unsigned left = 2;; left--) {
		check(look(&b, grub(&r, false), &r, &n) == BOOT_TRIAL && b.left == left && strcmp(b.revision, X) == 0);
		check(!b.clear_note && !b.clear_record);
		if (left == 0)
			break;
	}
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.revision, X) == 0 && b.clear_note);
	check(strstr(b.reason, "did not come up") != NULL && !b.clear_record);

	// The second attempt comes up and fails: the reason is noted, then the power fails before the record is changed.
	r = record(6, A, X, 1);
	n = note(X, false, 6, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_REJECTED && b.clear_record && !b.clear_note && b.left == 0);
	check(strcmp(b.reason, "web failed") == 0);
	// It was the last attempt: GRUB ends the trial by itself.
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_note);
	// Or the record was changed back.
	r = record(7, A, "", 0);
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_note);
	// Or GRUB cannot write any more.
	r = record(6, A, X, 1);
	check(look(&b, grub(&r, true), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_record);
	// Confirmed: the record first, then the note is removed.
	r = record(7, X, "", 0);
	n = note(X, false, 6, "");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_CONFIRMED && strcmp(b.revision, X) == 0 && b.clear_note);
	check(b.reason[0] == '\0');
	// GRUB cannot count, so it does not try.
	r = record(6, A, X, 3);
	check(look(&b, grub(&r, true), &r, &n) == BOOT_UNCOUNTED && strcmp(b.revision, X) == 0);
	check(b.clear_record && b.clear_note);
	check(look(&b, grub(&r, true), &r, NULL) == BOOT_UNCOUNTED && b.clear_record && !b.clear_note);
	// The record is cleared after that, the power fails before the note is.
	r = record(7, A, "", 0);
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strstr(b.reason, "ended without") != NULL);
	// A note that was lost ends no trial, and one of an earlier trial of the same revision rejects no later one.
	r = record(9, A, X, 3);
	check(look(&b, grub(&r, false), &r, NULL) == BOOT_TRIAL && !b.clear_note && b.left == 2);
	n = note(X, false, 6, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_TRIAL && b.clear_note && b.left == 1);
}

static void test_trial_live(void)
{
	struct record r = record(5, A, "", 0);
	struct note n = note(X, true, 5, "");
	struct boot b;

	check(look(&b, grub(&r, false), &r, &n) == BOOT_POWER_LOST && strcmp(b.revision, X) == 0 && b.clear_note);
	n = note(X, true, 5, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0);
	r = record(6, X, "", 0);
	n = note(X, true, 5, "");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_CONFIRMED);
	check(look(&b, X, NULL, &n) == BOOT_UNMANAGED && !b.clear_note && !b.clear_record && boot_result(b.kind) == NULL);
	check(look(&b, Y, &r, &n) == BOOT_UNKNOWN && !b.clear_note && !b.clear_record);
	// To try the confirmed revision is no trial.
	r = record(6, A, A, 2);
	check(look(&b, A, &r, NULL) == BOOT_NORMAL && b.clear_record);
}

// Every combination, for what must hold in each.
static void test_all(void)
{
	static const char *const ids[] = {A, X, Y}, *const attempts[] = {"", A, X};
	size_t wrong = 0, seen[BOOT_UNCOUNTED + 1] = {0};

	for (int i = 0; i < 3 * 2 * 3 * 4 * 2 * (1 + 2 * 2 * 3 * 2); i++) {
		int n = i;
		const char *booted = ids[n % 3];
		n /= 3;
		struct record r = record(5, ids[n % 2], "", 0);
		n /= 2;
		strcpy(r.attempt, attempts[n % 3]);
		n /= 3;
		r.left = r.attempt[0] == '\0' ? 0 : (unsigned)(n % 4);
		n /= 4;
		bool unmanaged = n % 2 == 1;
		n /= 2;
		bool none = n == 0;
		n -= !none;
		struct note of = note(ids[n % 2], n / 2 % 2 == 1, (uint32_t)(4 + n / 4 % 3), n / 12 % 2 == 1 ? "reason" : "");
		struct boot b;
		boot_outcome(&b, booted, unmanaged ? NULL : &r, none ? NULL : &of);
		seen[b.kind]++;
		bool is_rev = strcmp(booted, r.rev) == 0, is_attempt = strcmp(booted, r.attempt) == 0 && !is_rev;
		wrong += unmanaged != (b.kind == BOOT_UNMANAGED);
		if (unmanaged)
			continue;
		wrong += (!is_rev && !is_attempt) != (b.kind == BOOT_UNKNOWN);
		wrong += is_attempt != (b.kind == BOOT_TRIAL || b.kind == BOOT_REJECTED);
		// On trial, the record is left alone unless the trial is decided; the confirmed revision leaves nothing to try.
		wrong += b.kind == BOOT_TRIAL && (b.clear_record || b.left != r.left);
		wrong += is_rev && b.clear_record != (r.attempt[0] != '\0');
		wrong += is_rev && b.clear_note != !none;
		wrong += none && b.clear_note;
		wrong += (b.kind == BOOT_NORMAL) != (is_rev && none && (r.attempt[0] == '\0' || strcmp(r.attempt, r.rev) == 0));
		// Whatever ended has a name, and a reason unless it is confirmed.
		wrong += (boot_result(b.kind) != NULL) && b.revision[0] == '\0';
		wrong += (boot_result(b.kind) != NULL && strcmp(boot_result(b.kind), "failed") == 0) && b.reason[0] == '\0';
		wrong += b.kind == BOOT_CONFIRMED && strcmp(b.revision, r.rev) != 0;
	}
	check(wrong == 0);
	for (size_t i = 0; i <= BOOT_UNCOUNTED; i++)
		check(seen[i] > 0);
}

static void test_note(void)
{
	char root[] = "/tmp/pyc-boot-XXXXXX";
	struct note n = note(X, true, RECORD_GENERATION_MOST, "\"web\" said \x1b[1m \xff and\nmore"), back;
	struct error none = {""};
	struct fs fs;

	check(mkdtemp(root) != NULL);
	fs_real(&fs, root);
	check(note_read(&fs, &back, &none) == 0 && note_remove(&fs, &none) == 0);
	check_error(note_write(&fs, &n, err), "No such file");
	check(fs_make_folder(&fs, "state", 0700, &none) == 0);
	check(note_write(&fs, &n, &none) == 0 && note_read(&fs, &back, &none) == 1);
	check(back.live && back.generation == n.generation && strcmp(back.revision, X) == 0 && strcmp(back.from, A) == 0);
	check(strcmp(back.reason, "\"web\" said ?[1m ? and?more") == 0);
	n = note(Y, false, 1, "");
	check(note_write(&fs, &n, &none) == 0 && note_read(&fs, &back, &none) == 1);
	check(!back.live && back.generation == 1 && back.reason[0] == '\0' && strcmp(back.revision, Y) == 0);
	memset(n.reason, 'r', sizeof n.reason - 1);
	check(note_write(&fs, &n, &none) == 0 && note_read(&fs, &back, &none) == 1 && strcmp(back.reason, n.reason) == 0);
	check(fs_write_file(&fs, "state/trial", "{}", 2, &none) == 0);
	check_error(note_read(&fs, &back, err), "state/trial: revision: missing");
	check(note_remove(&fs, &none) == 0 && note_read(&fs, &back, &none) == 0);
	check(fs.calls->rmdir(&fs, "state") == 0 && rmdir(root) == 0);

#define NOTE(how, generation, reason)                                                                                  \
	"{\"revision\":\"sha256:" X "\",\"from\":\"sha256:" A "\",\"how\":" how ",\"generation\":" generation             \
	",\"reason\":" reason "}"
	static const struct {
		const char *text, *problem;
	} bad[] = {
		{NOTE("\"live\"", "1", "\"\"") "x", "JSON"}, {NOTE("\"usb\"", "1", "\"\""), "how"},
		{NOTE("\"live\"", "0", "\"\""), "generation"}, {NOTE("\"live\"", "1000000000", "\"\""), "generation"},
		{NOTE("\"live\"", "1", "\"\\n\""), "reason"}, {NOTE("\"live\"", "1", "null"), "reason"}, {"[]", "not a JSON object"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_error(note_parse(&back, bad[i].text, strlen(bad[i].text), err), bad[i].problem);
}

int main(void)
{
	test_trial_by_boot();
	test_trial_live();
	test_all();
	test_note();
	return check_result("boot");
}
