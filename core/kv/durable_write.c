/* SPDX-License-Identifier: MIT */
/*
 * Writes. What the pages hold is looked up before the lock is taken, what memtables hold under it: a key that a
 * memtable knows is never looked for in the pages, and one that none knows cannot have changed in the pages behind the
 * slot's back.
 */
#include "durable.h"

#include "number.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_ON_STACK = 32 };

/* What is known of the request's keys before the lock: hash, and whether the pages hold it. */
struct looked_up {
	uint64_t key_hash;
	bool below;
};

struct keys {
	struct looked_up on_stack[KEYS_ON_STACK];
	struct looked_up *all;
};

static void keys_done(struct keys *keys)
{
	if (keys->all != keys->on_stack)
		free(keys->all);
}

static uint64_t hash_of_key(const struct durable *store, const struct engine_request *request, uint32_t item)
{
	if (item == 0 && request->call->scratch[0] != 0)
		return request->call->scratch[0];
	return hash_name(store, request->items[item]);
}

static int keys_look_up(struct keys *keys, struct durable *store, struct slot *slot,
			const struct engine_request *request, const struct bucket *bucket, uint32_t step,
			struct kv_error *err)
{
	uint32_t count = request->item_count / step;

	keys->all = count <= KEYS_ON_STACK ? keys->on_stack : malloc(count * sizeof(*keys->all));
	if (keys->all == NULL)
		return kv_fail(err, "out of memory");
	for (uint32_t i = 0; i < count; i++) {
		uint64_t key_hash = hash_of_key(store, request, i * step);
		struct found found = { 0 };

		if (bucket != NULL && find_whether(store, slot, bucket, hash_in_bucket(bucket, key_hash),
						   request->items[i * step], &found, err) != 0) {
			keys_done(keys);
			return -1;
		}
		keys->all[i] = (struct looked_up){ key_hash, found.there && !found.in_memory };
	}
	return 0;
}

/* The bucket of a write. False after the call was answered: it is missing and not to be made. */
static bool find_bucket(struct durable *store, struct slot *slot, const struct engine_request *request,
			struct bucket **bucket)
{
	struct kv_error err;

	if (bucket_look_up(store, slot, request->bucket, bucket, &err) != 0) {
		result_error(request->call, err.message);
		return false;
	}
	if (bucket_exists(*bucket) || (request->flags & ENGINE_MAKE))
		return true;
	if (request->flags & ENGINE_LENIENT)
		finish_int(store, slot, request->call, atomic_load(&store->directory_changed), 0);
	else
		finish_not_found(store, slot, request->call, atomic_load(&store->directory_changed));
	return false;
}

static void finish_write(struct durable *store, struct slot *slot, const struct engine_request *request,
			 uint64_t position, int64_t count)
{
	slot->wrote = true;
	if (request->flags & ENGINE_COUNTED)
		finish_int(store, slot, request->call, position, count);
	else
		finish_nil(store, slot, request->call, position);
}

/* Whether a key is there now; under the write lock. */
static bool is_there(struct durable *store, const struct slot *slot, const struct bucket *bucket,
		     const struct looked_up *key, struct kvrel_slice name, bool below)
{
	struct found found;

	if (find_in_memory(store, slot, bucket, hash_in_bucket(bucket, key->key_hash), name, &found))
		return found.there;
	return below;
}

/* A frame's first record, and a small one, may lie anywhere: values.h. */
static void keep_apart(struct appender *appender, struct kvrel_slice value)
{
	if (value.size >= FAR_VALUE_MIN && appender->at != appender->frame + sizeof(struct frame))
		appender->at = record_keep_apart(appender->at);
}

/* The records of a put. The bucket's other life, if it has another by now, has nothing in the pages that memtables
 * don't cover. */
static int64_t append_pairs(struct appender *appender, const struct slot *slot, const struct engine_request *request,
			    struct bucket *bucket, const struct keys *keys, bool same)
{
	bool announced = false;
	int64_t added = 0;

	for (uint32_t i = 0; i < request->item_count; i += 2) {
		const struct looked_up *key = &keys->all[i / 2];
		bool below = same && key->below;

		if ((request->flags & ENGINE_IF_NEW) &&
		    is_there(appender->store, slot, bucket, key, request->items[i], below))
			continue;
		if (!announced)
			append_existence(appender, bucket, false);
		announced = true;
		keep_apart(appender, request->items[i + 1]);
		added += !append_record(appender, slot, bucket, RECORD_PUT, hash_in_bucket(bucket, key->key_hash),
					request->items[i], request->items[i + 1], below);
	}
	return added;
}

static size_t bytes_of(const struct engine_request *request, uint32_t step)
{
	size_t bytes = append_bucket_bytes(request->bucket);

	for (uint32_t i = 0; i < request->item_count; i += step) {
		size_t value_size = step == 2 ? request->items[i + 1].size : 0;

		bytes += record_size(request->items[i].size, value_size);
		bytes += value_size >= FAR_VALUE_MIN ? RECORD_APART_BYTES : 0;
	}
	return bytes;
}

/* Under the lock: the bucket as it is now, or NULL after unlocking and answering. */
static struct bucket *bucket_now(struct appender *appender, struct slot *slot, const struct engine_request *request,
				 struct bucket *bucket)
{
	struct durable *store = appender->store;
	const char *refusal;
	uint64_t changed;

	bucket = append_bucket(appender, request->bucket, bucket);
	if (bucket == NULL) {
		refusal = append_bucket_refusal(appender);
		append_end(appender, NULL);
		result_error(request->call, refusal);
	} else if (!bucket_exists(bucket) && !(request->flags & ENGINE_MAKE)) {
		append_end(appender, NULL);
		changed = atomic_load(&store->directory_changed);
		if (request->flags & ENGINE_LENIENT)
			finish_int(store, slot, request->call, changed, 0);
		else
			finish_not_found(store, slot, request->call, changed);
		return NULL;
	}
	return bucket;
}

void run_put(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	if (stage_put(store, slot, request))
		return;
	stage_append(store, slot);
	run_put_now(store, slot, request);
}

void run_put_now(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	const bool several = request->item_count > 2;
	struct bucket *before, *bucket;
	struct appender appender;
	struct kv_error err;
	struct keys keys;
	uint64_t end, rests_on;
	int64_t added;

	if (!find_bucket(store, slot, request, &before))
		return;
	if (keys_look_up(&keys, store, slot, request, before, 2, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	if (append_begin(&appender, store, bytes_of(request, 2), request->item_count / 2 + 2, &err) != 0) {
		result_error(request->call, err.message);
	} else if ((bucket = bucket_now(&appender, slot, request, before)) != NULL) {
		rests_on = atomic_load(&bucket->changed);
		if (several)
			bucket_several(bucket);
		added = append_pairs(&appender, slot, request, bucket, &keys, bucket == before);
		if (several)
			bucket_several(bucket);
		engine_placed(request);
		end = append_end(&appender, bucket);
		finish_write(store, slot, request, end > 0 ? end : rests_on, added);
	}
	keys_done(&keys);
}

/* Under the write lock: the number at the key. False: what is there is none. */
static bool number_at(struct durable *store, const struct slot *slot, const struct bucket *bucket, uint64_t hash,
		      struct kvrel_slice key, const struct found *before, int64_t *number)
{
	struct found found = *before;

	if (!find_in_memory(store, slot, bucket, hash, key, &found) && before->in_memory)
		found = (struct found){ 0 }; /* of the bucket's other life */
	*number = 0;
	return !found.there || number_parse(found.value, number);
}

void run_increment(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct kvrel_slice key = request->items[0];
	uint64_t key_hash = hash_of_key(store, request, 0), hash, end, rests_on;
	struct bucket *before, *bucket;
	struct found found = { 0 };
	struct appender appender;
	const char *refusal = NULL;
	char text[NUMBER_TEXT_MAX];
	struct kv_error err;
	int64_t number;

	if (!find_bucket(store, slot, request, &before))
		return;
	if (before != NULL && find_key(store, slot, before, hash_in_bucket(before, key_hash), key, &found, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	if (append_begin(&appender, store,
			 append_bucket_bytes(request->bucket) + record_size(key.size, NUMBER_TEXT_MAX), 3, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	bucket = bucket_now(&appender, slot, request, before);
	if (bucket == NULL)
		return;
	if (bucket != before)
		found = (struct found){ 0 };
	hash = hash_in_bucket(bucket, key_hash);
	if (!number_at(store, slot, bucket, hash, key, &found, &number)) {
		refusal = "hash value is not an integer";
	} else if (__builtin_add_overflow(number, request->delta, &number)) {
		refusal = "increment or decrement would overflow";
	} else {
		append_existence(&appender, bucket, false);
		append_record(&appender, slot, bucket, RECORD_PUT, hash, key,
			      (struct kvrel_slice){ text, number_print(number, text) },
			      found.there && !found.in_memory);
	}
	rests_on = atomic_load(&bucket->changed);
	engine_placed(request);
	end = append_end(&appender, bucket);
	if (refusal != NULL)
		finish(store, slot, request->call, rests_on,
		       &(struct kvrel_result){
			       .status = KVREL_ERROR, .kind = KVREL_BYTES, .bytes = { refusal, strlen(refusal) } });
	else
		finish_int(store, slot, request->call, end, number);
	slot->wrote = true;
}

void run_delete(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	const struct kvrel_slice nothing = { NULL, 0 };
	struct bucket *before, *bucket;
	struct appender appender;
	struct kv_error err;
	struct keys keys;
	uint64_t end, rests_on;
	int64_t removed = 0;

	if (!find_bucket(store, slot, request, &before))
		return;
	if (keys_look_up(&keys, store, slot, request, before, 1, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	if (append_begin(&appender, store, bytes_of(request, 1), request->item_count + 2, &err) != 0) {
		result_error(request->call, err.message);
		keys_done(&keys);
		return;
	}
	bucket = bucket_now(&appender, slot, request, before);
	if (bucket == NULL) {
		keys_done(&keys);
		return;
	}
	rests_on = atomic_load(&bucket->changed);
	bucket_several(bucket);
	for (uint32_t i = 0; i < request->item_count; i++) {
		bool below = bucket == before && keys.all[i].below;

		if (!engine_removed(request, i, is_there(store, slot, bucket, &keys.all[i], request->items[i], below)))
			continue;
		if (removed++ == 0)
			append_existence(&appender, bucket, false);
		append_record(&appender, slot, bucket, RECORD_DELETE, hash_in_bucket(bucket, keys.all[i].key_hash),
			      request->items[i], nothing, below);
	}
	bucket_several(bucket);
	if (removed > 0 && atomic_load(&bucket->count) == 0 && !bucket_is(bucket, BUCKET_STAYS))
		append_vanish(&appender, bucket);
	engine_placed(request);
	end = append_end(&appender, bucket);
	finish_write(store, slot, request, end > 0 ? end : rests_on, removed);
	keys_done(&keys);
}
