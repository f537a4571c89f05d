/* SPDX-License-Identifier: MIT */
/*
 * Operations: arguments checked and decoded into a request of the engine. One function an operation, in the form that
 * component.h asks for; ops_table.c lists them with their documentation.
 */
#ifndef KV_OPS_H
#define KV_OPS_H

#include "kv.h"

void op_prefetch(void *state, struct kvrel_call *call); /* of the bucket and key that are the first two arguments */

/* ops_bucket.c: single keys of buckets that must exist, and what is about buckets as a whole */
void op_create(void *state, struct kvrel_call *call);
void op_put(void *state, struct kvrel_call *call);
void op_get(void *state, struct kvrel_call *call);
void op_delete(void *state, struct kvrel_call *call);
void op_keys(void *state, struct kvrel_call *call);
void op_buckets(void *state, struct kvrel_call *call);
void op_drop(void *state, struct kvrel_call *call);
void op_exists(void *state, struct kvrel_call *call);
void op_scan(void *state, struct kvrel_call *call);

/* ops_watch.c: changes of a bucket */
void op_watch(void *state, struct kvrel_call *call);

/* ops_hash.c: buckets as Redis' hashes */
void op_hset(void *state, struct kvrel_call *call);
void op_hsetnx(void *state, struct kvrel_call *call);
void op_hincrby(void *state, struct kvrel_call *call);
void op_hget(void *state, struct kvrel_call *call);
void op_hmget(void *state, struct kvrel_call *call);
void op_hdel(void *state, struct kvrel_call *call);
void op_hexists(void *state, struct kvrel_call *call);
void op_hstrlen(void *state, struct kvrel_call *call);
void op_hlen(void *state, struct kvrel_call *call);
void op_hgetall(void *state, struct kvrel_call *call);
void op_hkeys(void *state, struct kvrel_call *call);
void op_hvals(void *state, struct kvrel_call *call);
void op_hscan(void *state, struct kvrel_call *call);

/* ops_store.c: the store as a whole */
void op_count(void *state, struct kvrel_call *call);
void op_stats(void *state, struct kvrel_call *call);
void op_sync(void *state, struct kvrel_call *call);
void op_verify(void *state, struct kvrel_call *call);
void op_backup(void *state, struct kvrel_call *call);

/* ---- shared by the files above --------------------------------------------------------------------------------- */

/* False after the call was answered: the bucket is elsewhere, or a name or value is too large. */
bool ops_accept(struct kv *kv, struct kvrel_call *call, struct kvrel_slice bucket);
/* Sizes alone, of all arguments: whose buckets they are is decided by split_run(). */
bool ops_accept_names(struct kvrel_call *call);
bool ops_accept_keys(struct kvrel_call *call, uint32_t first, uint32_t step);
bool ops_accept_values(struct kvrel_call *call, uint32_t first, uint32_t step);
/* cursor[, match, count] from args[first] on into scan. */
bool ops_accept_scan(struct kvrel_call *call, uint32_t first, struct engine_scan *scan);

/* Reads the key that is the second argument from the bucket that is the first. */
void ops_get(struct kv *kv, struct kvrel_call *call, uint32_t flags);
/* Puts keys, each with its value behind it, into the bucket that is the first argument. */
void ops_put(struct kv *kv, struct kvrel_call *call, uint32_t flags);

static inline void ops_submit(struct kv *kv, const struct engine_request *request)
{
	if (__builtin_expect(watch_any(&kv->watches), false))
		watch_submit(&kv->watches, kv->engine, request);
	else
		kv->engine->type->submit(kv->engine, request);
}

#endif
