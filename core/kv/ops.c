/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include "number.h"
#include "result.h"

#include <stdio.h>

void op_prefetch(void *state, struct kvrel_call *call)
{
	struct kv *kv = state;

	if (call->arg_count >= 2)
		kv->engine->type->prefetch(kv->engine, call, call->args[0], call->args[1]);
}

static void refuse_size(struct kvrel_call *call, const char *what, size_t size, size_t max)
{
	char message[KV_ERROR_BYTES];

	snprintf(message, sizeof(message), "%s too long: %zu bytes, the limit is %zu", what, size, max);
	result_error(call, message);
}

static bool accept_name(struct kvrel_call *call, struct kvrel_slice bucket)
{
	if (bucket.size <= KV_BUCKET_NAME_MAX)
		return true;
	refuse_size(call, "bucket name", bucket.size, KV_BUCKET_NAME_MAX);
	return false;
}

bool ops_accept(struct kv *kv, struct kvrel_call *call, struct kvrel_slice bucket)
{
	return accept_name(call, bucket) && router_local(kv_router(kv), call, bucket);
}

bool ops_accept_names(struct kvrel_call *call)
{
	for (uint32_t i = 0; i < call->arg_count; i++)
		if (!accept_name(call, call->args[i]))
			return false;
	return true;
}

static inline bool accept_sizes(struct kvrel_call *call, uint32_t first, uint32_t step, const char *what, size_t max)
{
	for (uint32_t i = first; i < call->arg_count; i += step) {
		if (call->args[i].size > max) {
			refuse_size(call, what, call->args[i].size, max);
			return false;
		}
	}
	return true;
}

bool ops_accept_keys(struct kvrel_call *call, uint32_t first, uint32_t step)
{
	return accept_sizes(call, first, step, "key", KV_KEY_MAX);
}

bool ops_accept_values(struct kvrel_call *call, uint32_t first, uint32_t step)
{
	return accept_sizes(call, first, step, "value", KV_VALUE_MAX);
}

bool ops_accept_scan(struct kvrel_call *call, uint32_t first, struct engine_scan *scan)
{
	int64_t count = 10;

	if (!number_parse_unsigned(call->args[first], &scan->cursor)) {
		result_error(call, "invalid cursor");
		return false;
	}
	if (call->arg_count > first + 1)
		scan->match = call->args[first + 1];
	if (call->arg_count > first + 2 && (!number_parse(call->args[first + 2], &count) || count < 1)) {
		result_wrong_args(call, "count is not a positive integer");
		return false;
	}
	scan->count = (uint64_t)count;
	scan->stepwise = true;
	return true;
}

__attribute__((noinline)) static void refuse_get(struct kv *kv, struct kvrel_call *call)
{
	if (ops_accept(kv, call, call->args[0]))
		ops_accept_keys(call, 1, 1);
}

void ops_get(struct kv *kv, struct kvrel_call *call, uint32_t flags)
{
	const struct kvrel_slice bucket = call->args[0];

	if (bucket.size > KV_BUCKET_NAME_MAX || call->args[1].size > KV_KEY_MAX)
		refuse_get(kv, call);
	else if (router_local(kv_router(kv), call, bucket))
		kv->engine->type->get(kv->engine, call, flags);
}

__attribute__((noinline)) static void submit_pairs(struct kv *kv, struct kvrel_call *call, uint32_t flags)
{
	const struct engine_request request = engine_request_of(call, ENGINE_PUT, flags);

	if (ops_accept(kv, call, call->args[0]) && ops_accept_keys(call, 1, 2) && ops_accept_values(call, 2, 2))
		ops_submit(kv, &request);
}

void ops_put(struct kv *kv, struct kvrel_call *call, uint32_t flags)
{
	const struct kvrel_slice *args = call->args;

	if (call->arg_count != 3 || args[0].size > KV_BUCKET_NAME_MAX || args[1].size > KV_KEY_MAX ||
	    args[2].size > KV_VALUE_MAX || watch_any(&kv->watches))
		submit_pairs(kv, call, flags);
	else if (router_local(kv_router(kv), call, args[0]))
		kv->engine->type->put(kv->engine, call, flags);
}
