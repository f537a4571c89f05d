/* SPDX-License-Identifier: MIT */
#include "node/components/call.h"

#include "node/awaited.h"

static enum kvrel_status refuse(void (*take)(void *context, const struct kvrel_result *result), void *context)
{
	static const char reason[] = "the component is not started";
	const struct kvrel_result result = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { reason, sizeof(reason) - 1 },
	};
	if (take != NULL)
		take(context, &result);
	return KVREL_ERROR;
}

enum kvrel_status call_wait(struct components *components, struct component *component, const struct net_op *op,
			    const struct kvrel_slice *args, uint32_t arg_count,
			    void (*take)(void *context, const struct kvrel_result *result), void *context)
{
	if (!component_enter(components, component))
		return refuse(take, context);
	struct awaited awaited = awaited_begin(op->ref.op, args, arg_count, take, context);
	op->ref.op->run(op->ref.state, &awaited.call);
	if (op->batch_end != NULL)
		op->batch_end(op->ref.state, KVREL_NO_WORKER);
	enum kvrel_status status = awaited_wait(&awaited);
	component_leave(components, component);
	return status;
}

static struct slice bytes_of(const struct kvrel_result *result)
{
	return (struct slice){ result->bytes.data, result->bytes.size };
}

static struct slice key_text(struct arena *arena, const struct kvrel_result *key)
{
	if (key->kind != KVREL_INT)
		return bytes_of(key);
	return slice_of(arena_printf(arena, "%lld", (long long)key->integer));
}

struct value *call_result_value(struct arena *arena, const struct kvrel_result *result)
{
	struct value *out;
	switch (result->kind) {
	case KVREL_INT:
		return value_int(arena, result->integer);
	case KVREL_BYTES:
		return value_string(arena, bytes_of(result));
	case KVREL_LIST:
		out = value_list(arena);
		for (size_t i = 0; i < result->count; i++)
			value_list_add(arena, out, call_result_value(arena, &result->items[i]));
		return out;
	case KVREL_PAIRS:
		out = value_map(arena);
		for (size_t i = 0; i + 1 < result->count; i += 2)
			value_map_add(arena, out, key_text(arena, &result->items[i]),
				      call_result_value(arena, &result->items[i + 1]));
		return out;
	case KVREL_NIL:
		break;
	}
	return value_null(arena);
}

int call_check_count(const struct component *component, const struct net_op *op, size_t arg_count, struct error *err)
{
	const struct kvrel_op *what = op->ref.op;
	if (arg_count >= what->min_args && (what->max_args == UINT16_MAX || arg_count <= what->max_args))
		return 0;
	return error_set(err, ERROR_USAGE, "wrong number of arguments for %s.%s (expected %s)", component->sys->name,
			 what->name, what->params != NULL && what->params[0] != '\0' ? what->params : "none");
}
