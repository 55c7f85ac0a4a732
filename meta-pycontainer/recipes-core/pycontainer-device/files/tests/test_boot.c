// SPDX-License-Identifier: MIT
// What a boot means: each power cut on the way of an update, with GRUB's part played as its configuration plays it; and
// every combination of what may be found.
#include "boot.h"
#include "check.h"

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

static struct trial_state begun(const char *revision, bool live, uint32_t generation, const char *reason)
{
	struct trial_state made = {.from = A, .live = live, .generation = generation};

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

static enum boot_kind look(struct boot *out, const char *booted, const struct record *r, const struct trial_state *n)
{
	boot_outcome(out, booted, r, n);
	return out->kind;
}

static void test_trial_by_boot(void)
{
	struct record r = record(5, A, "", 0);
	struct trial_state n = begun(X, false, 6, "");
	struct boot b;

	check(look(&b, grub(&r, false), &r, NULL) == BOOT_NORMAL && !b.clear_record && !b.clear_trial && b.reason[0] == '\0');
	// state/trial is written first; the power fails before the record is.
	check(look(&b, grub(&r, false), &r, &n) == BOOT_NOT_BEGUN && b.clear_trial && !b.clear_record);
	check(strcmp(b.revision, X) == 0 && strstr(b.reason, "before the trial began") != NULL);
	// Then the record: three attempts that all hang.
	r = record(6, A, X, 3);
	for (unsigned left = 2;; left--) {
		check(look(&b, grub(&r, false), &r, &n) == BOOT_TRIAL && b.left == left && strcmp(b.revision, X) == 0);
		check(!b.clear_trial && !b.clear_record);
		if (left == 0)
			break;
	}
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.revision, X) == 0 && b.clear_trial);
	check(strstr(b.reason, "did not come up") != NULL && !b.clear_record);

	// The second attempt comes up and fails: the reason is written, then the power fails before the record is changed.
	r = record(6, A, X, 1);
	n = begun(X, false, 6, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_REJECTED && b.clear_record && !b.clear_trial && b.left == 0);
	check(strcmp(b.reason, "web failed") == 0);
	// It was the last attempt: GRUB ends the trial by itself.
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_trial);
	// Or the record was changed back.
	r = record(7, A, "", 0);
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_trial);
	// Or GRUB cannot write any more.
	r = record(6, A, X, 1);
	check(look(&b, grub(&r, true), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0 && b.clear_record);
	// Confirmed: the record first, then state/trial is cleared.
	r = record(7, X, "", 0);
	n = begun(X, false, 6, "");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_CONFIRMED && strcmp(b.revision, X) == 0 && b.clear_trial);
	check(b.reason[0] == '\0');
	// GRUB cannot count, so it does not try.
	r = record(6, A, X, 3);
	check(look(&b, grub(&r, true), &r, &n) == BOOT_UNCOUNTED && strcmp(b.revision, X) == 0);
	check(b.clear_record && b.clear_trial);
	check(look(&b, grub(&r, true), &r, NULL) == BOOT_UNCOUNTED && b.clear_record && !b.clear_trial);
	// The record is cleared after that, the power fails before state/trial is.
	r = record(7, A, "", 0);
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strstr(b.reason, "ended without") != NULL);
	// What was lost ends no trial, and what is left of an earlier trial of the same revision rejects no later one.
	r = record(9, A, X, 3);
	check(look(&b, grub(&r, false), &r, NULL) == BOOT_TRIAL && !b.clear_trial && b.left == 2);
	n = begun(X, false, 6, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_TRIAL && b.clear_trial && b.left == 1);
}

static void test_trial_live(void)
{
	struct record r = record(5, A, "", 0);
	struct trial_state n = begun(X, true, 5, "");
	struct boot b;

	check(look(&b, grub(&r, false), &r, &n) == BOOT_POWER_LOST && strcmp(b.revision, X) == 0 && b.clear_trial);
	n = begun(X, true, 5, "web failed");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_FAILED && strcmp(b.reason, "web failed") == 0);
	r = record(6, X, "", 0);
	n = begun(X, true, 5, "");
	check(look(&b, grub(&r, false), &r, &n) == BOOT_CONFIRMED);
	check(look(&b, X, NULL, &n) == BOOT_UNMANAGED && !b.clear_trial && !b.clear_record && boot_result(b.kind) == NULL);
	check(look(&b, Y, &r, &n) == BOOT_UNKNOWN && !b.clear_trial && !b.clear_record);
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
		struct trial_state of = begun(ids[n % 2], n / 2 % 2 == 1, (uint32_t)(4 + n / 4 % 3), n / 12 % 2 == 1 ? "reason" : "");
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
		wrong += is_rev && b.clear_trial != !none;
		wrong += none && b.clear_trial;
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

int main(void)
{
	test_trial_by_boot();
	test_trial_live();
	test_all();
	return check_result("boot");
}
