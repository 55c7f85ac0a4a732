// SPDX-License-Identifier: MIT
// Every verb that the table documents has a handler.
#include "check.h"
#include "handlers.h"

int main(void)
{
	struct handlers copy = device_handlers;

	check(handlers_missing(&device_handlers) == NULL);
	copy.of[VERB_GC] = NULL;
	const char *missing = handlers_missing(&copy);
	check(missing != NULL && strcmp(missing, "gc") == 0);
	return check_result("handlers");
}
