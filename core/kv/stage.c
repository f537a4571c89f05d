/* SPDX-License-Identifier: MIT */
/*
 * Writes of one key each are collected and appended together: one frame, one checksum and one turn of the write lock
 * for all that a batch of a worker puts. What can be done without the lock is done when a write comes in: its bucket
 * and key are looked up, its record is made. Under the lock the records are copied in one piece and entries are
 * pointed to them.
 *
 * What was looked up may be out of date by then. A key that came meanwhile, by another worker or by an earlier write of
 * the same batch, sits in the place that was free; a bucket that is gone is seen by its state, and its writes
 * go the long way (run_put_now).
 *
 * Nobody notices the delay: a worker's own request that could depend on a staged write has them appended first, and
 * nothing staged is acknowledged.
 */
#include "durable.h"

#include "result.h"

#include <stdlib.h>

enum {
	STAGE_MAX = 128,
	STAGE_BYTES = 32 << 10,
	STAGE_RECORD_MAX = 1024,
	STAGE_NAMES_MAX = 256 << 10,
	STAGE_KEY_BITS = 1024
};

_Static_assert((int)STAGE_RECORD_MAX <= (int)FAR_VALUE_MIN, "where a large value may lie is append_record()'s matter");

struct staged {
	struct kvrel_call *call;
	struct bucket *bucket;
	const struct memtable *newest; /* when it was looked up; `place` is in there */
	struct memtable_place place;
	uint64_t hash; /* in the bucket */
	uint32_t at;   /* of the record, in `bytes` */
	uint32_t flags;
	bool there; /* the key, behind that memtable; in the end: before the write */
	bool below; /* in the pages alone */
};

struct stage {
	uint32_t count;
	size_t used;
	size_t names;                       /* bytes that naming their buckets may take */
	uint64_t keys[STAGE_KEY_BITS / 64]; /* a bit for each key's hash */
	struct staged items[STAGE_MAX];
	_Alignas(8) char bytes[STAGE_BYTES];
};

struct stage *stage_new(void)
{
	return calloc(1, sizeof(struct stage));
}

/* ---- collecting -------------------------------------------------------------------------------------------- */

static const struct record *staged_record(const struct stage *stage, const struct staged *item)
{
	return (const struct record *)(const void *)(stage->bytes + item->at);
}

static void note_key(struct stage *stage, uint64_t key_hash)
{
	stage->keys[key_hash / 64 % (STAGE_KEY_BITS / 64)] |= UINT64_C(1) << key_hash % 64;
}

bool stage_may_hold(const struct stage *stage, uint64_t key_hash)
{
	return stage->count > 0 &&
	       (stage->keys[key_hash / 64 % (STAGE_KEY_BITS / 64)] & UINT64_C(1) << key_hash % 64) != 0;
}

__attribute__((noinline)) static bool look_behind(struct durable *store, struct slot *slot, struct staged *item,
						  struct kvrel_slice key)
{
	struct found found;
	struct kv_error err;

	if (find_whether_behind(store, item->newest, slot, item->bucket, item->hash, key, &found, &err) != 0)
		return false;
	item->there = found.there;
	item->below = found.there && !found.in_memory;
	return true;
}

/* Where the key is now. False: it could not be read. */
static inline bool look_up(struct durable *store, struct slot *slot, struct staged *item, struct kvrel_slice key)
{
	item->newest = atomic_load_explicit(&store->newest, memory_order_acquire);
	item->place = memtable_locate(item->newest, item->bucket, (uint32_t)item->hash, key);
	item->there = item->below = false;
	return item->place.record != NULL || look_behind(store, slot, item, key);
}

/* A pair of key and value for a bucket that exists. False: it cannot be staged. */
__attribute__((always_inline)) static inline bool put(struct durable *store, struct slot *slot, struct bucket *bucket,
						      struct kvrel_call *call, uint32_t flags,
						      const struct kvrel_slice pair[2])
{
	struct stage *stage = slot->stage;
	size_t size = record_size(pair[0].size, pair[1].size);
	struct staged *item;
	uint64_t key_hash;

	if (stage == NULL || (flags & ENGINE_IF_NEW) || size > STAGE_RECORD_MAX)
		return false;
	if (stage->count == STAGE_MAX || stage->used + size > STAGE_BYTES || stage->names > STAGE_NAMES_MAX)
		stage_append(store, slot);
	key_hash = call->scratch[0] != 0 ? call->scratch[0] : hash_name(store, pair[0]);
	item = &stage->items[stage->count];
	item->call = call;
	item->bucket = bucket;
	item->hash = hash_in_bucket(bucket, key_hash);
	item->at = (uint32_t)stage->used;
	item->flags = flags;
	if (!look_up(store, slot, item, pair[0]))
		return false;
	record_write(stage->bytes + item->at, RECORD_PUT, bucket->id, pair[0], pair[1]);
	if (stage->count == 0 || item[-1].bucket != bucket)
		stage->names += append_bucket_bytes(bucket_name(bucket));
	stage->used += size;
	stage->count++;
	note_key(stage, key_hash);
	return true;
}

bool stage_put(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct bucket *bucket;
	struct kv_error err;

	return request->item_count == 2 && request->placed == NULL &&
	       bucket_look_up(store, slot, request->bucket, &bucket, &err) == 0 && bucket_exists(bucket) &&
	       put(store, slot, bucket, request->call, request->flags, request->items);
}

__attribute__((noinline)) static void put_by_submit(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, ENGINE_PUT, flags);

	engine->type->submit(engine, &request);
}

/* What most writes are, as durable_get() is for reads. */
void durable_put(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	struct durable *store = (struct durable *)engine;
	struct bucket *bucket = prefetched_bucket(call);
	struct slot *slot = slot_of(store, call->worker);

	if (bucket != NULL && slot->pipe.added > 0)
		prefetch_finish(store, slot);
	if (!bucket_exists(bucket) || !put(store, slot, bucket, call, flags, call->args + 1))
		put_by_submit(engine, call, flags);
}

/* ---- appending --------------------------------------------------------------------------------------------- */

/* Under the write lock. */
static bool buckets_are_there(const struct stage *stage)
{
	const struct bucket *last = NULL;

	for (uint32_t i = 0; i < stage->count; i++) {
		const struct bucket *bucket = stage->items[i].bucket;

		if (bucket != last && (!bucket_exists(bucket) || bucket_is(bucket, BUCKET_DEAD | BUCKET_LEAVING)))
			return false;
		last = bucket;
	}
	return true;
}

/* Brings what is known of the key up to date: its place in the newest memtable, and whether it is there. */
static void update(struct appender *appender, const struct slot *slot, struct staged *item, struct kvrel_slice key)
{
	struct memtable *memtable = appender->memtable;
	struct found found;

	if (item->newest != memtable) {
		item->place = memtable_locate(memtable, item->bucket, (uint32_t)item->hash, key);
		item->there = item->below;
		if (item->place.record == NULL &&
		    find_in_memory(appender->store, slot, item->bucket, item->hash, key, &found))
			item->there = found.there;
	} else {
		memtable_relocate(memtable, &item->place, item->bucket, (uint32_t)item->hash, key);
	}
	if (item->place.record != NULL)
		item->there = record_has_value(item->place.record);
}

/* Points entries to the records, which lie at `records` by now, and counts. `end`: the position behind the frame. */
static void link_all(struct appender *appender, const struct slot *slot, struct stage *stage, char *records,
		     uint64_t end)
{
	int64_t added = 0;

	for (uint32_t i = 0; i < stage->count; i++) {
		struct staged *item = &stage->items[i];
		struct bucket *bucket = item->bucket;
		struct record *record = (struct record *)(void *)(records + item->at);

		update(appender, slot, item, record_key(record));
		record->kind = item->there ? RECORD_PUT : RECORD_ADD;
		memtable_set(appender->memtable, &item->place, bucket, (uint32_t)item->hash, record, item->there);
		added += !item->there;
		if (i + 1 < stage->count && stage->items[i + 1].bucket == bucket)
			continue;
		/* before the count: whoever sees that has to wait for this */
		atomic_store_explicit(&bucket->changed, end, memory_order_release);
		if (added > 0)
			atomic_fetch_add_explicit(&bucket->count, added, memory_order_release);
		added = 0;
	}
}

/* Under the write lock, with room made. */
static uint64_t append_all(struct appender *appender, const struct slot *slot, struct stage *stage)
{
	char *records;

	for (uint32_t i = 0; i < stage->count; i++)
		if (stage->items[i].bucket->announced != appender->memtable->id)
			append_existence(appender, stage->items[i].bucket, false);
	records = appender->at;
	memcpy(records, stage->bytes, stage->used);
	appender->at += stage->used;
	link_all(appender, slot, stage, records, append_position(appender));
	return append_end(appender, NULL);
}

/* They wait, even where no sync is waited for: one call writes out all that a turn of the worker appends. */
static void all_wait(struct slot *slot, const struct stage *stage, uint64_t end)
{
	for (uint32_t i = 0; i < stage->count; i++) {
		const struct staged *item = &stage->items[i];

		if (item->flags & ENGINE_COUNTED)
			wait_for_int(slot, item->call, end, !item->there);
		else
			wait_for_nil(slot, item->call, end);
	}
}

static void refuse_all(const struct stage *stage, const struct kv_error *err)
{
	for (uint32_t i = 0; i < stage->count; i++)
		result_error(stage->items[i].call, err->message);
}

/* One by one, each as if it came just now. */
static void put_all(struct durable *store, struct slot *slot, const struct stage *stage)
{
	for (uint32_t i = 0; i < stage->count; i++) {
		const struct staged *item = &stage->items[i];
		const struct record *record = staged_record(stage, item);
		const struct kvrel_slice items[] = { record_key(record), record_value(record) };
		const struct engine_request request = {
			.kind = ENGINE_PUT,
			.flags = item->flags,
			.call = item->call,
			.bucket = bucket_name(item->bucket),
			.items = items,
			.item_count = 2,
		};

		run_put_now(store, slot, &request);
	}
}

void stage_append(struct durable *store, struct slot *slot)
{
	struct stage *stage = slot->stage;
	struct appender appender;
	struct kv_error err;
	uint64_t end;

	if (stage == NULL || stage->count == 0)
		return;
	slot->wrote = true;
	if (append_begin(&appender, store, stage->used + stage->names, 2 * stage->count, &err) != 0) {
		refuse_all(stage, &err);
	} else if (buckets_are_there(stage)) {
		end = append_all(&appender, slot, stage);
		all_wait(slot, stage, end);
	} else {
		append_end(&appender, NULL);
		put_all(store, slot, stage);
	}
	stage->count = 0;
	stage->used = stage->names = 0;
	memset(stage->keys, 0, sizeof(stage->keys));
}
