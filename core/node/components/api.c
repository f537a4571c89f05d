/* SPDX-License-Identifier: MIT */
/*
 * The node's side of component.h: configuration, log, operations, listeners. Values are the configuration's own tree;
 * a component holds them by pointer and never looks inside.
 */
#include "node/components/api.h"

#include "base/log.h"
#include "node/components/call.h"
#include "node/components/links.h"
#include "node/components/metrics.h"
#include "node/components/supervise.h"
#include "node/dist/dist.h"
#include "node/node.h"
#include "node/process/crash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)KVREL_DEBUG == LOG_LEVEL_DEBUG && (int)KVREL_FAILURE == LOG_LEVEL_ERROR &&
		       (int)KVREL_NOTICE == LOG_LEVEL_NOTICE,
	       "levels of components are the log's");
_Static_assert((int)KVREL_VALUE_NULL == VALUE_NULL && (int)KVREL_VALUE_MAP == VALUE_MAP &&
		       (int)KVREL_VALUE_STRING == VALUE_STRING,
	       "types of values are the tree's");

static const struct value *tree(const struct kvrel_value *value)
{
	return (const struct value *)value;
}

static const struct kvrel_value *shown(const struct value *value)
{
	return (const struct kvrel_value *)value;
}

/* ---- saying what happened ---- */

static void api_fail(struct kvrel_node *node, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	error_vset(&node->failure, ERROR_FAILED, format, args);
	va_end(args);
}

static void api_failed(struct kvrel_node *node, const char *format, ...)
{
	struct error reason = { 0 };
	va_list args;
	va_start(args, format);
	error_vset(&reason, ERROR_FAILED, format, args);
	va_end(args);
	supervise_failed(node->component, &reason);
}

static void api_log(struct kvrel_node *node, enum kvrel_log_level level, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vwrite((enum log_level)level, node->component->sys->name, LOG_NONE, format, args);
	va_end(args);
}

/* ---- configuration ---- */

static const struct kvrel_value *api_config(struct kvrel_node *node, const char *key)
{
	const struct setting *setting = config_setting(&node->node->config, node->component->sys->name, key);
	return setting != NULL ? shown(setting->value) : NULL;
}

static enum kvrel_value_type api_value_type(const struct kvrel_value *value)
{
	return value == NULL ? KVREL_VALUE_NULL : (enum kvrel_value_type)tree(value)->type;
}

static bool api_value_bool(const struct kvrel_value *value)
{
	return value != NULL && tree(value)->type == VALUE_BOOL && tree(value)->boolean;
}

static int64_t api_value_int(const struct kvrel_value *value)
{
	if (value == NULL)
		return 0;
	if (tree(value)->type == VALUE_FLOAT)
		return (int64_t)tree(value)->number;
	return tree(value)->type == VALUE_INT ? tree(value)->integer : 0;
}

static struct kvrel_slice api_value_string(const struct kvrel_value *value)
{
	if (value == NULL || tree(value)->type != VALUE_STRING)
		return (struct kvrel_slice){ "", 0 };
	return (struct kvrel_slice){ tree(value)->string.data, tree(value)->string.size };
}

static size_t api_value_count(const struct kvrel_value *value)
{
	if (value == NULL)
		return 0;
	if (tree(value)->type == VALUE_LIST)
		return tree(value)->list.count;
	return tree(value)->type == VALUE_MAP ? tree(value)->map.count : 0;
}

static const struct kvrel_value *api_value_item(const struct kvrel_value *list, size_t index)
{
	if (list == NULL || index >= api_value_count(list))
		return NULL;
	if (tree(list)->type == VALUE_MAP)
		return shown(tree(list)->map.members[index].value);
	return shown(tree(list)->list.items[index]);
}

static const struct kvrel_value *api_value_get(const struct kvrel_value *map, const char *key)
{
	return shown(value_get(tree(map), key));
}

static const char *api_value_origin(const struct kvrel_value *value, char *out, size_t out_size)
{
	if (value != NULL && tree(value)->origin.file != NULL)
		return origin_text(&tree(value)->origin, out, out_size);
	if (out_size > 0)
		out[0] = '\0';
	return out;
}

/* ---- the node ---- */

static const char *api_node_name(struct kvrel_node *node)
{
	return node->node->release.node;
}

static const char *api_data_dir(struct kvrel_node *node)
{
	return node->node->release.data;
}

static uint32_t api_worker_count(struct kvrel_node *node)
{
	return links_worker_count(node->node);
}

static bool depends_on(const struct component *component, const struct component *other)
{
	return component == other || component_requires(component, other->sys->name);
}

static const struct kvrel_op_ref *api_op(struct kvrel_node *node, const char *name)
{
	struct component *provider;
	const struct net_op *op = component_op(&node->node->components, name, &provider);
	if (provider == NULL)
		api_fail(node, "operation '%s': no such component in this release", name);
	else if (!depends_on(node->component, provider))
		api_fail(node, "operation '%s': '%s' is not among the dependencies in component.yaml", name,
			 provider->sys->name);
	else if (op == NULL)
		api_fail(node, "operation '%s': component '%s' has no such operation", name, provider->sys->name);
	else if (provider->state != COMPONENT_STARTED)
		api_fail(node, "operation '%s': component '%s' is not started", name, provider->sys->name);
	else
		return &op->ref;
	return NULL;
}

static enum kvrel_status api_call(struct kvrel_node *node, const struct kvrel_op_ref *ref,
				  const struct kvrel_slice *args, uint32_t arg_count,
				  void (*take)(void *context, const struct kvrel_result *result), void *context)
{
	const struct net_op *op = (const struct net_op *)ref;
	struct components *components = &node->node->components;
	for (size_t i = 0; i < components->count; i++) {
		struct component *provider = &components->items[i];
		if (provider->ops == NULL || op < provider->ops || op >= provider->ops + provider->table->op_count)
			continue;
		if (call_check_count(provider, op, arg_count, NULL) != 0)
			return KVREL_WRONG_ARGS;
		return call_wait(components, provider, op, args, arg_count, take, context);
	}
	return KVREL_ERROR;
}

static int api_listen(struct kvrel_node *view, const struct kvrel_protocol *protocol, void *protocol_state,
		      const char *address, uint16_t port)
{
	struct net *net = NULL;
	uint16_t bound = 0;
	struct error err;
	int rc = node_net(view->node, &net, &err);
	if (rc == 0)
		rc = net_listen(net, view->component->sys->name, protocol, protocol_state, address, port, &bound, &err);
	if (rc != 0) {
		api_fail(view, "%s", err.message);
		return -1;
	}
	if (view->component->listeners < COMPONENT_ADDRESSES)
		snprintf(view->component->addresses[view->component->listeners], COMPONENT_ADDRESS_BYTES,
			 strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u", address, (unsigned)bound);
	view->component->listeners++;
	if (view->component->state == COMPONENT_STARTED)
		net_accept(net, view->component->sys->name);
	return bound;
}

static void api_thread_begin(struct kvrel_node *view)
{
	(void)view;
	crash_guard_thread();
}

static void api_call_held(struct kvrel_call *call, size_t bytes)
{
	if (!net_call_held(call, bytes))
		dist_call_held(call, bytes);
}

void api_fill(struct kvrel_api *api)
{
	*api = (struct kvrel_api){
		.abi = KVREL_ABI,
		.size = sizeof(*api),
		.fail = api_fail,
		.failed = api_failed,
		.log = api_log,
		.config = api_config,
		.value_type = api_value_type,
		.value_bool = api_value_bool,
		.value_int = api_value_int,
		.value_string = api_value_string,
		.value_count = api_value_count,
		.value_item = api_value_item,
		.value_get = api_value_get,
		.value_origin = api_value_origin,
		.node_name = api_node_name,
		.data_dir = api_data_dir,
		.worker_count = api_worker_count,
		.op = api_op,
		.call = api_call,
		.listen = api_listen,
		.metrics = metrics_take,
		.healthy = metrics_healthy,
		.forward = links_forward,
		.thread_begin = api_thread_begin,
		.call_held = api_call_held,
		.hold_writes = component_hold_writes,
	};
	net_fill_api(api);
}
