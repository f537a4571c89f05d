/* SPDX-License-Identifier: MIT */
/* What the memory engine holds, in order, whole or step by step. */
#include "memory.h"

#include "glob.h"
#include "listing.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

static bool comes_after(const struct map_node *node, struct kvrel_slice start)
{
	size_t shorter = node->name_size < start.size ? node->name_size : start.size;
	int order = start.data != NULL ? memcmp(node->bytes, start.data, shorter) : 1;

	return order > 0 || (order == 0 && node->name_size > start.size);
}

static uint64_t list_map(struct memory *memory, const struct map *map, const struct engine_scan *scan,
			 struct kvrel_slice start, struct listing *listing)
{
	struct map_node **sorted = map_sorted(map);
	uint64_t looked_at = 0, cursor = 0;

	listing->no_memory = sorted == NULL;
	for (size_t i = 0; sorted != NULL && i < map->count; i++) {
		if (!comes_after(sorted[i], start))
			continue;
		if (scan->match.data == NULL || glob_match(scan->match, map_name(sorted[i])))
			listing_entry(listing, scan->what, map_name(sorted[i]), map_value(sorted[i]));
		if (scan->stepwise && (++looked_at >= scan->count || listing_has_enough(listing)) &&
		    i + 1 < map->count) {
			cursor = cursors_save(memory->cursors, map_name(sorted[i]));
			break;
		}
	}
	free(sorted);
	return cursor;
}

void memory_list(struct memory *memory, const struct engine_request *request)
{
	const struct engine_scan *scan = &request->scan;
	const struct memory_bucket *bucket = memory_find_bucket(memory, request->bucket);
	const struct map none = { 0 }, *map = scan->what == ENGINE_BUCKETS ? &memory->buckets
					      : bucket != NULL             ? &bucket->keys
									   : &none;
	struct kvrel_slice start = { NULL, 0 };
	struct listing listing;
	struct listing_step step;
	struct kvrel_result result;
	uint64_t cursor;

	if (map == &none && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	if (scan->cursor != 0) {
		start = cursors_find(memory->cursors, scan->cursor);
		if (start.data == NULL) {
			result_error(request->call, "invalid cursor");
			return;
		}
	}
	listing_init(&listing, memory->list_max);
	cursor = list_map(memory, map, scan, start, &listing);
	result = listing_result(&listing, scan, cursor, &step);
	request->call->complete(request->call, &result);
	listing_done(&listing);
	free((char *)start.data);
}
