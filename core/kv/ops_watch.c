/* SPDX-License-Identifier: MIT */
/*
 * kv.watch: what subscriptions of front-ends are made of. Without a number it answers where a watcher begins, if there
 * is such a bucket; with one it waits for what comes after it. It works for buckets of other nodes like any operation.
 */
#include "ops.h"

#include "number.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

/* As long as can be said, 49 days: a bucket may be left alone, and a link that is lost ends the wait. */
static const uint32_t WATCH_MS = UINT32_MAX;

/* The question whether there is such a bucket, on behalf of a call. */
struct check {
	struct kvrel_call call; /* first */
	struct kvrel_call *original;
	struct kv *kv;
	struct kvrel_slice bucket;
	char bytes[];
};

static void on_checked(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct check *check = (struct check *)call;

	if (result->status != KVREL_OK)
		check->original->complete(check->original, result);
	else if (result->integer == 0)
		result_not_found(check->original);
	else
		watch_begin(&check->kv->watches, check->original, check->bucket);
	free(check);
}

static void begin(struct kv *kv, struct kvrel_call *call)
{
	struct kvrel_slice bucket = call->args[0];
	struct check *check = malloc(sizeof(*check) + bucket.size);

	if (check == NULL) {
		result_error(call, "out of memory");
		return;
	}
	*check = (struct check){ .call = *call, .original = call, .kv = kv, .bucket = { check->bytes, bucket.size } };
	check->call.complete = on_checked;
	if (bucket.size > 0)
		memcpy(check->bytes, bucket.data, bucket.size);
	ops_submit(kv, &(struct engine_request){
			       .kind = ENGINE_EXISTS, .call = &check->call, .items = &check->bucket, .item_count = 1 });
}

void op_watch(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;
	uint64_t after;

	if (call->arg_count == 1) {
		if (ops_accept(kv, call, call->args[0]))
			begin(kv, call);
		return;
	}
	if (!number_parse_unsigned(call->args[1], &after))
		result_wrong_args(call, "the number of a change is expected");
	else if (router_local_within(kv_router(kv), call, call->args[0], WATCH_MS))
		watch_next(&kv->watches, call, call->args[0], after);
}
