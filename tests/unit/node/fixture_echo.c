/* SPDX-License-Identifier: MIT */
/* A component that works: operations of every kind of result, settings of every kind, failures on demand. */
#include "kvrel/component.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct echo {
	struct kvrel_node *node;
	const struct kvrel_api *api;
};

static void answer(struct kvrel_call *call, struct kvrel_result result)
{
	call->complete(call, &result);
}

static void run_say(void *state, struct kvrel_call *call)
{
	(void)state;
	answer(call, (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[0] });
}

static void run_nothing(void *state, struct kvrel_call *call)
{
	(void)state;
	answer(call, (struct kvrel_result){ .kind = KVREL_NIL });
}

static void run_count(void *state, struct kvrel_call *call)
{
	(void)state;
	answer(call, (struct kvrel_result){ .kind = KVREL_INT, .integer = call->arg_count });
}

static void run_list(void *state, struct kvrel_call *call)
{
	(void)state;
	struct kvrel_result items[16] = { 0 };
	size_t count = call->arg_count < 16 ? call->arg_count : 16;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[i] };
	answer(call, (struct kvrel_result){ .kind = KVREL_LIST, .items = items, .count = count });
}

static void run_pairs(void *state, struct kvrel_call *call)
{
	(void)state;
	struct kvrel_result items[] = {
		{ .kind = KVREL_BYTES, .bytes = { "milk", 4 } },
		{ .kind = KVREL_INT, .integer = 1 },
	};
	answer(call, (struct kvrel_result){ .kind = KVREL_PAIRS, .items = items, .count = 2 });
}

static void run_missing(void *state, struct kvrel_call *call)
{
	(void)state;
	answer(call, (struct kvrel_result){ .status = KVREL_NOT_FOUND });
}

static void run_broken(void *state, struct kvrel_call *call)
{
	(void)state;
	answer(call, (struct kvrel_result){ .status = KVREL_ERROR, .bytes = { "the disk is full", 16 } });
}

static void run_die(void *state, struct kvrel_call *call)
{
	struct echo *echo = state;
	echo->api->failed(echo->node, "told to die");
	answer(call, (struct kvrel_result){ .kind = KVREL_NIL });
}

static const struct kvrel_op ops[] = {
	{ .name = "say", .params = "text", .doc = "gives the text back", .min_args = 1, .max_args = 1, .run = run_say },
	{ .name = "nothing", .params = "", .doc = "gives nil", .run = run_nothing },
	{ .name = "count", .params = "…", .doc = "counts its arguments", .max_args = UINT16_MAX, .run = run_count },
	{ .name = "list", .params = "…", .doc = "its arguments as a list", .max_args = 16, .run = run_list },
	{ .name = "pairs", .params = "", .doc = "one pair", .run = run_pairs },
	{ .name = "missing", .params = "", .doc = "never finds anything", .run = run_missing },
	{ .name = "broken", .params = "", .doc = "always fails", .run = run_broken },
	{ .name = "die", .params = "", .doc = "the component fails", .run = run_die },
};

static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	const struct kvrel_value *refuse = api->config(node, "refuse");
	if (api->value_string(refuse).size > 0) {
		api->fail(node, "%s", api->value_string(refuse).data);
		return -1;
	}
	struct echo *echo = calloc(1, sizeof(*echo));
	if (echo == NULL) {
		api->fail(node, "no memory");
		return -1;
	}
	echo->node = node;
	echo->api = api;
	api->log(node, KVREL_INFO, "listening to nobody on %s", api->node_name(node));
	*state = echo;
	return 0;
}

static void stop(void *state)
{
	struct echo *echo = state;
	while (echo->api->value_bool(echo->api->config(echo->node, "hang")))
		pause();
	free(state);
}

static int config_changed(void *state, const char *key)
{
	struct echo *echo = state;
	if (strcmp(key, "loudness") == 0 && echo->api->value_int(echo->api->config(echo->node, key)) > 11) {
		echo->api->fail(echo->node, "that is too loud");
		return -1;
	}
	return 0;
}

static const struct kvrel_component component = {
	.abi = KVREL_ABI,
	.size = sizeof(component),
	.name = "echo",
	.ops = ops,
	.op_count = sizeof(ops) / sizeof(ops[0]),
	.start = start,
	.stop = stop,
	.config_changed = config_changed,
};

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);
const struct kvrel_component *kvrel_component(void)
{
	return &component;
}
