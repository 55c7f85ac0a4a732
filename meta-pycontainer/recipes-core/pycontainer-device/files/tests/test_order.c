// SPDX-License-Identifier: MIT
#include "check.h"
#include "order.h"

int main(void)
{
	size_t after_first[] = {1};
	// bsp; a and b in group 0, b after a; c in group 1
	struct layer layers[] = {
		{.name = "bsp"},
		{.name = "a", .container = true, .group = 0},
		{.name = "b", .container = true, .group = 0, .after = after_first, .after_count = 1},
		{.name = "c", .container = true, .group = 1},
	};
	bool none[4] = {false};
	struct revision revision = {.layers = layers, .layer_count = 4};

	check(order_may_start(&revision, 1, (bool[]){false, false, false, false}, none));
	check(!order_may_start(&revision, 2, (bool[]){false, false, false, false}, none));
	check(order_may_start(&revision, 2, (bool[]){false, true, false, false}, none));
	check(!order_may_start(&revision, 3, (bool[]){false, true, false, false}, none));
	check(order_may_start(&revision, 3, (bool[]){false, true, true, false}, none));

	// c also waits for the end of a, which is up before.
	layers[3].after_end = after_first;
	layers[3].after_end_count = 1;
	check(!order_may_start(&revision, 3, (bool[]){false, true, true, false}, none));
	check(order_may_start(&revision, 3, (bool[]){false, true, true, false}, (bool[]){false, true, false, false}));
	layers[3].after_end_count = 0;
	// Within a group it orders too.
	layers[2].after_count = 0;
	check(order_may_start(&revision, 2, none, none));
	layers[2].after_end = after_first;
	layers[2].after_end_count = 1;
	check(!order_may_start(&revision, 2, (bool[]){false, true, false, false}, none));
	check(order_may_start(&revision, 2, (bool[]){false, true, false, false}, (bool[]){false, true, false, false}));

	check(order_may_stop(&revision, 3, (bool[]){true, false, false, false}));
	check(!order_may_stop(&revision, 2, (bool[]){true, false, false, false}));
	check(order_may_stop(&revision, 2, (bool[]){true, false, false, true}));
	check(!order_may_stop(&revision, 1, (bool[]){true, false, false, true}));
	check(order_may_stop(&revision, 1, (bool[]){true, false, true, true}));
	return check_result("order");
}
