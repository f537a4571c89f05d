/* SPDX-License-Identifier: MIT */
/*
 * Listings: what the pages hold of a bucket, overlaid with what memtables know better, in order of keys. Names of
 * buckets are the keys of bucket 0, so that they are listed in the same way.
 *
 * A bucket's entries in memtables are chained, so that a listing looks at its own bucket's only. A step of a listing
 * needs a few of them, the first ones behind where it begins: the others cost it a look at their key.
 */
#include "array.h"
#include "durable.h"

#include "glob.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

struct overlaid {
	const struct record *record; /* its key; at last the newest one of this key in its memtable */
	const struct entry *entry;
	const struct memtable *memtable;
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
	size_t most; /* the first ones only, in order from the beginning; 0: all */
	bool cut;    /* there are more */
	uint64_t position;
};

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

/* The newest record of each key, in order. */
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

static int compare_to(const struct overlay *overlay, struct kvrel_slice key, size_t index)
{
	return page_key_compare(overlay->pages, key, record_key(overlay->items[index].record));
}

/* False also for a key that has a newer record among them. */
static bool is_among_first(struct overlay *overlay, struct kvrel_slice key, size_t *place)
{
	size_t low = 0, high = overlay->count;
	int order = high > 0 && high == overlay->most ? compare_to(overlay, key, high - 1) : -1;

	overlay->cut |= order > 0;
	if (order >= 0)
		return false;
	while (low < high) {
		size_t middle = (low + high) / 2;

		order = compare_to(overlay, key, middle);
		if (order == 0)
			return false;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*place = low;
	return true;
}

/* Behind the others, or before those from `place` on, where the last one may have to go. */
static bool overlay_add(struct overlay *overlay, struct overlaid item, size_t place)
{
	struct overlaid *grown;

	if (overlay->most > 0 && overlay->count == overlay->most) {
		overlay->cut = true;
		overlay->count--;
	}
	grown = array_grow(overlay->items, overlay->count, &overlay->capacity, sizeof(*grown));
	if (grown == NULL)
		return false;
	memmove(&grown[place + 1], &grown[place], (overlay->count - place) * sizeof(*grown));
	grown[place] = item;
	overlay->items = grown;
	overlay->count++;
	return true;
}

static void find_newest(struct overlay *overlay)
{
	for (size_t i = 0; i < overlay->count; i++) {
		struct overlaid *item = &overlay->items[i];

		item->record = memtable_newest(item->memtable, item->entry);
		uint64_t position = memtable_position(item->memtable, item->record) + 1;
		if (position > overlay->position)
			overlay->position = position;
	}
}

/* read_whole()'s: 0, or -1 without memory. */
static int overlay_collect(void *context)
{
	struct overlay *overlay = context;
	uint64_t at = atomic_load_explicit(&overlay->bucket->chain, memory_order_acquire), order = 0;
	const struct memtable *memtable;

	overlay->count = 0;
	overlay->cut = false;
	overlay->position = atomic_load_explicit(&overlay->bucket->began, memory_order_relaxed);
	while (at != 0 && (memtable = memtable_of(overlay->store, overlay->slot, at >> 32)) != NULL) {
		const struct entry *entry = &memtable->entries[(uint32_t)at - 1];
		struct kvrel_slice key = record_key(entry->first);
		size_t place = overlay->count;

		at = entry->next;
		if ((overlay->after.data != NULL && page_key_compare(overlay->pages, key, overlay->after) <= 0) ||
		    (overlay->most > 0 && !is_among_first(overlay, key, &place)))
			continue;
		if (!overlay_add(overlay, (struct overlaid){ entry->first, entry, memtable, order++ }, place))
			return -1;
	}
	find_newest(overlay);
	return 0;
}

static int overlay_make(struct overlay *overlay, struct slot *slot, struct kv_error *err)
{
	/* the pages before what is newer than they are: nothing of later requests may be in them */
	if (page_reader_begin(&slot->reader, err) != 0)
		return -1;
	if (read_whole(overlay->store, overlay->bucket, overlay_collect, overlay) != 0)
		return kv_fail(err, "out of memory");
	if (overlay->most == 0)
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

enum { WALKED, WALK_CUT };

/* Merges; WALK_CUT when the overlay did not reach as far as the walk wants to go; or -1 and why. */
static int walk_bucket(struct walk *walk, struct slot *slot, const struct overlay *overlay, struct kv_error *err)
{
	const uint64_t id = overlay->bucket->id;
	struct kvrel_slice key, value = { 0 }, *wanted = walk->scan->what == ENGINE_KEYS ? NULL : &value;
	int there = page_first(&slot->reader, id, overlay->after, &key, wanted, err);
	size_t i = 0;
	bool on = true;

	while (on && there >= 0 && (there > 0 || i < overlay->count || overlay->cut)) {
		bool overlaid = i < overlay->count;
		int order = there == 0 ? 1 : -1;

		if (!overlaid && overlay->cut)
			return WALK_CUT;
		if (overlaid && there > 0)
			order = page_key_compare(overlay->pages, key, record_key(overlay->items[i].record));
		on = order < 0 ? walk_entry(walk, key, value) : walk_record(walk, overlay->items[i++].record);
		if (order <= 0 && on)
			there = page_next(&slot->reader, id, &key, wanted, err);
	}
	return there < 0 ? -1 : WALKED;
}

enum { STEP_MOST = 200, STEP_SPARE = 24 };

/* Where too many of what was collected for a step are deleted keys, all are. */
static int walk_all(struct walk *walk, struct slot *slot, struct overlay *overlay, uint64_t max_bytes,
		    struct kv_error *err)
{
	const struct engine_scan *scan = walk->scan;
	struct listing *listing = walk->listing;
	int walked = WALK_CUT;

	overlay->most = scan->stepwise && scan->count <= STEP_MOST ? scan->count + STEP_SPARE : 0;
	for (; walked == WALK_CUT; overlay->most = 0) {
		listing_done(listing);
		listing_init(listing, max_bytes);
		*walk = (struct walk){ .scan = scan, .listing = listing };
		if (overlay_make(overlay, slot, err) != 0)
			return -1;
		walked = walk_bucket(walk, slot, overlay, err);
	}
	return walked;
}

static void list(struct durable *store, struct slot *slot, const struct engine_request *request,
		 const struct bucket *bucket, struct kvrel_slice after)
{
	struct overlay overlay = {
		.pages = &store->pages, .store = store, .slot = slot, .bucket = bucket, .after = after
	};
	struct listing listing = { 0 };
	struct walk walk = { .scan = &request->scan, .listing = &listing };
	struct listing_step step;
	struct kvrel_result result;
	struct kv_error err;
	uint64_t cursor;

	if (walk_all(&walk, slot, &overlay, store->options.list_max, &err) != WALKED) {
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
