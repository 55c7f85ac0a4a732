// SPDX-License-Identifier: MIT
#include "order.h"

// Does `second` have to wait for the end of `first`?
static bool awaits_end(const struct revision *revision, size_t first, size_t second)
{
	const struct layer *layer = &revision->layers[second];

	for (size_t i = 0; i < layer->after_end_count; i++)
		if (layer->after_end[i] == first)
			return true;
	return false;
}

// Does `second` have to wait for `first` at the start?
static bool precedes(const struct revision *revision, size_t first, size_t second)
{
	const struct layer *a = &revision->layers[first], *b = &revision->layers[second];

	if (!a->container || !b->container || first == second)
		return false;
	if (a->group < b->group)
		return true;
	for (size_t i = 0; i < b->after_count; i++)
		if (b->after[i] == first)
			return true;
	return awaits_end(revision, first, second);
}

bool order_may_start(const struct revision *revision, size_t layer, const bool up[], const bool done[])
{
	for (size_t other = 0; other < revision->layer_count; other++) {
		if (precedes(revision, other, layer) && !up[other])
			return false;
		if (awaits_end(revision, other, layer) && !done[other])
			return false;
	}
	return true;
}

bool order_may_stop(const struct revision *revision, size_t layer, const bool ended[])
{
	for (size_t other = 0; other < revision->layer_count; other++)
		if (precedes(revision, layer, other) && !ended[other])
			return false;
	return true;
}
