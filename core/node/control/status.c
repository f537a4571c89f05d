/* SPDX-License-Identifier: MIT */
#include "node/control/status.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/node.h"

#include <stdio.h>
#include <unistd.h>

int64_t status_memory_bytes(void)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct slice total;
	struct slice rest;
	struct slice resident;
	int64_t pages;
	if (fs_read("/proc/self/statm", 256, &text, NULL) != 0)
		return -1; /* a root without /proc */
	slice_split(buf_slice(&text), ' ', &total, &rest);
	slice_split(rest, ' ', &resident, &rest);
	return slice_to_int64(resident, &pages) ? pages * sysconf(_SC_PAGESIZE) : -1;
}

static void add_text(struct arena *arena, struct value *map, const char *key, const char *text)
{
	value_map_add(arena, map, slice_of(key), value_string(arena, slice_of(text)));
}

static void add_int(struct arena *arena, struct value *map, const char *key, int64_t number)
{
	value_map_add(arena, map, slice_of(key), value_int(arena, number));
}

static struct value *listeners_tree(struct arena *arena, const struct component *component)
{
	struct value *list = value_list(arena);
	for (unsigned i = 0; i < component->listeners && i < COMPONENT_ADDRESSES; i++)
		value_list_add(arena, list, value_string(arena, slice_of(component->addresses[i])));
	return list;
}

static struct value *boot_tree(struct arena *arena, const struct node *node)
{
	struct value *boot = value_map(arena);
	add_text(arena, boot, "reason", node->boot_reason != NULL ? node->boot_reason : "start");
	add_int(arena, boot, "time", node->boot_time_s);
	return boot;
}

static struct value *components_tree(struct arena *arena, const struct components *components)
{
	struct value *list = value_list(arena);
	for (size_t i = 0; i < components->count; i++) {
		const struct component *component = &components->items[i];
		struct value *entry = value_map(arena);
		add_text(arena, entry, "name", component->sys->name);
		add_text(arena, entry, "version", component->sys->version);
		add_text(arena, entry, "mode", component_mode_name(component->sys->mode));
		add_text(arena, entry, "state", component_state_name(component->state));
		add_int(arena, entry, "restarts", component->restarts);
		value_map_add(arena, entry, SLICE("listeners"), listeners_tree(arena, component));
		if (component->state == COMPONENT_FAILED)
			add_text(arena, entry, "reason", component->reason.message);
		value_list_add(arena, list, entry);
	}
	return list;
}

/* one decimal */
static double rate(const struct node *node)
{
	return (double)(int64_t)(tick_rate(&node->tick) * 10 + 0.5) / 10;
}

static struct value *status_tree(struct arena *arena, const struct node *node)
{
	struct net_stats stats = { 0 };
	if (node->net != NULL)
		net_stats(node->net, &stats);
	struct value *tree = value_map(arena);
	add_text(arena, tree, "node", node->release.node);
	add_text(arena, tree, "release", node->sys.release_name);
	add_text(arena, tree, "version", node->sys.release_version);
	add_text(arena, tree, "runtime", KVREL_VERSION);
	add_text(arena, tree, "state", node_state_name(node->state));
	add_int(arena, tree, "pid", getpid());
	add_int(arena, tree, "uptime_ms", node_now_ms() - node->started_ms);
	value_map_add(arena, tree, SLICE("boot"), boot_tree(arena, node));
	value_map_add(arena, tree, SLICE("components"), components_tree(arena, &node->components));
	add_int(arena, tree, "workers", node->flags.workers);
	add_int(arena, tree, "connections", (int64_t)stats.connections);
	add_int(arena, tree, "accepted", (int64_t)stats.accepted);
	add_int(arena, tree, "refused", (int64_t)stats.refused);
	add_int(arena, tree, "requests", (int64_t)stats.requests);
	value_map_add(arena, tree, SLICE("requests_per_second"), value_float(arena, rate(node)));
	add_int(arena, tree, "bytes_in", (int64_t)stats.bytes_in);
	add_int(arena, tree, "bytes_out", (int64_t)stats.bytes_out);
	add_int(arena, tree, "memory_bytes", status_memory_bytes());
	value_map_add(arena, tree, SLICE("config"), config_describe(&node->config, arena));
	return tree;
}

static void write_components(struct buf *out, const struct components *components)
{
	for (size_t i = 0; i < components->count; i++) {
		const struct component *component = &components->items[i];
		buf_printf(out, "%-12s %s %s, %s, %s", i == 0 ? "components" : "", component->sys->name,
			   component->sys->version, component_mode_name(component->sys->mode),
			   component_state_name(component->state));
		for (unsigned j = 0; j < component->listeners && j < COMPONENT_ADDRESSES; j++)
			buf_printf(out, "%s%s", j == 0 ? ", listens on " : " ", component->addresses[j]);
		if (component->restarts > 0)
			buf_printf(out, ", restarts: %u", component->restarts);
		if (component->state == COMPONENT_FAILED)
			buf_printf(out, ": %s", component->reason.message);
		buf_append_char(out, '\n');
	}
}

static void write_text(const struct node *node, struct buf *out)
{
	struct net_stats stats = { 0 };
	if (node->net != NULL)
		net_stats(node->net, &stats);
	int64_t seconds = (node_now_ms() - node->started_ms) / 1000;
	int64_t memory = status_memory_bytes();
	buf_printf(out, "%-12s %s\n", "node", node->release.node);
	buf_printf(out, "%-12s %s %s (runtime %s)\n", "release", node->sys.release_name, node->sys.release_version,
		   KVREL_VERSION);
	buf_printf(out, "%-12s %s, process %d\n", "state", node_state_name(node->state), (int)getpid());
	buf_printf(out, "%-12s %lldd %02lld:%02lld:%02lld\n", "uptime", (long long)seconds / 86400,
		   (long long)seconds / 3600 % 24, (long long)seconds / 60 % 60, (long long)seconds % 60);
	buf_printf(out, "%-12s %s\n", "boot", node->boot_reason != NULL ? node->boot_reason : "start");
	write_components(out, &node->components);
	buf_printf(out, "%-12s %llu open, %llu accepted, %llu refused, %u workers\n", "connections",
		   (unsigned long long)stats.connections, (unsigned long long)stats.accepted,
		   (unsigned long long)stats.refused, node->flags.workers);
	buf_printf(out, "%-12s %llu, %.1f a second\n", "requests", (unsigned long long)stats.requests, rate(node));
	if (memory >= 0)
		buf_printf(out, "%-12s %.1f MB resident\n", "memory", (double)memory / 1e6);
}

void status_write(const struct node *node, bool json, struct buf *out)
{
	if (!json) {
		write_text(node, out);
		return;
	}
	SCOPE(arena_done) struct arena arena = { 0 };
	json_write(out, status_tree(&arena, node), 0);
	buf_append_char(out, '\n');
}

void status_log(const struct node *node)
{
	SCOPE(buf_done) struct buf text = { 0 };
	write_text(node, &text);
	struct slice rest = slice_trim(buf_slice(&text));
	while (rest.size > 0) {
		struct slice line;
		slice_split(rest, '\n', &line, &rest);
		log_notice("status", LOG_NONE, "%.*s", SLICE_FMT(line));
	}
}
