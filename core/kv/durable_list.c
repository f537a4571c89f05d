/* SPDX-License-Identifier: MIT */
/*
 * Listings: what the pages hold of a bucket, overlaid with what memtables know better, in order of keys. Names of
 * buckets are the keys of bucket 0, so that they are listed in the same way.
 *
 * A bucket's entries in memtables are chained, so that a listing looks at its own bucket's only.
 */
#include "array.h"
#include "durable.h"

#include "glob.h"
#include "result.h"

#include <stdlib.h>

struct overlaid {
	const struct record *record;
	uint64_t order; /* of a walk from the newest entry to the oldest */
};

struct overlay {
	const struct pages *pages;
	struct durable *store;
	const struct slot *slot;
	const struct bucket *bucket;
	struct kvrel_slice after;
	struct overlaid *items;
	size_t count, capacity;
	uint64_t position;
};

static bool overlay_add(struct overlay *overlay, const struct record *record)
{
	struct overlaid *grown = array_grow(overlay->items, overlay->count, &overlay->capacity, sizeof(*grown));

	if (grown == NULL)
		return false;
	overlay->items = grown;
	overlay->items[overlay->count] = (struct overlaid){ record, overlay->count };
	overlay->count++;
	return true;
}

static const struct memtable *memtable_of(struct durable *store, const struct slot *slot, uint64_t id)
{
	const struct memtable *memtable = atomic_load_explicit(&store->newest, memory_order_acquire);

	if (id <= slot->retired)
		return NULL;
	while (memtable->id != id)
		memtable = atomic_load_explicit(&memtable->older, memory_order_acquire);
	return memtable;
}

static int overlaid_compare(const void *a, const void *b, void *pages)
{
	const struct overlaid *left = a, *right = b;
	int order = page_key_compare(pages, record_key(left->record), record_key(right->record));

	return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* The newest record of each key behind `after`, in order. */
static void overlay_sort(struct overlay *overlay)
{
	size_t kept = 0;

	if (overlay->count > 0)
		qsort_r(overlay->items, overlay->count, sizeof(*overlay->items), overlaid_compare,
			(void *)overlay->pages);
	for (size_t i = 0; i < overlay->count; i++) {
		if (kept > 0 && page_key_compare(overlay->pages, record_key(overlay->items[i].record),
						 record_key(overlay->items[kept - 1].record)) == 0)
			continue;
		overlay->items[kept++] = overlay->items[i];
	}
	overlay->count = kept;
}

/* read_whole()'s: 0, or -1 without memory. */
static int overlay_collect(void *context)
{
	struct overlay *overlay = context;
	uint64_t at = atomic_load_explicit(&overlay->bucket->chain, memory_order_acquire);
	const struct memtable *memtable;

	overlay->count = 0;
	overlay->position = atomic_load_explicit(&overlay->bucket->began, memory_order_relaxed);
	while (at != 0 && (memtable = memtable_of(overlay->store, overlay->slot, at >> 32)) != NULL) {
		const struct entry *entry = &memtable->entries[(uint32_t)at - 1];
		const struct record *record = memtable_newest(memtable, entry);
		uint64_t position = memtable_position(memtable, record) + 1;

		if (position > overlay->position)
			overlay->position = position;
		if ((overlay->after.data == NULL ||
		     page_key_compare(overlay->pages, record_key(record), overlay->after) > 0) &&
		    !overlay_add(overlay, record))
			return -1;
		at = entry->next;
	}
	return 0;
}

static int overlay_make(struct overlay *overlay, struct slot *slot, struct kv_error *err)
{
	/* the pages before what is newer than they are: nothing of later requests may be in them */
	if (page_reader_begin(&slot->reader, err) != 0)
		return -1;
	if (read_whole(overlay->store, overlay->bucket, overlay_collect, overlay) != 0)
		return kv_fail(err, "out of memory");
	overlay_sort(overlay);
	return 0;
}

struct walk {
	const struct engine_scan *scan;
	struct listing *listing;
	uint64_t looked_at;
	struct kvrel_slice last; /* the key it ended at */
	bool more;
};

/* False: enough. */
static bool walk_entry(struct walk *walk, struct kvrel_slice key, struct kvrel_slice value)
{
	const struct engine_scan *scan = walk->scan;

	if (scan->stepwise && (walk->looked_at >= scan->count || listing_has_enough(walk->listing))) {
		walk->more = true;
		return false;
	}
	walk->looked_at++;
	walk->last = key;
	if (scan->match.data == NULL || glob_match(scan->match, key))
		listing_entry(walk->listing, scan->what, key, value);
	return !listing_failed(walk->listing);
}

static bool walk_record(struct walk *walk, const struct record *record)
{
	if (!record_has_value(record) && record->kind != RECORD_CREATE)
		return true;
	return walk_entry(walk, record_key(record), record_value(record));
}

/* Merges; 0, or -1 and why. */
static int walk_bucket(struct walk *walk, struct slot *slot, const struct overlay *overlay, struct kv_error *err)
{
	const uint64_t id = overlay->bucket->id;
	struct kvrel_slice key, value = { 0 }, *wanted = walk->scan->what == ENGINE_KEYS ? NULL : &value;
	int there = page_first(&slot->reader, id, overlay->after, &key, wanted, err);
	size_t i = 0;
	bool on = true;

	while (on && (there > 0 || i < overlay->count)) {
		int order = there <= 0 ? 1
			    : i == overlay->count
				    ? -1
				    : page_key_compare(overlay->pages, key, record_key(overlay->items[i].record));

		if (there < 0)
			return -1;
		on = order < 0 ? walk_entry(walk, key, value) : walk_record(walk, overlay->items[i++].record);
		if (order <= 0 && on)
			there = page_next(&slot->reader, id, &key, wanted, err);
	}
	return there < 0 ? -1 : 0;
}

static void list(struct durable *store, struct slot *slot, const struct engine_request *request,
		 const struct bucket *bucket, struct kvrel_slice after)
{
	struct overlay overlay = {
		.pages = &store->pages, .store = store, .slot = slot, .bucket = bucket, .after = after
	};
	struct listing listing;
	struct walk walk = { .scan = &request->scan, .listing = &listing };
	struct listing_step step;
	struct kvrel_result result;
	struct kv_error err;
	uint64_t cursor;

	listing_init(&listing, store->options.list_max);
	if (overlay_make(&overlay, slot, &err) != 0 || walk_bucket(&walk, slot, &overlay, &err) != 0) {
		result_error(request->call, err.message);
	} else {
		cursor = walk.more ? cursors_save(store->cursors, walk.last) : 0;
		listing.no_memory |= walk.more && cursor == 0;
		result = listing_result(&listing, &request->scan, cursor, &step);
		finish(store, slot, request->call, overlay.position, &result);
	}
	free(overlay.items);
	listing_done(&listing);
}

/* The bucket to list; NULL after the call was answered. */
static const struct bucket *bucket_to_list(struct durable *store, struct slot *slot,
					   const struct engine_request *request)
{
	struct kvrel_result empty;
	struct listing_step step;
	struct listing listing;
	struct bucket *bucket;
	struct kv_error err;

	if (request->scan.what == ENGINE_BUCKETS)
		return &store->directory;
	if (bucket_look_up(store, slot, request->bucket, &bucket, &err) != 0) {
		result_error(request->call, err.message);
		return NULL;
	}
	if (bucket_exists(bucket))
		return bucket;
	if (request->flags & ENGINE_LENIENT) {
		listing_init(&listing, UINT64_MAX);
		empty = listing_result(&listing, &request->scan, 0, &step);
		finish(store, slot, request->call, atomic_load(&store->directory_changed), &empty);
	} else {
		finish_not_found(store, slot, request->call, atomic_load(&store->directory_changed));
	}
	return NULL;
}

void run_list(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	const struct bucket *bucket = bucket_to_list(store, slot, request);
	struct kvrel_slice after = { NULL, 0 };

	if (bucket == NULL)
		return;
	if (request->scan.cursor != 0) {
		after = cursors_find(store->cursors, request->scan.cursor);
		if (after.data == NULL) {
			result_error(request->call, "invalid cursor");
			return;
		}
	}
	list(store, slot, request, bucket, after);
	free((char *)after.data);
}
