/* SPDX-License-Identifier: MIT */
/* Reads of single keys and of what a bucket amounts to. */
#include "durable.h"

#include "result.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void answer_found(struct durable *store, struct slot *slot, const struct engine_request *request,
			 const struct found *found)
{
	struct kvrel_result result = { .status = KVREL_OK };

	if (request->kind == ENGINE_HAS) {
		result.kind = KVREL_INT;
		result.integer = found->there;
	} else if (request->kind == ENGINE_VALUE_SIZE) {
		result.kind = KVREL_INT;
		result.integer = found->there ? (int64_t)found->value.size : 0;
	} else if (found->there) {
		result.kind = KVREL_BYTES;
		result.bytes = found->value;
	} else {
		result.kind = KVREL_NIL;
	}
	finish(store, slot, request->call, found->position, &result);
}

static int find_item(struct durable *store, struct slot *slot, const struct engine_request *request,
		     const struct bucket *bucket, uint32_t item, struct found *found, struct kv_error *err)
{
	uint64_t prefetched = item == 0 ? request->call->scratch[0] : 0,
		 hash = prefetched != 0 ? prefetched : hash_name(store, request->items[item]);

	return (request->kind == ENGINE_HAS ? find_whether : find_key)(store, slot, bucket,
								       hash_in_bucket(bucket, hash),
								       request->items[item], found, err);
}

struct many {
	struct durable *store;
	struct slot *slot;
	const struct engine_request *request;
	const struct bucket *bucket;
	struct listing listing;
	uint64_t position;
	struct kv_error err;
};

/* read_whole()'s. */
static int gather(void *context)
{
	struct many *many = context;
	const struct engine_request *request = many->request;
	int code = 0;

	listing_done(&many->listing);
	listing_init(&many->listing, many->store->options.list_max);
	many->position = 0;
	for (uint32_t i = 0; code == 0 && i < request->item_count; i++) {
		struct found found = { 0 };

		code = find_item(many->store, many->slot, request, many->bucket, i, &found, &many->err);
		many->position = later(many->position, found.position);
		if (found.there)
			listing_bytes(&many->listing, found.value);
		else
			listing_nil(&many->listing);
	}
	return code;
}

static void read_many(struct durable *store, struct slot *slot, const struct engine_request *request,
		      const struct bucket *bucket)
{
	const struct engine_scan scan = { .what = ENGINE_VALUES };
	struct many many = { .store = store, .slot = slot, .request = request, .bucket = bucket };
	struct kvrel_result result;
	int code = 0;

	if (bucket != NULL) {
		code = read_whole(store, bucket, gather, &many);
	} else {
		listing_init(&many.listing, store->options.list_max);
		for (uint32_t i = 0; i < request->item_count; i++)
			listing_nil(&many.listing);
		many.position = atomic_load(&store->directory_changed);
	}
	if (code == 0) {
		result = listing_result(&many.listing, &scan, 0, NULL);
		finish(store, slot, request->call, many.position, &result);
	} else {
		result_error(request->call, many.err.message);
	}
	listing_done(&many.listing);
}

static void read_length(struct durable *store, struct slot *slot, const struct engine_request *request,
			const struct bucket *bucket)
{
	int64_t count = atomic_load_explicit(&bucket->count, memory_order_acquire);

	finish_int(store, slot, request->call, atomic_load_explicit(&bucket->changed, memory_order_acquire), count);
}

void run_read(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct found found = { 0 };
	struct bucket *bucket;
	struct kv_error err;

	if (bucket_look_up(store, slot, request->bucket, &bucket, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	if (!bucket_exists(bucket)) {
		bucket = NULL;
		found.position = atomic_load(&store->directory_changed);
		if (!(request->flags & ENGINE_LENIENT)) {
			finish_not_found(store, slot, request->call, found.position);
			return;
		}
	}
	if (request->kind == ENGINE_GET_MANY)
		read_many(store, slot, request, bucket);
	else if (request->kind == ENGINE_LENGTH && bucket != NULL)
		read_length(store, slot, request, bucket);
	else if (request->kind == ENGINE_LENGTH)
		finish_int(store, slot, request->call, found.position, 0);
	else if (bucket == NULL || find_item(store, slot, request, bucket, 0, &found, &err) == 0)
		answer_found(store, slot, request, &found);
	else
		result_error(request->call, err.message);
}

/* ---- the short way ---- */

static void get_from_pages(struct durable *store, struct slot *slot, struct kvrel_call *call,
			   const struct bucket *bucket, uint64_t hash)
{
	struct kvrel_slice value = { 0 };
	struct kv_error err;
	int there = page_find(&slot->reader, bucket->id, call->args[1], hash, &value, &err);

	if (there < 0)
		result_error(call, err.message);
	else if (there == 0)
		finish_nil(store, slot, call, atomic_load_explicit(&bucket->began, memory_order_relaxed));
	else
		result_bytes(call, value);
}

__attribute__((noinline)) static void get_by_submit(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, ENGINE_GET, flags);

	engine->type->submit(engine, &request);
}

/*
 * A worker reads one key of a bucket in memory: what most requests are, so it takes no detour. Whatever is not so
 * simple goes the other way.
 */
void durable_get(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	struct durable *store = (struct durable *)engine;
	const struct bucket *bucket = prefetched_bucket(call);
	struct slot *slot = slot_of(store, call->worker);
	struct found found;
	uint64_t hash;

	if (!bucket_exists(bucket) || stage_may_hold(slot->stage, call->scratch[0])) {
		get_by_submit(engine, call, flags);
		return;
	}
	if (slot->pipe.added > 0)
		prefetch_finish(store, slot);
	hash = hash_in_bucket(bucket, call->scratch[0]);
	if (!find_in_memory(store, slot, bucket, hash, call->args[1], &found))
		get_from_pages(store, slot, call, bucket, hash);
	else if (found.position > slot->settled || !found.there)
		finish(store, slot, call, found.position,
		       &(struct kvrel_result){ .kind = found.there ? KVREL_BYTES : KVREL_NIL, .bytes = found.value });
	else
		result_bytes(call, found.value);
}
