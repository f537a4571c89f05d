/* SPDX-License-Identifier: MIT */
/* What the node sees of kv: the table, starting and stopping, settings that change while it runs. */
#include "kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void host_log(void *context, enum kvrel_log_level level, const char *message)
{
	struct kv *kv = context;

	kv->api->log(kv->node, level, "%s", message);
}

static void host_failed(void *context, const char *message)
{
	struct kv *kv = context;

	kv->api->failed(kv->node, "%s", message);
}

static void host_thread_begin(void *context)
{
	struct kv *kv = context;

	kv->api->thread_begin(kv->node);
}

static void host_call_held(void *context, struct kvrel_call *call, size_t bytes)
{
	struct kv *kv = context;

	kv->api->call_held(call, bytes);
}

static void host_hold_writes(void *context, bool hold)
{
	struct kv *kv = context;

	kv->api->hold_writes(kv->node, hold);
}

static struct kvrel_slice setting_string(struct kv *kv, const char *key)
{
	return kv->api->value_string(kv->api->config(kv->node, key));
}

static uint64_t setting_int(struct kv *kv, const char *key)
{
	return (uint64_t)kv->api->value_int(kv->api->config(kv->node, key));
}

static bool slice_is(struct kvrel_slice text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* The values are checked against component.yaml before they get here. */
static enum engine_durability setting_durability(struct kv *kv)
{
	struct kvrel_slice text = setting_string(kv, "durability");

	if (slice_is(text, "everysec"))
		return ENGINE_EVERYSEC;
	return slice_is(text, "none") ? ENGINE_NONE : ENGINE_ALWAYS;
}

static void warn_of_gap(struct kv *kv, const struct router *router)
{
	unsigned first, last;

	if (router_gap(router, &first, &last))
		kv->api->log(
			kv->node, KVREL_WARN,
			"kv.routing_table names no node for some buckets: the first such begin with bytes 0x%02x to "
			"0x%02x",
			first, last);
}

static int load_router(struct kv *kv)
{
	struct router *router, *before = atomic_load(&kv->router);
	struct kv_error err;

	if (router_new(kv->api, kv->api->config(kv->node, "routing_table"), kv->api->node_name(kv->node), &router,
		       &err) != 0) {
		kv->api->fail(kv->node, "%s", err.message);
		return -1;
	}
	router_connect(router, kv->api, kv->node, (uint32_t)setting_int(kv, "forward_timeout"));
	if (before != NULL) {
		struct router **grown = realloc(kv->retired, (kv->retired_count + 1) * sizeof(struct router *));

		if (grown == NULL) {
			router_free(router);
			kv->api->fail(kv->node, "out of memory");
			return -1;
		}
		kv->retired = grown;
		kv->retired[kv->retired_count++] = before;
	}
	if (before != NULL) /* at a boot the node says it, with the place */
		warn_of_gap(kv, router);
	atomic_store_explicit(&kv->router, router, memory_order_release);
	return 0;
}

/* kv.data_dir; a relative one counts from the data folder, where "kv" is the default. */
static int data_path(struct kv *kv, char *out, size_t size)
{
	struct kvrel_slice dir = setting_string(kv, "data_dir");
	const char *base = kv->api->data_dir(kv->node);
	int length = dir.size > 0 && dir.data[0] == '/' ? snprintf(out, size, "%s", dir.data)
							: snprintf(out, size, "%s/%s", base, dir.data);

	if (length < 0 || (size_t)length >= size) {
		kv->api->fail(kv->node, "kv.data_dir: the path is too long");
		return -1;
	}
	return 0;
}

static int open_engine(struct kv *kv)
{
	char dir[4096];
	struct engine_options options = {
		.dir = dir,
		.workers = kv->api->worker_count(kv->node),
		.durability = setting_durability(kv),
		.map_size = setting_int(kv, "map_size"),
		.segment_size = setting_int(kv, "log_segment_size"),
		.cache_size = setting_int(kv, "cache_size"),
		.list_max = setting_int(kv, "max_listing"),
		.checkpoint_ms = setting_int(kv, "checkpoint_interval"),
		.host = { kv, host_log, host_failed, host_thread_begin, host_call_held, host_hold_writes },
	};
	struct kv_error err;
	bool memory = slice_is(setting_string(kv, "engine"), "memory");

	if (!memory && data_path(kv, dir, sizeof(dir)) != 0)
		return -1;
	if ((memory ? engine_memory_open : engine_durable_open)(&options, &kv->engine, &err) != 0) {
		kv->api->fail(kv->node, "%s", err.message);
		return -1;
	}
	return 0;
}

static void kv_free(struct kv *kv)
{
	for (size_t i = 0; i < kv->retired_count; i++)
		router_free(kv->retired[i]);
	free(kv->retired);
	watches_done(&kv->watches);
	router_free(atomic_load(&kv->router));
	free(kv);
}

static int kv_start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	struct kv *kv = calloc(1, sizeof(*kv));

	if (kv == NULL) {
		api->fail(node, "out of memory");
		return -1;
	}
	kv->node = node;
	kv->api = api;
	watches_init(&kv->watches);
	if (load_router(kv) != 0 || open_engine(kv) != 0) {
		kv_free(kv);
		return -1;
	}
	*state = kv;
	return 0;
}

static void kv_stop(void *state)
{
	struct kv *kv = state;

	watches_close(&kv->watches);
	kv->engine->type->close(kv->engine);
	kv_free(kv);
}

static void kv_batch_end(void *state, uint32_t worker)
{
	struct kv *kv = state;

	kv->engine->type->batch_end(kv->engine, worker);
}

static void kv_batch_ran(void *state, uint32_t worker)
{
	struct kv *kv = state;

	if (kv->engine->type->batch_ran != NULL)
		kv->engine->type->batch_ran(kv->engine, worker);
}

static int kv_config_changed(void *state, const char *key)
{
	struct kv *kv = state;

	if (strcmp(key, "routing_table") == 0 || strcmp(key, "forward_timeout") == 0)
		return load_router(kv);
	if (strcmp(key, "durability") == 0)
		kv->engine->type->set_durability(kv->engine, setting_durability(kv));
	return 0;
}

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);

const struct kvrel_component *kvrel_component(void)
{
	static struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = "kv",
		.ops = kv_ops,
		.start = kv_start,
		.stop = kv_stop,
		.batch_end = kv_batch_end,
		.batch_ran = kv_batch_ran,
		.config_changed = kv_config_changed,
	};

	component.op_count = kv_op_count;
	return &component;
}
