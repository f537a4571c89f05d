/* SPDX-License-Identifier: MIT */
/* Workers inside and outside, names, keys wherever they are, and results that wait: what all kinds of requests share.
 */
#include "durable.h"

#include "result.h"

#include <stdlib.h>

enum {
	WHOLE_TRIES = 8,
	HELD_LARGE = 4096, /* copies of results that are worth telling of */
};

/* ---- inside and out ---------------------------------------------------------------------------------------- */

void slot_begin(struct durable *store, struct slot *slot)
{
	slot->inside = true;
	epoch_enter(&store->epoch, &slot->epoch);
	slot->retired = atomic_load_explicit(&store->retired, memory_order_acquire);
	slot->generation = presence_generation(&store->presence);
	slot->settled = settled(store);
	slot->memo = NULL;
	slot->pipe.added = 0;
}

/* ---- names ------------------------------------------------------------------------------------------------- */

/* A bucket that the pages know and memory does not: nothing was written to it since the start. */
static struct bucket *bucket_load(struct durable *store, struct kvrel_slice name, uint64_t hash,
				  struct kvrel_slice stored)
{
	struct page_bucket page;
	struct bucket *bucket;

	memcpy(&page, stored.data, sizeof(page));
	pthread_mutex_lock(&store->write_lock);
	bucket = bucket_table_find(&store->buckets, name, hash);
	if (bucket == NULL) {
		bucket = bucket_new(name, hash, page.id);
		if (bucket != NULL) {
			atomic_store(&bucket->state, BUCKET_EXISTS | (page.stays ? BUCKET_STAYS : 0));
			atomic_store(&bucket->count, page.count);
			bucket->stored.there = true;
			bucket->stored.stays = page.stays != 0;
			bucket->stored.count = page.count;
			if (!bucket_table_set(&store->buckets, bucket)) {
				free(bucket);
				bucket = NULL;
			}
		}
	}
	pthread_mutex_unlock(&store->write_lock);
	return bucket;
}

static int bucket_from_pages(struct durable *store, struct slot *slot, struct kvrel_slice name, uint64_t hash,
			     struct bucket **out, struct kv_error *err)
{
	struct kvrel_slice stored;
	int found = page_find(&slot->reader, 0, name, hash_in_bucket(&store->directory, hash), &stored, err);

	if (found < 0)
		return -1;
	*out = NULL;
	if (found == 0)
		return 0;
	if (stored.size != sizeof(struct page_bucket))
		return kv_fail(err, "kv store: the record of a bucket is damaged: restore a backup");
	*out = bucket_load(store, name, hash, stored);
	return *out != NULL ? 0 : kv_fail(err, "out of memory");
}

int bucket_look_up(struct durable *store, struct slot *slot, struct kvrel_slice name, struct bucket **out,
		   struct kv_error *err)
{
	uint64_t hash;

	if (slot_remembers(slot, name)) {
		*out = slot->memo;
		return 0;
	}
	hash = hash_name(store, name);
	*out = bucket_table_find(&store->buckets, name, hash);
	if (*out == NULL && bucket_from_pages(store, slot, name, hash, out, err) != 0)
		return -1;
	slot->memo = *out;
	return 0;
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

/* In `memtable` and older ones. */
static bool find_from(const struct memtable *memtable, const struct slot *slot, const struct bucket *bucket,
		      uint64_t hash, struct kvrel_slice key, struct found *found)
{
	const struct record *record;

	while ((record = memtable_find(memtable, bucket, (uint32_t)hash, key)) == NULL) {
		if (memtable->id == slot->retired + 1)
			return false;
		memtable = atomic_load_explicit(&memtable->older, memory_order_acquire);
	}
	*found = (struct found){ .there = record_has_value(record),
				 .in_memory = true,
				 .value = record_value(record),
				 .position = memtable_position(memtable, record) + 1 };
	return true;
}

bool find_in_memory(struct durable *store, const struct slot *slot, const struct bucket *bucket, uint64_t hash,
		    struct kvrel_slice key, struct found *found)
{
	return find_from(atomic_load_explicit(&store->newest, memory_order_acquire), slot, bucket, hash, key, found);
}

static int find_in_pages(struct durable *store, struct slot *slot, const struct bucket *bucket, uint64_t hash,
			 struct kvrel_slice key, bool with_value, struct found *found, struct kv_error *err)
{
	int there;

	*found = (struct found){ 0 };
	if (!with_value && presence_knows(&store->presence, hash) && !atomic_load(&store->pages.map.lost)) {
		found->there = true;
		return 0;
	}
	there = page_find(&slot->reader, bucket->id, key, hash, with_value ? &found->value : NULL, err);
	found->there = there > 0;
	if (!found->there)
		found->position = atomic_load_explicit(&bucket->began, memory_order_relaxed);
	if (found->there && !with_value)
		presence_note(&store->presence, slot->generation, hash);
	return there < 0 ? -1 : 0;
}

int find_key(struct durable *store, struct slot *slot, const struct bucket *bucket, uint64_t hash,
	     struct kvrel_slice key, struct found *found, struct kv_error *err)
{
	if (find_in_memory(store, slot, bucket, hash, key, found))
		return 0;
	return find_in_pages(store, slot, bucket, hash, key, true, found, err);
}

int find_whether(struct durable *store, struct slot *slot, const struct bucket *bucket, uint64_t hash,
		 struct kvrel_slice key, struct found *found, struct kv_error *err)
{
	if (find_in_memory(store, slot, bucket, hash, key, found))
		return 0;
	return find_in_pages(store, slot, bucket, hash, key, false, found, err);
}

int find_whether_behind(struct durable *store, const struct memtable *newest, struct slot *slot,
			const struct bucket *bucket, uint64_t hash, struct kvrel_slice key, struct found *found,
			struct kv_error *err)
{
	if (newest->id != slot->retired + 1 &&
	    find_from(atomic_load_explicit(&newest->older, memory_order_acquire), slot, bucket, hash, key, found))
		return 0;
	return find_in_pages(store, slot, bucket, hash, key, false, found, err);
}

int read_whole(struct durable *store, const struct bucket *bucket, int (*read)(void *context), void *context)
{
	int code;

	for (int tries = 0; tries < WHOLE_TRIES; tries++) {
		uint32_t before = bucket_several_before(bucket);

		code = read(context);
		if (code != 0 || bucket_was_whole(bucket, before))
			return code;
	}
	pthread_mutex_lock(&store->write_lock);
	code = read(context);
	pthread_mutex_unlock(&store->write_lock);
	return code;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

uint64_t settled(struct durable *store)
{
	const struct log *log = &store->log;
	bool always = atomic_load_explicit(&log->durability, memory_order_relaxed) == ENGINE_ALWAYS;
	uint64_t safe = atomic_load_explicit(always ? &log->durable : &log->written, memory_order_acquire),
		 limit = admitted(store);

	return safe < limit ? safe : limit;
}

static void wait_for(struct slot *slot, struct kvrel_call *call, uint64_t position, enum waiting kind, uint64_t payload)
{
	call->scratch[1] = position;
	call->scratch[2] = kind;
	call->scratch[3] = payload;
	call->next = NULL;
	if (slot->waiting.last != NULL)
		slot->waiting.last->next = call;
	else
		slot->waiting.first = call;
	slot->waiting.last = call;
}

void wait_for_int(struct slot *slot, struct kvrel_call *call, uint64_t position, int64_t integer)
{
	wait_for(slot, call, position, WAITING_INT, (uint64_t)integer);
}

void wait_for_nil(struct slot *slot, struct kvrel_call *call, uint64_t position)
{
	wait_for(slot, call, position, WAITING_NIL, 0);
}

void wait_for_sync(struct slot *slot, struct kvrel_call *call)
{
	wait_for_nil(slot, call, 0);
}

static void complete_with_copy(struct kvrel_call *call)
{
	struct kvrel_result *copy = (struct kvrel_result *)(uintptr_t)call->scratch[3];

	call->complete(call, copy);
	free(copy);
}

void waiting_complete_any(struct kvrel_call *call, const char *reason)
{
	const enum waiting kind = (enum waiting)call->scratch[2];

	if (reason != NULL) {
		if (kind == WAITING_COPY)
			free((void *)(uintptr_t)call->scratch[3]);
		result_error(call, reason);
	} else if (kind == WAITING_INT) {
		result_int(call, (int64_t)call->scratch[3]);
	} else if (kind == WAITING_NIL) {
		result_nil(call);
	} else if (kind == WAITING_NOT_FOUND) {
		result_not_found(call);
	} else if (kind == WAITING_COPY) {
		complete_with_copy(call);
	} else {
		result_error(call, "out of memory");
	}
}

static bool may_be_told(struct durable *store, uint64_t position)
{
	return position == 0 || position <= settled(store);
}

static void wait_with_copy(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position,
			   const struct kvrel_result *result)
{
	const struct engine_host *host = &store->options.host;
	size_t size;
	struct kvrel_result *copy = result_copy(result, &size);

	wait_for(slot, call, position, copy != NULL ? WAITING_COPY : WAITING_NO_MEMORY, (uintptr_t)copy);
	if (copy != NULL && size >= HELD_LARGE && host->call_held != NULL)
		host->call_held(host->context, call, size);
}

void finish(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position,
	    const struct kvrel_result *result)
{
	if (may_be_told(store, position)) {
		call->complete(call, result);
	} else if (result->status == KVREL_NOT_FOUND) {
		wait_for(slot, call, position, WAITING_NOT_FOUND, 0);
	} else if (result->status == KVREL_OK && result->kind == KVREL_NIL) {
		wait_for_nil(slot, call, position);
	} else if (result->status == KVREL_OK && result->kind == KVREL_INT) {
		wait_for_int(slot, call, position, result->integer);
	} else {
		wait_with_copy(store, slot, call, position, result);
	}
}

void finish_int(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position, int64_t integer)
{
	finish(store, slot, call, position, &(struct kvrel_result){ .kind = KVREL_INT, .integer = integer });
}

void finish_nil(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position)
{
	finish(store, slot, call, position, &(struct kvrel_result){ .kind = KVREL_NIL });
}

void finish_not_found(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position)
{
	finish(store, slot, call, position, &(struct kvrel_result){ .status = KVREL_NOT_FOUND });
}
