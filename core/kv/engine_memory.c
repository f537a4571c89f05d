/* SPDX-License-Identifier: MIT */
/*
 * The engine that forgets: hash tables under one lock, for caches and tests, and as the model that the durable engine's
 * answers are compared with. It does the obvious thing everywhere but for two: nodes are small (memory_map.h), and what
 * a batch will look for is on its way from memory before the first of its requests runs.
 */
#include "memory.h"

#include "number.h"
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- buckets ----------------------------------------------------------------------------------------------- */

static struct memory_bucket *bucket_of(const struct map_node *node)
{
	struct memory_bucket *bucket;

	memcpy(&bucket, map_value(node).data, sizeof(bucket));
	return bucket;
}

struct memory_bucket *memory_find_bucket(const struct memory *memory, struct kvrel_slice name)
{
	const struct map_node *node = map_find(&memory->buckets, name, memory_hash(memory, name));

	return node != NULL ? bucket_of(node) : NULL;
}

static struct memory_bucket *bucket_make(struct memory *memory, struct kvrel_slice name)
{
	struct memory_bucket *bucket = calloc(1, sizeof(*bucket));
	bool added;

	if (bucket != NULL && map_set(&memory->buckets, name, memory_hash(memory, name),
				      (struct kvrel_slice){ (const char *)&bucket, sizeof(bucket) }, &added) == NULL) {
		free(bucket);
		return NULL;
	}
	return bucket;
}

static void bucket_drop(struct map_node *node)
{
	struct memory_bucket *bucket = bucket_of(node);

	map_done(&bucket->keys, NULL);
	free(bucket);
}

static bool bucket_remove(struct memory *memory, struct kvrel_slice name)
{
	uint32_t hash = memory_hash(memory, name);
	struct map_node *node = map_find(&memory->buckets, name, hash);

	if (node == NULL)
		return false;
	bucket_drop(node);
	return map_remove(&memory->buckets, name, hash);
}

/* The hash of a request's key; prefetching has left the first one's in the call. */
static uint32_t key_hash(const struct memory *memory, const struct engine_request *request, uint32_t item)
{
	uint64_t known = item == 0 ? request->call->scratch[0] : 0;

	return known != 0 ? (uint32_t)known : memory_hash(memory, request->items[item]);
}

static struct map_node *find_item(const struct memory *memory, const struct engine_request *request,
				  const struct memory_bucket *bucket, uint32_t item)
{
	return bucket != NULL ? map_find(&bucket->keys, request->items[item], key_hash(memory, request, item)) : NULL;
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

static void leave_empty(struct memory *memory, const struct engine_request *request, const struct memory_bucket *bucket)
{
	if (!bucket->stays && bucket->keys.count == 0)
		bucket_remove(memory, request->bucket);
}

/* The bucket to write to: NULL after the call was answered. */
static struct memory_bucket *bucket_for_write(struct memory *memory, const struct engine_request *request)
{
	struct memory_bucket *bucket = memory_find_bucket(memory, request->bucket);

	if (bucket == NULL && !(request->flags & ENGINE_MAKE)) {
		result_not_found(request->call);
	} else if (bucket == NULL) {
		bucket = bucket_make(memory, request->bucket);
		if (bucket == NULL)
			result_error(request->call, "out of memory");
	}
	return bucket;
}

static void run_create(struct memory *memory, const struct engine_request *request)
{
	struct memory_bucket *bucket = memory_find_bucket(memory, request->bucket);

	if (bucket == NULL)
		bucket = bucket_make(memory, request->bucket);
	if (bucket == NULL) {
		result_error(request->call, "out of memory");
		return;
	}
	bucket->stays = true;
	result_nil(request->call);
}

static void run_put(struct memory *memory, const struct engine_request *request)
{
	struct memory_bucket *bucket = bucket_for_write(memory, request);
	int64_t count = 0;
	bool added;

	if (bucket == NULL)
		return;
	for (uint32_t i = 0; i < request->item_count; i += 2) {
		if ((request->flags & ENGINE_IF_NEW) && find_item(memory, request, bucket, i) != NULL)
			continue;
		if (map_set(&bucket->keys, request->items[i], key_hash(memory, request, i), request->items[i + 1],
			    &added) == NULL) {
			result_error(request->call, "out of memory");
			leave_empty(memory, request, bucket);
			return;
		}
		count += added;
	}
	if (request->flags & ENGINE_COUNTED)
		result_int(request->call, count);
	else
		result_nil(request->call);
}

static void run_increment(struct memory *memory, const struct engine_request *request)
{
	struct memory_bucket *bucket = bucket_for_write(memory, request);
	const struct map_node *node;
	char text[NUMBER_TEXT_MAX];
	int64_t number = 0;
	bool added;

	if (bucket == NULL)
		return;
	node = find_item(memory, request, bucket, 0);
	if (node != NULL && !number_parse(map_value(node), &number))
		result_error(request->call, "hash value is not an integer");
	else if (__builtin_add_overflow(number, request->delta, &number))
		result_error(request->call, "increment or decrement would overflow");
	else if (map_set(&bucket->keys, request->items[0], key_hash(memory, request, 0),
			 (struct kvrel_slice){ text, number_print(number, text) }, &added) != NULL)
		result_int(request->call, number);
	else
		result_error(request->call, "out of memory");
	leave_empty(memory, request, bucket);
}

static void run_delete(struct memory *memory, const struct engine_request *request)
{
	struct memory_bucket *bucket = memory_find_bucket(memory, request->bucket);
	int64_t removed = 0;

	if (bucket == NULL && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	for (uint32_t i = 0; bucket != NULL && i < request->item_count; i++)
		removed += engine_removed(request, i,
					  map_remove(&bucket->keys, request->items[i], key_hash(memory, request, i)));
	if (bucket != NULL)
		leave_empty(memory, request, bucket);
	if (request->flags & ENGINE_COUNTED)
		result_int(request->call, removed);
	else
		result_nil(request->call);
}

static void run_get_many(struct memory *memory, const struct engine_request *request,
			 const struct memory_bucket *bucket)
{
	struct engine_scan scan = { .what = ENGINE_VALUES };
	struct listing listing;
	struct kvrel_result result;

	listing_init(&listing, memory->list_max);
	for (uint32_t i = 0; i < request->item_count; i++) {
		const struct map_node *node = find_item(memory, request, bucket, i);

		if (node != NULL)
			listing_bytes(&listing, map_value(node));
		else
			listing_nil(&listing);
	}
	result = listing_result(&listing, &scan, 0, NULL);
	request->call->complete(request->call, &result);
	listing_done(&listing);
}

static void run_read(struct memory *memory, const struct engine_request *request)
{
	const struct memory_bucket *bucket = memory_find_bucket(memory, request->bucket);
	const struct map_node *node;

	if (bucket == NULL && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	if (request->kind == ENGINE_LENGTH) {
		result_int(request->call, bucket != NULL ? (int64_t)bucket->keys.count : 0);
		return;
	}
	if (request->kind == ENGINE_GET_MANY) {
		run_get_many(memory, request, bucket);
		return;
	}
	node = find_item(memory, request, bucket, 0);
	if (request->kind == ENGINE_HAS)
		result_int(request->call, node != NULL);
	else if (request->kind == ENGINE_VALUE_SIZE)
		result_int(request->call, node != NULL ? (int64_t)node->value_size : 0);
	else if (node != NULL)
		result_bytes(request->call, map_value(node));
	else
		result_nil(request->call);
}

static void run_names(struct memory *memory, const struct engine_request *request)
{
	int64_t count = 0;

	for (uint32_t i = 0; i < request->item_count; i++)
		count += request->kind == ENGINE_DROP
				 ? engine_removed(request, i, bucket_remove(memory, request->items[i]))
				 : memory_find_bucket(memory, request->items[i]) != NULL;
	result_int(request->call, count);
}

static void run_stats(struct memory *memory, const struct engine_request *request)
{
	struct engine_scan scan = { .what = ENGINE_PAIRS };
	char buckets[NUMBER_TEXT_MAX];
	struct listing listing;
	struct kvrel_result result;

	listing_init(&listing, UINT64_MAX);
	listing_entry(&listing, ENGINE_PAIRS, (struct kvrel_slice){ "engine", 6 }, (struct kvrel_slice){ "memory", 6 });
	listing_entry(&listing, ENGINE_PAIRS, (struct kvrel_slice){ "buckets", 7 },
		      (struct kvrel_slice){ buckets, number_print((int64_t)memory->buckets.count, buckets) });
	result = listing_result(&listing, &scan, 0, NULL);
	request->call->complete(request->call, &result);
	listing_done(&listing);
}

static void run_locked(struct memory *memory, const struct engine_request *request)
{
	switch (request->kind) {
	case ENGINE_CREATE:
		run_create(memory, request);
		break;
	case ENGINE_DROP:
	case ENGINE_EXISTS:
		run_names(memory, request);
		break;
	case ENGINE_PUT:
		run_put(memory, request);
		break;
	case ENGINE_INCREMENT:
		run_increment(memory, request);
		break;
	case ENGINE_DELETE:
		run_delete(memory, request);
		break;
	case ENGINE_GET:
	case ENGINE_GET_MANY:
	case ENGINE_HAS:
	case ENGINE_VALUE_SIZE:
	case ENGINE_LENGTH:
		run_read(memory, request);
		break;
	case ENGINE_LIST:
		memory_list(memory, request);
		break;
	case ENGINE_COUNT:
		result_int(request->call, (int64_t)memory->buckets.count);
		break;
	case ENGINE_STATS:
		run_stats(memory, request);
		break;
	case ENGINE_SYNC:
	case ENGINE_BACKUP:
	case ENGINE_VERIFY:
	case ENGINE_KIND_COUNT:
		result_error(request->call, "the memory engine keeps nothing on disk");
		break;
	}
}

static void memory_submit(struct engine *engine, const struct engine_request *request)
{
	struct memory *memory = (struct memory *)engine;

	pthread_mutex_lock(&memory->lock);
	run_locked(memory, request);
	pthread_mutex_unlock(&memory->lock);
}

static void memory_get(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, ENGINE_GET, flags);

	memory_submit(engine, &request);
}

static void memory_put(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, ENGINE_PUT, flags);

	memory_submit(engine, &request);
}

/* Slot, then node: by the time the node is asked for, its slot has come in. */
static void memory_prefetch(struct engine *engine, struct kvrel_call *call, struct kvrel_slice bucket_name,
			    struct kvrel_slice key)
{
	struct memory *memory = (struct memory *)engine;
	uint32_t hash = memory_hash(memory, key), *before;
	const struct memory_bucket *bucket;

	call->scratch[0] = hash;
	pthread_mutex_lock(&memory->lock);
	bucket = memory_find_bucket(memory, bucket_name);
	before = &memory->fetched[memory->fetched_count++ % MEMORY_AHEAD];
	if (bucket != NULL) {
		map_prefetch(&bucket->keys, hash);
		map_prefetch_node(&bucket->keys, *before);
	}
	*before = hash;
	pthread_mutex_unlock(&memory->lock);
}

static void memory_batch_end(struct engine *engine, uint32_t worker)
{
	(void)engine, (void)worker;
}

static void memory_set_durability(struct engine *engine, enum engine_durability durability)
{
	(void)engine, (void)durability;
}

static void memory_close(struct engine *engine)
{
	struct memory *memory = (struct memory *)engine;

	map_done(&memory->buckets, bucket_drop);
	cursors_free(memory->cursors);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static const struct engine_type memory_type = {
	.name = "memory",
	.prefetch = memory_prefetch,
	.submit = memory_submit,
	.get = memory_get,
	.put = memory_put,
	.batch_end = memory_batch_end,
	.set_durability = memory_set_durability,
	.close = memory_close,
};

int engine_memory_open(const struct engine_options *options, struct engine **out, struct kv_error *err)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return kv_fail(err, "out of memory");
	memory->cursors = cursors_new();
	if (memory->cursors == NULL) {
		free(memory);
		return kv_fail(err, "out of memory");
	}
	memory->engine.type = &memory_type;
	memory->list_max = options->list_max;
	if (getrandom(&memory->seed, sizeof(memory->seed), 0) != sizeof(memory->seed))
		memory->seed = (uintptr_t)memory;
	pthread_mutex_init(&memory->lock, NULL);
	*out = &memory->engine;
	return 0;
}
