/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include "split.h"

void op_create(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;

	if (ops_accept(kv, call, call->args[0]))
		ops_submit(kv,
			   &(struct engine_request){ .kind = ENGINE_CREATE, .call = call, .bucket = call->args[0] });
}

void op_put(void *state, struct kvrel_call *call)
{
	ops_put(state, call, 0);
}

void op_get(void *state, struct kvrel_call *call)
{
	ops_get(state, call, 0);
}

void op_delete(void *state, struct kvrel_call *call)
{
	const struct engine_request request = engine_request_of(call, ENGINE_DELETE, 0);
	struct kv *kv = state;

	if (ops_accept(kv, call, call->args[0]) && ops_accept_keys(call, 1, 1))
		ops_submit(kv, &request);
}

void op_keys(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;

	if (ops_accept(kv, call, call->args[0]))
		ops_submit(kv, &(struct engine_request){ .kind = ENGINE_LIST,
							 .call = call,
							 .bucket = call->args[0],
							 .scan = { .what = ENGINE_KEYS } });
}

void op_buckets(void *state, struct kvrel_call *call)
{
	struct engine_request request = { .kind = ENGINE_LIST, .call = call, .scan = { .what = ENGINE_BUCKETS } };

	if (call->arg_count > 0)
		request.scan.match = call->args[0];
	ops_submit(state, &request);
}

/* For names that are all this node's. */
static void submit_names(struct kv *kv, struct kvrel_call *call, enum engine_kind kind)
{
	ops_submit(kv, &(struct engine_request){
			       .kind = kind, .call = call, .items = call->args, .item_count = call->arg_count });
}

static void drop_here(void *state, struct kvrel_call *call)
{
	submit_names(state, call, ENGINE_DROP);
}

void op_drop(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;

	if (ops_accept_names(call))
		split_run(kv_router(kv), call, drop_here, kv);
}

static void exists_here(void *state, struct kvrel_call *call)
{
	submit_names(state, call, ENGINE_EXISTS);
}

void op_exists(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;

	if (ops_accept_names(call))
		split_run(kv_router(kv), call, exists_here, kv);
}

void op_scan(void *state, struct kvrel_call *call)
{
	struct engine_request request = { .kind = ENGINE_LIST, .call = call, .scan = { .what = ENGINE_BUCKETS } };

	if (ops_accept_scan(call, 0, &request.scan))
		ops_submit(state, &request);
}
