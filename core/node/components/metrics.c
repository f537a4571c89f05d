/* SPDX-License-Identifier: MIT */
/*
 * Healthy means: the node runs, its main thread turns, and every component whose end would be the node's end is
 * started. A component's figures are what its operation `stats` says, so that a console and a monitor see the same
 * numbers.
 */
#include "node/components/metrics.h"

#include "node/components/call.h"
#include "node/control/status.h"
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HANGS_MS = 5000, NAME_BYTES = 128 };

struct taker {
	kvrel_metric_fn *take;
	void *context;
};

static void give(const struct taker *taker, enum kvrel_metric_type type, const char *name, const char *help,
		 double value)
{
	const struct kvrel_metric metric = { .name = name, .help = help, .type = type, .value = value };
	taker->take(taker->context, &metric);
}

/* ---- the node's own ---- */

static double cpu_seconds(void)
{
	struct timespec used = { 0 };
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void give_release(const struct taker *taker, const struct node *node)
{
	const struct kvrel_metric metric = {
		.name = "kvrel_release",
		.help = "The version of the release that runs.",
		.type = KVREL_GAUGE,
		.label = "version",
		.label_value = { node->sys.release_version, strlen(node->sys.release_version) },
		.value = 1,
	};
	taker->take(taker->context, &metric);
}

static void give_node(const struct taker *taker, const struct node *node)
{
	struct net_stats stats = { 0 };
	int64_t memory = status_memory_bytes();
	if (node->net != NULL)
		net_stats(node->net, &stats);
	give_release(taker, node);
	give(taker, KVREL_GAUGE, "kvrel_uptime_seconds", "Time since the node began to boot.",
	     (double)(node_now_ms() - node->started_ms) / 1000);
	give(taker, KVREL_COUNTER, "kvrel_cpu_seconds", "Processor time used by all threads.", cpu_seconds());
	if (memory >= 0)
		give(taker, KVREL_GAUGE, "kvrel_memory_bytes", "Resident memory.", (double)memory);
	give(taker, KVREL_GAUGE, "kvrel_workers", "Worker threads.", node->flags.workers);
	give(taker, KVREL_GAUGE, "kvrel_connections", "Open connections.", (double)stats.connections);
	give(taker, KVREL_GAUGE, "kvrel_connections_max", "Connections that may be open.", node->flags.max_connections);
	give(taker, KVREL_COUNTER, "kvrel_connections_accepted", "Connections accepted.", (double)stats.accepted);
	give(taker, KVREL_COUNTER, "kvrel_connections_refused", "Connections refused.", (double)stats.refused);
	give(taker, KVREL_COUNTER, "kvrel_requests", "Requests answered or under way.", (double)stats.requests);
	give(taker, KVREL_COUNTER, "kvrel_received_bytes", "Bytes received from clients.", (double)stats.bytes_in);
	give(taker, KVREL_COUNTER, "kvrel_sent_bytes", "Bytes sent to clients.", (double)stats.bytes_out);
}

/* ---- components ---- */

static enum component_state state_of(struct components *components, const struct component *component)
{
	pthread_mutex_lock(&components->lock);
	enum component_state state = component->state;
	pthread_mutex_unlock(&components->lock);
	return state;
}

static void give_components(const struct taker *taker, struct components *components, bool restarts)
{
	for (size_t i = 0; i < components->count; i++) {
		const struct component *component = &components->items[i];
		bool up = state_of(components, component) == COMPONENT_STARTED;
		const struct kvrel_metric metric = {
			.name = restarts ? "kvrel_component_restarts" : "kvrel_component_up",
			.help = restarts ? "How often a component was started again." : "1 for a component that runs.",
			.type = restarts ? KVREL_COUNTER : KVREL_GAUGE,
			.label = "component",
			.label_value = { component->sys->name, strlen(component->sys->name) },
			.value = restarts ? component->restarts : up,
		};
		taker->take(taker->context, &metric);
	}
}

struct stats {
	const struct taker *taker;
	const char *component;
};

static bool to_number(const struct kvrel_result *item, double *out)
{
	char text[32];
	char *end = NULL;
	if (item->kind == KVREL_INT) {
		*out = (double)item->integer;
		return true;
	}
	if (item->kind != KVREL_BYTES || item->bytes.size == 0 || item->bytes.size >= sizeof(text))
		return false;
	memcpy(text, item->bytes.data, item->bytes.size);
	text[item->bytes.size] = '\0';
	*out = strtod(text, &end);
	return *end == '\0';
}

static void on_stats(void *context, const struct kvrel_result *result)
{
	const struct stats *stats = context;
	if (result->status != KVREL_OK || result->kind != KVREL_PAIRS)
		return;
	for (size_t i = 0; i + 1 < result->count; i += 2) {
		struct kvrel_slice key = result->items[i].bytes;
		char name[NAME_BYTES];
		double value;
		int size = snprintf(name, sizeof(name), "%s_%.*s", stats->component, (int)key.size, key.data);
		/* what is no number, or no name, is for people */
		if (size < (int)sizeof(name) && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' &&
		    to_number(&result->items[i + 1], &value))
			give(stats->taker, KVREL_GAUGE, name, "A figure of the component's operation 'stats'.", value);
	}
}

static void give_stats(const struct taker *taker, struct components *components, const struct component *own)
{
	for (size_t i = 0; i < components->count; i++) {
		struct component *component = &components->items[i];
		char name[NAME_BYTES];
		struct component *provider = NULL;
		snprintf(name, sizeof(name), "%s.stats", component->sys->name);
		if (component == own || state_of(components, component) != COMPONENT_STARTED)
			continue;
		const struct net_op *op = component_op(components, name, &provider);
		struct stats stats = { taker, component->sys->name };
		if (op != NULL && op->ref.op->min_args == 0)
			call_wait(components, provider, op, NULL, 0, on_stats, &stats);
	}
}

void metrics_take(struct kvrel_node *view, kvrel_metric_fn *take, void *context)
{
	const struct taker taker = { take, context };
	struct node *node = view->node;
	give_node(&taker, node);
	give_components(&taker, &node->components, false);
	give_components(&taker, &node->components, true);
	give_stats(&taker, &node->components, view->component);
}

/* ---- health ---- */

bool metrics_healthy(struct kvrel_node *view, char *reason, size_t reason_size)
{
	struct node *node = view->node;
	int64_t turned_ms = atomic_load(&node->tick.last_ms);
	if (node->state != NODE_RUNNING) {
		snprintf(reason, reason_size, "the node is %s", node_state_name(node->state));
		return false;
	}
	if (turned_ms > 0 && node_now_ms() - turned_ms > HANGS_MS) {
		snprintf(reason, reason_size, "the main thread has not turned for %lld ms",
			 (long long)(node_now_ms() - turned_ms));
		return false;
	}
	for (size_t i = 0; i < node->components.count; i++) {
		const struct component *component = &node->components.items[i];
		enum component_state state = state_of(&node->components, component);
		if (component->sys->mode < MODE_TRANSIENT || state == COMPONENT_STARTED)
			continue;
		snprintf(reason, reason_size, "component '%s' is %s", component->sys->name,
			 component_state_name(state));
		return false;
	}
	return true;
}
