/* SPDX-License-Identifier: MIT */
/* Making, dropping and asking for buckets. */
#include "durable.h"

#include "result.h"

static uint64_t directory_position(const struct durable *store)
{
	return atomic_load_explicit(&store->directory_changed, memory_order_acquire);
}

void run_create(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct bucket *bucket;
	struct appender appender;
	struct kv_error err;
	const char *refusal;
	uint64_t end;

	if (bucket_look_up(store, slot, request->bucket, &bucket, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	if (bucket_exists(bucket) && bucket_is(bucket, BUCKET_STAYS)) {
		finish_nil(store, slot, request->call, directory_position(store));
		return;
	}
	if (append_begin(&appender, store, append_bucket_bytes(request->bucket), 1, &err) != 0) {
		result_error(request->call, err.message);
		return;
	}
	bucket = append_bucket(&appender, request->bucket, bucket);
	if (bucket != NULL)
		append_existence(&appender, bucket, true);
	refusal = append_bucket_refusal(&appender);
	end = append_end(&appender, bucket);
	slot->wrote = true;
	if (bucket != NULL)
		finish_nil(store, slot, request->call, end);
	else
		result_error(request->call, refusal);
}

/* 1 dropped, 0 it was not there, -1 and why. */
static int drop(struct durable *store, struct slot *slot, struct kvrel_slice name, struct kv_error *err)
{
	struct appender appender;
	struct bucket *bucket;
	bool existed;

	if (bucket_look_up(store, slot, name, &bucket, err) != 0)
		return -1;
	if (!bucket_exists(bucket))
		return 0;
	if (append_begin(&appender, store, append_bucket_bytes(name), 1, err) != 0)
		return -1;
	bucket = bucket_table_find(&store->buckets, name, bucket->hash);
	existed = bucket_exists(bucket);
	if (existed && bucket->announced != appender.memtable->id)
		append_existence(&appender, bucket, false);
	if (existed && atomic_load(&bucket->count) == 0)
		append_vanish(&appender, bucket);
	else if (existed)
		append_drop(&appender, bucket);
	append_end(&appender, existed ? bucket : NULL);
	return existed;
}

/* Those in front are gone, whatever becomes of the rest. */
static void refuse_rest(const struct engine_request *request, const struct kv_error *why, int64_t dropped)
{
	struct kv_error err = *why;

	if (dropped > 0)
		kv_fail(&err, "%.400s (%lld buckets of those named were removed)", why->message, (long long)dropped);
	result_error(request->call, err.message);
}

void run_drop(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct kv_error err;
	int64_t count = 0;

	for (uint32_t i = 0; i < request->item_count; i++) {
		int dropped = drop(store, slot, request->items[i], &err);

		if (dropped < 0) {
			refuse_rest(request, &err, count);
			return;
		}
		count += engine_removed(request, i, dropped > 0);
	}
	slot->wrote = true;
	finish_int(store, slot, request->call, directory_position(store), count);
}

void run_exists(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	struct kv_error err;
	int64_t count = 0;

	for (uint32_t i = 0; i < request->item_count; i++) {
		struct bucket *bucket;

		if (bucket_look_up(store, slot, request->items[i], &bucket, &err) != 0) {
			result_error(request->call, err.message);
			return;
		}
		count += bucket_exists(bucket);
	}
	finish_int(store, slot, request->call, directory_position(store), count);
}
