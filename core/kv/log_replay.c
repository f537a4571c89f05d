/* SPDX-License-Identifier: MIT */
/*
 * Records back into memory. All that is counted is in the log: whether a key was new, and how many keys a bucket had
 * when the segment first named it. So no page is looked at but for the names of buckets. The pages may hold a part of
 * the segment already (a crash between two transactions of applying it); then a bucket may turn out to have another
 * life by now, and the one the record speaks of is over: a ghost that only keeps its keys apart.
 *
 * Keys wait in a short queue between being looked at and being set, so that the memory for it is on its way.
 */
#include "recover.h"

#include <stdlib.h>

struct replay_binding {
	uint64_t id;
	struct bucket *bucket; /* NULL: free */
};

int replay_begin(struct replay *replay, struct durable *store, struct memtable *memtable, uint32_t records,
		 struct kv_error *err)
{
	*replay = (struct replay){ .store = store, .memtable = memtable, .mask = 63 };
	memtable->replayed = true;
	replay->slot = slot_enter(store, KVREL_NO_WORKER);
	replay->bindings = calloc(replay->mask + 1, sizeof(*replay->bindings));
	return replay->bindings != NULL && memtable_reserve(memtable, records) ? 0 : kv_fail(err, "out of memory");
}

static struct replay_binding *place_of(const struct replay *replay, uint64_t id)
{
	size_t i = (id * 0x9e3779b97f4a7c15u >> 32) & replay->mask;

	while (replay->bindings[i].bucket != NULL && replay->bindings[i].id != id)
		i = (i + 1) & replay->mask;
	return &replay->bindings[i];
}

static int bind(struct replay *replay, uint64_t id, struct bucket *bucket, struct kv_error *err)
{
	struct replay_binding *place = place_of(replay, id), *old = replay->bindings;

	if (place->bucket == NULL && ++replay->count * 2 > replay->mask) {
		size_t old_mask = replay->mask;

		replay->mask = old_mask * 2 + 1;
		replay->bindings = calloc(replay->mask + 1, sizeof(*replay->bindings));
		for (size_t i = 0; replay->bindings != NULL && i <= old_mask; i++)
			if (old[i].bucket != NULL)
				*place_of(replay, old[i].id) = old[i];
		free(old);
		if (replay->bindings == NULL)
			return kv_fail(err, "out of memory");
		place = place_of(replay, id);
	}
	*place = (struct replay_binding){ id, bucket };
	return 0;
}

/* The bucket of a NAME or CREATE record, made if the store has none of this id. */
static struct bucket *bucket_of(struct replay *replay, const struct record *record, struct kv_error *err)
{
	struct durable *store = replay->store;
	uint64_t id = record_bucket_id(record);
	struct bucket *bucket;

	if (id == 0) { /* the directory's */
		kv_fail(err, "a record makes no sense: restore a backup");
		return NULL;
	}
	if (bucket_look_up(store, replay->slot, record_key(record), &bucket, err) != 0)
		return NULL;
	if (bucket != NULL && bucket->id == id)
		return bucket;
	bool ghost = bucket_exists(bucket) || record->kind == RECORD_NAME;

	bucket = bucket_new(record_key(record), hash_name(store, record_key(record)), id);
	if (bucket == NULL || (!ghost && !bucket_table_set(&store->buckets, bucket))) {
		free(bucket);
		kv_fail(err, "out of memory");
		return NULL;
	}
	if (ghost) {
		atomic_store(&bucket->state, BUCKET_GHOST);
		bucket_list_add(&replay->memtable->gone, bucket); /* which frees it, whatever becomes of it */
	}
	if (id >= store->next_bucket)
		store->next_bucket = id + 1;
	return bucket;
}

static void note_directory(struct replay *replay, const struct record *record, const struct bucket *bucket)
{
	struct bucket *directory = &replay->store->directory;
	uint32_t hash = (uint32_t)hash_in_bucket(directory, bucket->hash);
	struct memtable_place place = memtable_locate(replay->memtable, directory, hash, record_key(record));

	memtable_set(replay->memtable, &place, directory, hash, record, false);
}

static int replay_begins(struct replay *replay, const struct record *record, struct kv_error *err)
{
	struct bucket *bucket = bucket_of(replay, record, err);
	struct durable *store = replay->store;

	if (bucket == NULL)
		return -1;
	bucket->announced = replay->memtable->id;
	atomic_store(&bucket->count, record_bucket(record).count);
	if (record->kind == RECORD_CREATE) {
		bool stays = record_bucket(record).stays != 0;

		if (!bucket_is(bucket, BUCKET_GHOST)) {
			if (!bucket_exists(bucket)) {
				atomic_fetch_add(&store->bucket_count, 1);
				atomic_store(&bucket->began, memtable_position(replay->memtable, record) + 1);
			}
			atomic_store(&bucket->state, BUCKET_EXISTS | (stays ? BUCKET_STAYS : 0));
		}
		bucket_list_add(&replay->memtable->made, bucket);
		note_directory(replay, record, bucket);
	}
	return bind(replay, record_bucket_id(record), bucket, err);
}

static void replay_ends(struct replay *replay, const struct record *record, struct bucket *bucket)
{
	if (bucket_exists(bucket))
		atomic_fetch_sub(&replay->store->bucket_count, 1);
	bucket->died = memtable_position(replay->memtable, record);
	atomic_store(&bucket->state, record->kind == RECORD_DROP ? BUCKET_DEAD : 0);
	bucket_list_add(&replay->memtable->gone, bucket);
	note_directory(replay, record, bucket);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static void set_first(struct replay *replay)
{
	const struct replay_key *key = &replay->keys[replay->set++ % REPLAY_AHEAD];

	replay_key(replay->memtable, key->bucket, key->hash, key->record);
}

static void set_all(struct replay *replay)
{
	while (replay->set < replay->seen)
		set_first(replay);
}

static int see_key(struct replay *replay, const struct record *record, struct kv_error *err)
{
	struct bucket *bucket = place_of(replay, record_bucket_id(record))->bucket;
	uint64_t hash;

	if (bucket == NULL)
		return kv_fail(err, "a record makes no sense: restore a backup");
	if (replay->seen - replay->set == REPLAY_AHEAD)
		set_first(replay);
	hash = hash_in_bucket(bucket, hash_name(replay->store, record_key(record)));
	memtable_prefetch(replay->memtable, (uint32_t)hash);
	replay->keys[replay->seen++ % REPLAY_AHEAD] = (struct replay_key){ bucket, record, hash };
	return 0;
}

static int replay_record(struct replay *replay, const struct record *record, struct kv_error *err)
{
	struct bucket *bucket;

	switch (record->kind) {
	case RECORD_MARK:
		return 0;
	case RECORD_PUT:
	case RECORD_ADD:
	case RECORD_DELETE:
		return see_key(replay, record, err);
	case RECORD_NAME:
	case RECORD_CREATE:
	case RECORD_VANISH:
	case RECORD_DROP:
		break;
	default:
		return kv_fail(err, "a record is of no known kind: restore a backup");
	}
	set_all(replay);
	if (!memtable_reserve(replay->memtable, 1))
		return kv_fail(err, "out of memory");
	if (record->kind == RECORD_NAME || record->kind == RECORD_CREATE)
		return replay_begins(replay, record, err);
	bucket = place_of(replay, record_bucket_id(record))->bucket;
	if (bucket == NULL)
		return kv_fail(err, "a record makes no sense: restore a backup");
	replay_ends(replay, record, bucket);
	return 0;
}

int replay_frame(struct replay *replay, const struct frame *frame, struct kv_error *err)
{
	const char *at = (const char *)(frame + 1);
	size_t left = frame->size;

	while (left > 0) {
		const struct record *record = (const struct record *)(const void *)at;
		size_t size;

		if (left < sizeof(*record))
			return kv_fail(err, "a record is cut short: restore a backup");
		size = record_size(record->key_size, record->value_size);
		if (size > left)
			return kv_fail(err, "a record is longer than its frame: restore a backup");
		if (replay_record(replay, record, err) != 0)
			return -1;
		at += size;
		left -= size;
	}
	return 0;
}

void replay_end(struct replay *replay)
{
	set_all(replay);
	free(replay->bindings);
	replay->bindings = NULL;
	replay->slot->inside = false;
	page_reader_end(&replay->slot->reader);
	epoch_leave(&replay->slot->epoch);
}
