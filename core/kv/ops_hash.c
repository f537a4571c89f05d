/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include "number.h"
#include "result.h"

static void submit_keys(struct kv *kv, struct kvrel_call *call, enum engine_kind kind, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, kind, flags);

	if (ops_accept(kv, call, call->args[0]) && ops_accept_keys(call, 1, 1))
		ops_submit(kv, &request);
}

static void put_pairs(struct kv *kv, struct kvrel_call *call, uint32_t flags)
{
	if (call->arg_count % 2 == 0)
		result_wrong_args(call, "a key without a value");
	else
		ops_put(kv, call, ENGINE_MAKE | ENGINE_COUNTED | flags);
}

static void submit_list(struct kv *kv, struct kvrel_call *call, enum engine_what what)
{
	if (ops_accept(kv, call, call->args[0]))
		ops_submit(kv, &(struct engine_request){ .kind = ENGINE_LIST,
							 .flags = ENGINE_LENIENT,
							 .call = call,
							 .bucket = call->args[0],
							 .scan = { .what = what } });
}

void op_hset(void *state, struct kvrel_call *call)
{
	put_pairs(state, call, 0);
}

void op_hsetnx(void *state, struct kvrel_call *call)
{
	put_pairs(state, call, ENGINE_IF_NEW);
}

void op_hincrby(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;
	struct engine_request request = { .kind = ENGINE_INCREMENT,
					  .flags = ENGINE_MAKE,
					  .call = call,
					  .bucket = call->args[0],
					  .items = call->args + 1,
					  .item_count = 1 };

	if (!number_parse(call->args[2], &request.delta)) {
		result_error(call, "value is not an integer or out of range");
		return;
	}
	if (ops_accept(kv, call, call->args[0]) && ops_accept_keys(call, 1, 2))
		ops_submit(kv, &request);
}

void op_hget(void *state, struct kvrel_call *call)
{
	ops_get(state, call, ENGINE_LENIENT);
}

void op_hmget(void *state, struct kvrel_call *call)
{
	submit_keys(state, call, ENGINE_GET_MANY, ENGINE_LENIENT);
}

void op_hdel(void *state, struct kvrel_call *call)
{
	submit_keys(state, call, ENGINE_DELETE, ENGINE_LENIENT | ENGINE_COUNTED);
}

void op_hexists(void *state, struct kvrel_call *call)
{
	submit_keys(state, call, ENGINE_HAS, ENGINE_LENIENT);
}

void op_hstrlen(void *state, struct kvrel_call *call)
{
	submit_keys(state, call, ENGINE_VALUE_SIZE, ENGINE_LENIENT);
}

void op_hlen(void *state, struct kvrel_call *call)
{
	submit_keys(state, call, ENGINE_LENGTH, ENGINE_LENIENT);
}

void op_hgetall(void *state, struct kvrel_call *call)
{
	submit_list(state, call, ENGINE_PAIRS);
}

void op_hkeys(void *state, struct kvrel_call *call)
{
	submit_list(state, call, ENGINE_KEYS);
}

void op_hvals(void *state, struct kvrel_call *call)
{
	submit_list(state, call, ENGINE_VALUES);
}

void op_hscan(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;
	struct engine_request request = { .kind = ENGINE_LIST,
					  .flags = ENGINE_LENIENT,
					  .call = call,
					  .bucket = call->args[0],
					  .scan = { .what = ENGINE_PAIRS } };

	if (ops_accept(kv, call, call->args[0]) && ops_accept_scan(call, 1, &request.scan))
		ops_submit(kv, &request);
}
