/* SPDX-License-Identifier: MIT */
/* What clients ask about the server before they trust it: CONFIG and INFO. */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t clock_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* ---- CONFIG ---- */

struct parameter {
	const char *name;
	char value[80];
};

enum { PARAMETERS = 13 };

static void list_parameters(const struct server *server, struct parameter out[PARAMETERS])
{
	static const char *const fixed[][2] = {
		{ "save", "" },
		{ "appendonly", "yes" },
		{ "databases", "1" },
		{ "maxmemory", "0" },
		{ "maxmemory-policy", "noeviction" },
		{ "timeout", "0" },
		{ "notify-keyspace-events", "" },
		{ "cluster-enabled", "no" },
		{ "slave-read-only", "yes" },
		{ "replica-read-only", "yes" },
	};
	size_t count = 0;
	for (; count < sizeof(fixed) / sizeof(fixed[0]); count++) {
		out[count].name = fixed[count][0];
		snprintf(out[count].value, sizeof(out[count].value), "%s", fixed[count][1]);
	}
	out[count].name = "port";
	snprintf(out[count++].value, sizeof(out[0].value), "%d", server->port);
	out[count].name = "bind";
	snprintf(out[count++].value, sizeof(out[0].value), "%s", server->address);
	out[count].name = "proto-max-bulk-len";
	snprintf(out[count++].value, sizeof(out[0].value), "%zu",
		 atomic_load_explicit(&server->max_request, memory_order_relaxed));
}

static bool is_asked_for(const struct request *request, const char *name)
{
	for (uint32_t i = 2; i < request->count; i++) {
		if (word_matches(name, request->args[i]))
			return true;
	}
	return false;
}

static bool config_get(struct request *request)
{
	struct parameter parameters[PARAMETERS];
	struct text text = { .resp3 = request->session->resp3 };
	list_parameters(request->server, parameters);
	size_t count = 0;
	for (size_t i = 0; i < PARAMETERS; i++)
		count += is_asked_for(request, parameters[i].name);
	text_map(&text, count);
	for (size_t i = 0; i < PARAMETERS; i++) {
		if (!is_asked_for(request, parameters[i].name))
			continue;
		text_string(&text, parameters[i].name);
		text_string(&text, parameters[i].value);
	}
	return request_answer(request, &text);
}

static const struct parameter *find_parameter(const struct parameter *parameters, struct kvrel_slice name)
{
	for (size_t i = 0; i < PARAMETERS; i++) {
		if (word_is(name, parameters[i].name))
			return &parameters[i];
	}
	return NULL;
}

static bool is_repeated(const struct request *request, uint32_t index, const char *name)
{
	for (uint32_t i = 2; i < index; i += 2) {
		if (word_is(request->args[i], name))
			return true;
	}
	return false;
}

static int shown(struct kvrel_slice word)
{
	return (int)(word.size > 128 ? 128 : word.size);
}

static bool refuse_setting(const struct request *request, struct kvrel_slice name, const char *why)
{
	return request_error(request, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", shown(name),
			     name.data, why);
}

/* Settings are the node's: a client may say what holds anyway, and change nothing. */
static bool config_set(struct request *request)
{
	struct parameter parameters[PARAMETERS];
	list_parameters(request->server, parameters);
	if (request->count % 2 != 0)
		return request_error(request, "ERR syntax error");
	for (uint32_t i = 2; i < request->count; i += 2) {
		struct kvrel_slice name = request->args[i];
		const struct parameter *found = find_parameter(parameters, name);
		if (!found)
			return request_error(request,
					     "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
					     shown(name), name.data);
		if (is_repeated(request, i, found->name))
			return refuse_setting(request, name, "duplicate parameter");
		if (!word_is(request->args[i + 1], found->value))
			return refuse_setting(request, name, "can't set immutable config");
	}
	return request_ok(request);
}

static bool config_resetstat(struct request *request)
{
	client_reset_figures(request->server);
	return request_ok(request);
}

static bool config_rewrite(struct request *request)
{
	return request_error(request, "ERR The server is running without a config file");
}

const struct subcommand config_family[] = {
	{ "get", -3, config_get, "GET <pattern>",
	  "Return parameters matching the glob-like <pattern> and their values." },
	{ "resetstat", 2, config_resetstat, "RESETSTAT", "Reset statistics reported by the INFO command." },
	{ "rewrite", 2, config_rewrite, "REWRITE", "Refused: settings are the node's." },
	{ "set", -4, config_set, "SET <directive> <value>", "Accepted where it changes nothing." },
	{ 0 },
};

/* ---- INFO ---- */

enum section { SERVER, CLIENTS, MEMORY, PERSISTENCE, STATS, REPLICATION, CLUSTER, KEYSPACE, SECTIONS };

static const char *const section_names[SECTIONS] = {
	"server", "clients", "memory", "persistence", "stats", "replication", "cluster", "keyspace",
};
_Static_assert(SECTIONS <= 32 - TAG_SECTIONS, "a tag has room for all sections");

static unsigned section_of(struct kvrel_slice word)
{
	if (word_is(word, "default") || word_is(word, "all") || word_is(word, "everything"))
		return (1u << SECTIONS) - 1;
	for (unsigned i = 0; i < SECTIONS; i++) {
		if (word_is(word, section_names[i]))
			return 1u << i;
	}
	return 0;
}

bool run_info(struct request *request)
{
	static const struct kvrel_slice all = { "all", 3 };
	request->sections = request->count == 1 ? section_of(all) : 0;
	for (uint32_t i = 1; i < request->count; i++)
		request->sections |= section_of(request->args[i]);
	bool taken = request_ask(request, request->server->count_op, NULL, 0, SHAPE_INFO);
	request->sections = 0;
	return taken;
}

static unsigned long long resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void write_server(const struct server *server, const char *node_name, struct text *text)
{
	int64_t up_s = clock_s() - server->started_s;
	text_format(text, "redis_version:7.0.0\r\nredis_mode:standalone\r\nserver_name:kvrel\r\nnode:%s\r\n",
		    node_name);
	text_format(text, "os:Linux\r\narch_bits:%zu\r\nprocess_id:%ld\r\ntcp_port:%d\r\n", sizeof(void *) * 8,
		    (long)getpid(), server->port);
	text_format(text, "uptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\n", (long long)up_s,
		    (long long)(up_s / 86400));
}

static void write_memory(struct text *text)
{
	unsigned long long bytes = resident_bytes();
	text_format(text,
		    "used_memory:%llu\r\nused_memory_human:%.2fM\r\nused_memory_rss:%llu\r\nmaxmemory:0\r\n"
		    "maxmemory_policy:noeviction\r\n",
		    bytes, (double)bytes / (1 << 20), bytes);
}

static void write_clients(struct server *server, struct text *text)
{
	text_format(text, "connected_clients:%llu\r\nblocked_clients:0\r\n",
		    (unsigned long long)client_figures(server).open);
}

static void write_stats(struct server *server, struct text *text)
{
	struct client_figures figures = client_figures(server);
	text_format(text, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
		    (unsigned long long)figures.connected, (unsigned long long)figures.commands);
}

static void write_section(enum section section, struct server *server, const char *node_name, int64_t buckets,
			  struct text *text)
{
	switch (section) {
	case SERVER:
		write_server(server, node_name, text);
		break;
	case CLIENTS:
		write_clients(server, text);
		break;
	case MEMORY:
		write_memory(text);
		break;
	case PERSISTENCE:
		text_format(text, "loading:0\r\naof_enabled:1\r\n");
		break;
	case STATS:
		write_stats(server, text);
		break;
	case REPLICATION:
		text_format(text, "role:master\r\nconnected_slaves:0\r\n");
		break;
	case CLUSTER:
		text_format(text, "cluster_enabled:0\r\n");
		break;
	case KEYSPACE:
		if (buckets > 0)
			text_format(text, "db0:keys=%lld,expires=0,avg_ttl=0\r\n", (long long)buckets);
		break;
	case SECTIONS:
		break;
	}
}

void info_write(struct server *server, const char *node_name, int64_t buckets, unsigned sections, struct text *text)
{
	for (unsigned i = 0; i < SECTIONS; i++) {
		if (!(sections & 1u << i))
			continue;
		text_format(text, "%s# %c%s\r\n", text->size ? "\r\n" : "", section_names[i][0] & ~0x20,
			    section_names[i] + 1);
		write_section((enum section)i, server, node_name, buckets, text);
	}
}
