// SPDX-License-Identifier: MIT
// A container's life where no crun is needed for it: its output, and a crun that does not end.
#include "check.h"
#include "containers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct layer layers[2] = {{.name = "web", .container = true, .log_bytes = 4096, .log_files = 2,
				  .restart = {.policy = RESTART_NO}, .stop_signal = 15},
				 {.name = "bsp"}};
static struct revision revision = {.layers = layers, .layer_count = 2};

// There is no /storage here, so that all bytes that are taken are counted as lost.
static void test_output(void)
{
	struct container container;
	struct error err;
	static char text[65536];

	check(container_init(&container, layers, &err) == 0);
	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 7, "\nlast!\n", 7);
	check(write(container.output[1], text, sizeof text) == (ssize_t)sizeof text);
	container_output(&container);
	check(container.log.lost == sizeof text && strcmp(container.log.last, "last!") == 0);
	container_output(&container);
	check(container.log.lost == sizeof text);
	close(container.output[0]);
	close(container.output[1]);
}

// Of a test's containers, whose revisions are the test's own.
static void free_crews(struct containers *all)
{
	struct crew *const crews[] = {&all->now, &all->former};

	for (size_t i = 0; i < sizeof crews / sizeof *crews; i++) {
		free(crews[i]->each);
		free(crews[i]->flags);
		free(crews[i]->done);
	}
}

static void test_runtime_that_does_not_end(enum state state)
{
	struct containers all = {.end_count = 0};
	struct error err;
	int status;

	check(crew_init(&all.now, &revision, false, &err) == 0);
	struct container *web = &all.now.each[0];
	web->helper = fork();
	if (web->helper == 0) {
		pause();
		_exit(0);
	}
	pid_t helper = web->helper;
	web->state = state;
	web->deadline = 1;
	containers_act(&all, 1);
	check(web->state == state && web->killed && web->deadline > 1 && web->deadline < UINT64_MAX);
	// It was killed, but we are not told of its end: as if it slept in the kernel.
	containers_act(&all, web->deadline);
	check(web->state == STATE_FAILED && web->helper == 0 && web->deadline == UINT64_MAX);
	check(!containers_stopped(&all));
	containers_stop(&all);
	check(containers_stopped(&all));
	check(waitpid(helper, &status, 0) == helper && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	containers_add_end(&all, helper, status);
	containers_match_ends(&all);
	check(all.end_count == 0 && web->state == STATE_STOPPED);
	close(web->output[0]);
	close(web->output[1]);
	free_crews(&all);
}

// A container that runs on writes its log as the new revision says.
static void test_take_over(void)
{
	struct containers all = {.end_count = 0};
	struct blob blobs[] = {{.digest = "aa"}, {.digest = "bb"}};
	struct layer before[] = {{.name = "web", .container = true, .log_bytes = 4096, .log_files = 2, .rootfs = &blobs[0],
				  .run_config = &blobs[1]}}, after[1];
	struct revision old = {.layers = before, .layer_count = 1}, next = {.layers = after, .layer_count = 1};
	struct error err;

	memcpy(after, before, sizeof after);
	after[0].log_bytes = 100;
	after[0].log_files = 1;
	check(crew_init(&all.now, &old, false, &err) == 0);
	all.now.each[0].state = STATE_DONE;
	check(containers_switch(&all, &next, &err) == 0);
	struct container *web = &all.now.each[0];
	check(web->layer == &after[0] && web->state == STATE_DONE && web->log.limit == 100 && web->log.files == 1);
	close(web->output[0]);
	close(web->output[1]);
	free_crews(&all);
}

// An update that does no more than have a container observed: it runs on and is, but one whose program may or may not have begun is
// started anew.
static void test_observed_from_now_on(enum state state, bool kept)
{
	struct containers all = {.end_count = 0};
	struct blob blobs[] = {{.digest = "aa"}, {.digest = "bb"}};
	struct layer before[] = {{.name = "web", .container = true, .rootfs = &blobs[0], .run_config = &blobs[1]}}, after[1];
	struct revision old = {.layers = before, .layer_count = 1}, next = {.layers = after, .layer_count = 1};
	struct error err;

	memcpy(after, before, sizeof after);
	after[0].observe.exec = WATCH_STOP;
	check(crew_init(&all.now, &old, false, &err) == 0);
	all.now.each[0].state = state;
	check(containers_switch(&all, &next, &err) == 0);
	struct container *web = &all.now.each[0];
	check((web->state == state) == kept && web->observed.began == kept);
	if (!kept)
		container_close(&all.former.each[0]);
	container_close(web);
	free_crews(&all);
}

static void test_violation(void)
{
	struct container web;
	struct error err;
	int status;

	check(container_init(&web, layers, &err) == 0);
	web.init = fork();
	if (web.init == 0) {
		pause();
		_exit(0);
	}
	web.keeper = web.init;
	web.state = STATE_RUNNING;
	container_violated(&web, "exec /tmp/x");
	check(web.state == STATE_STOPPING && web.then == THEN_FAIL);
	// What comes after the first is no news.
	container_violated(&web, "exec /tmp/y");
	pid_t init = web.init;
	check(waitpid(init, &status, 0) == init && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check(container_init_ended(&web, init, status));
	check(strcmp(web.how, "left its declared behaviour: exec /tmp/x") == 0 && web.next == STATE_FAILED);
	if (web.helper > 0)
		waitpid(web.helper, &status, 0);
	close(web.output[0]);
	close(web.output[1]);
}

static void test_blind_rule(void)
{
	struct container web;
	struct error err;
	int status;

	check(container_init(&web, layers, &err) == 0);
	web.state = STATE_WAITING;
	web.observed.blind = true;
	container_start(&web, &revision);
	check(web.next == STATE_FAILED && strstr(web.how, "cannot tell") != NULL);
	if (web.helper > 0)
		waitpid(web.helper, &status, 0);
	close(web.output[0]);
	close(web.output[1]);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY), saved = dup(2);

	// The console's lines.
	dup2(null, 2);
	test_output();
	test_runtime_that_does_not_end(STATE_STARTING);
	test_runtime_that_does_not_end(STATE_CLEANING);
	test_take_over();
	test_observed_from_now_on(STATE_RUNNING, true);
	test_observed_from_now_on(STATE_STARTING, false);
	test_violation();
	test_blind_rule();
	dup2(saved, 2);
	close(saved);
	close(null);
	return check_result("container");
}
