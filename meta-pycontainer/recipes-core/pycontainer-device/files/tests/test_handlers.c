// SPDX-License-Identifier: MIT
// Every verb that the table documents has a handler; what the verbs tell.
#include "check.h"
#include "handlers.h"
#include "supervisor.h"

// The container whose last words are no UTF-8 is the one that somebody looks for.
static void test_ps(void)
{
	static struct supervisor s;
	struct layer layers[] = {{.name = "web", .kind = "app"}, {.name = "db", .kind = "app"}};
	struct revision revision = {.layers = layers, .layer_count = 2};
	struct container each[] = {{.layer = &layers[0], .state = STATE_FAILED, .how = "crun failed: \xff\xc3"},
				   {.layer = &layers[1], .state = STATE_DONE, .how = "exited with status 0"}};
	struct error err;

	s.containers.now = (struct crew){.revision = &revision, .each = each};
	json_t *answer = work_ps(NULL, &s, &err);
	const json_t *list = json_object_get(answer, "containers");
	check(json_array_size(list) == 2);
	const char *last = json_string_value(json_object_get(json_array_get(list, 0), "last"));
	check(last != NULL && strcmp(last, "crun failed: \xef\xbf\xbd\xef\xbf\xbd") == 0);
	last = json_string_value(json_object_get(json_array_get(list, 1), "last"));
	check(last != NULL && strcmp(last, "exited with status 0") == 0);
	json_decref(answer);
}

int main(void)
{
	struct handlers copy = device_handlers;

	check(handlers_missing(&device_handlers) == NULL);
	copy.of[VERB_GC] = NULL;
	const char *missing = handlers_missing(&copy);
	check(missing != NULL && strcmp(missing, "gc") == 0);
	test_ps();
	return check_result("handlers");
}
