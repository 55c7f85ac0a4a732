// SPDX-License-Identifier: MIT
// The decision over every state of a small world, against the rules written down a second time; then texts and edges.
#include "check.h"
#include "trial.h"

// Is there nothing that this container lacks? The rule itself, in its plainest form.
static bool satisfied(const struct trial_container *c, uint64_t now)
{
	if (!c->required || c->life == TRIAL_DONE)
		return true;
	return c->life == TRIAL_UP && (!c->has_health || c->healthy) && now >= c->up_since_ms &&
	       now - c->up_since_ms >= c->healthy_for_ms;
}

static bool broken(const struct trial_container *c)
{
	return c->required && (c->life == TRIAL_GIVEN_UP || c->restarts > c->max_restarts);
}

static enum trial_verdict expected(const struct trial *t)
{
	bool all = !t->manual || t->manual_confirmed;

	for (size_t i = 0; i < t->container_count; i++) {
		if (broken(&t->containers[i]))
			return TRIAL_FAIL;
		all &= satisfied(&t->containers[i], t->now_ms);
	}
	for (size_t i = 0; i < t->condition_count; i++)
		all &= t->conditions[i].held;
	if (all)
		return TRIAL_CONFIRM;
	return t->now_ms - t->started_ms >= t->timeout_ms ? TRIAL_FAIL : TRIAL_WAIT;
}

// Container number n of all that differ: 2 * 4 * 3 * 3 * 2.
enum { container_forms = 144 };
static struct trial_container form(int n, const char *name)
{
	struct trial_container c = {.name = name, .max_restarts = 1};

	c.required = n % 2 == 0, n /= 2;
	c.life = (enum trial_life)(n % 4), n /= 4;
	c.has_health = n % 3 > 0, c.healthy = n % 3 == 2, n /= 3;
	c.up_since_ms = (uint64_t)(100 + 10 * (n % 3)), n /= 3;
	c.healthy_for_ms = 15;
	c.restarts = n % 2 == 0 ? 1 : 2;
	return c;
}

static void test_all(void)
{
	size_t wrong = 0, seen[3] = {0};

	for (int one = 0; one < container_forms; one++)
		for (int two = -1; two < container_forms; two++)
			for (int rest = 0; rest < 3 * 3 * 5; rest++) {
				struct trial_container containers[2] = {form(one, "one"), form(two < 0 ? 0 : two, "two")};
				struct trial_condition condition = {"condition", rest % 3 == 1};
				struct trial t = {.now_ms = (uint64_t)(100 + 8 * (rest / 9)), .started_ms = 100, .timeout_ms = 24,
						  .manual = rest / 3 % 3 > 0, .manual_confirmed = rest / 3 % 3 == 2,
						  .containers = containers, .container_count = two < 0 ? 1 : 2,
						  .conditions = &condition, .condition_count = rest % 3 > 0};
				struct trial_decision d;
				enum trial_verdict verdict = trial_decide(&t, &d);
				seen[verdict]++;
				wrong += verdict != expected(&t);
				wrong += (verdict == TRIAL_FAIL) != (d.reason[0] != '\0');
				wrong += (verdict == TRIAL_CONFIRM) && d.waiting_count != 0;
				if (verdict != TRIAL_WAIT)
					continue;
				// The deadline is the first moment at which time alone changes what is said: not before.
				wrong += d.deadline_ms <= t.now_ms || d.waiting_count == 0 || d.waiting[0][0] == '\0';
				wrong += d.deadline_ms > t.started_ms + t.timeout_ms;
				size_t before = d.waiting_count;
				for (t.now_ms++; t.now_ms < d.deadline_ms; t.now_ms++) {
					struct trial_decision later;
					wrong += trial_decide(&t, &later) != TRIAL_WAIT || later.waiting_count != before;
				}
			}
	check(wrong == 0);
	check(seen[TRIAL_WAIT] > 1000 && seen[TRIAL_CONFIRM] > 1000 && seen[TRIAL_FAIL] > 1000);
}

static void test_texts(void)
{
	struct trial_container c[10] = {
		{"web", true, TRIAL_UP, true, true, 5000, 10500, 0, 3},
		{"db", true, TRIAL_UP, true, false, 0, 0, 0, 3},
		{"job", true, TRIAL_DONE, true, false, 0, 99999, 0, 3},
		{"ui", true, TRIAL_DOWN, false, false, 0, 0, 0, 3},
		{"log", true, TRIAL_UP, false, false, 1000, 100000, 0, 3},
	};
	struct trial_condition conditions[] = {{"no answer from 10.0.0.1:80", false}, {"held", true}};
	struct trial t = {.now_ms = 9000, .started_ms = 1000, .timeout_ms = 300000, .manual = true, .container_count = 5,
			  .containers = c, .condition_count = 2, .conditions = conditions};
	struct trial_decision d;

	check(trial_decide(&t, &d) == TRIAL_WAIT && d.waiting_count == 6 && d.deadline_ms == 15500);
	check(strcmp(d.waiting[0], "web has been healthy for 4 of 11 s") == 0);
	check(strcmp(d.waiting[1], "db is not healthy") == 0);
	check(strcmp(d.waiting[2], "ui is not up") == 0);
	check(strcmp(d.waiting[3], "log has been up for 8 of 100 s") == 0);
	check(strcmp(d.waiting[4], "no answer from 10.0.0.1:80") == 0);
	check(strcmp(d.waiting[5], "confirmation by hand") == 0);
	t.container_count = 2;
	t.now_ms = 301000;
	check(trial_decide(&t, &d) == TRIAL_FAIL);
	check(strcmp(d.reason, "not confirmed within 300 s: db is not healthy, no answer from 10.0.0.1:80, "
			       "confirmation by hand") == 0);
	c[0].restarts = 4;
	check(trial_decide(&t, &d) == TRIAL_FAIL && strcmp(d.reason, "web was restarted 4 times, 3 are allowed") == 0);
	c[1].life = TRIAL_GIVEN_UP;
	c[0].restarts = 3;
	check(trial_decide(&t, &d) == TRIAL_FAIL && strcmp(d.reason, "db failed and was given up") == 0);

	// More than there is room for is counted all the same, and long names do not run over.
	char name[200];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (size_t i = 0; i < 10; i++)
		c[i] = (struct trial_container){.name = i % 2 == 0 ? "a" : name, .required = true};
	t.container_count = 10;
	check(trial_decide(&t, &d) == TRIAL_FAIL && d.waiting_count == 12 && strlen(d.reason) == sizeof d.reason - 1);
	for (size_t i = 0; i < 10; i++)
		c[i].name = "a";
	check(trial_decide(&t, &d) == TRIAL_FAIL && strstr(d.reason, "a is not up, and 4 more") != NULL);
}

static void test_edges(void)
{
	struct trial_container c = {"web", true, TRIAL_UP, false, false, 0, UINT64_MAX, 0, 0};
	struct trial t = {.now_ms = UINT64_MAX - 1, .started_ms = 0, .timeout_ms = UINT64_MAX, .container_count = 1,
			  .containers = &c};
	struct trial_decision d;

	check(trial_decide(&t, &d) == TRIAL_WAIT && d.deadline_ms == UINT64_MAX);
	t.now_ms = UINT64_MAX;
	check(trial_decide(&t, &d) == TRIAL_CONFIRM);
	// Time that went backwards has not passed, and a sum that runs over stays at the end of time.
	t.now_ms = UINT64_MAX - 10, t.started_ms = UINT64_MAX - 5, c.up_since_ms = UINT64_MAX;
	check(trial_decide(&t, &d) == TRIAL_WAIT && d.deadline_ms == UINT64_MAX);
	// No time at all: what does not hold at once fails, what holds does not.
	t.timeout_ms = 0;
	check(trial_decide(&t, &d) == TRIAL_FAIL && d.deadline_ms == t.now_ms);
	c.healthy_for_ms = 0;
	check(trial_decide(&t, &d) == TRIAL_CONFIRM);
	// A revision without containers and conditions holds.
	t.container_count = 0;
	check(trial_decide(&t, &d) == TRIAL_CONFIRM);
	c.restarts = UINT64_MAX, c.max_restarts = UINT64_MAX, t.container_count = 1;
	check(trial_decide(&t, &d) == TRIAL_CONFIRM);
}

int main(void)
{
	test_all();
	test_texts();
	test_edges();
	return check_result("trial");
}
