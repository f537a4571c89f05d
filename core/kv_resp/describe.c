/* SPDX-License-Identifier: MIT */
/* What clients ask about the server before they trust it: COMMAND, CONFIG GET, INFO. */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- COMMAND ---- */

static void write_flags(struct text *text, const struct command *command)
{
	const char *flags[3];
	size_t count = 0;
	if (command->flags & COMMAND_READ)
		flags[count++] = "readonly";
	if (command->flags & COMMAND_WRITE)
		flags[count++] = "write";
	if (command->flags & COMMAND_GUEST)
		flags[count++] = "no-auth";
	text_array(text, count);
	for (size_t i = 0; i < count; i++)
		text_simple(text, flags[i]);
}

/* Name, arity, flags, first key, last key, step, then what later versions added: categories, tips, key specs,
 * sub-commands. */
static void write_command(struct text *text, const struct command *command)
{
	bool keyed = command->flags & (COMMAND_KEY | COMMAND_KEYS);
	text_array(text, 10);
	text_string(text, command->name);
	text_integer(text, command->arity);
	write_flags(text, command);
	text_integer(text, keyed ? 1 : 0);
	text_integer(text, command->flags & COMMAND_KEYS ? -1 : keyed ? 1 : 0);
	text_integer(text, keyed ? 1 : 0);
	for (int i = 0; i < 4; i++)
		text_array(text, 0);
}

static bool command_all(struct request *request)
{
	struct text text = { .resp3 = request->session->resp3 };
	text_array(&text, command_count);
	for (size_t i = 0; i < command_count; i++)
		write_command(&text, &command_table[i]);
	return request_answer(request, &text);
}

static bool command_info(struct request *request)
{
	struct text text = { .resp3 = request->session->resp3 };
	if (request->count == 2)
		return command_all(request);
	text_array(&text, request->count - 2);
	for (uint32_t i = 2; i < request->count; i++) {
		const struct command *command = command_find(request->args[i]);
		if (command)
			write_command(&text, command);
		else
			text_nil(&text);
	}
	return request_answer(request, &text);
}

static bool command_how_many(struct request *request)
{
	struct text text = { 0 };
	text_integer(&text, (int64_t)command_count);
	return request_answer(request, &text);
}

static bool command_list(struct request *request)
{
	struct text text = { 0 };
	text_array(&text, command_count);
	for (size_t i = 0; i < command_count; i++)
		text_string(&text, command_table[i].name);
	return request_answer(request, &text);
}

static void write_doc(struct text *text, const struct command *command)
{
	text_string(text, command->name);
	text_map(text, 3);
	text_string(text, "summary");
	text_string(text, command->summary);
	text_string(text, "since");
	text_string(text, "1.0.0");
	text_string(text, "group");
	text_string(text, command->group);
}

static bool command_docs(struct request *request)
{
	const struct command *found[COMMANDS_MAX];
	struct text text = { .resp3 = request->session->resp3 };
	size_t count = 0;
	for (size_t i = 0; request->count == 2 && i < command_count; i++)
		found[count++] = &command_table[i];
	for (uint32_t i = 2; i < request->count && count < COMMANDS_MAX; i++) {
		const struct command *command = command_find(request->args[i]);
		if (command)
			found[count++] = command;
	}
	text_map(&text, count);
	for (size_t i = 0; i < count; i++)
		write_doc(&text, found[i]);
	return request_answer(request, &text);
}

bool run_command(struct request *request)
{
	static const struct subcommand table[] = {
		{ "count", 2, command_how_many },
		{ "docs", -2, command_docs },
		{ "info", -2, command_info },
		{ "list", 2, command_list },
	};
	if (request->count == 1)
		return command_all(request);
	return subcommand_run(request, table, sizeof(table) / sizeof(table[0]));
}

/* ---- CONFIG GET ---- */

struct parameter {
	const char *name;
	char value[80];
};

enum { PARAMETERS = 8 };

static void list_parameters(const struct server *server, struct parameter out[PARAMETERS])
{
	static const char *const fixed[][2] = {
		{ "save", "" }, { "appendonly", "yes" }, { "databases", "1" }, { "maxmemory", "0" }, { "timeout", "0" },
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

/* Patterns with * alone, which is all that clients use here. */
static bool matches(const char *name, struct kvrel_slice pattern)
{
	const char *p = pattern.data, *end = p + pattern.size, *star = NULL, *resume = NULL;
	while (*name) {
		if (p < end && *p == '*') {
			star = ++p;
			resume = name;
		} else if (p < end && (*p | 0x20) == (*name | 0x20)) {
			p++;
			name++;
		} else if (star) {
			p = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

static bool is_asked_for(const struct request *request, const char *name)
{
	for (uint32_t i = 2; i < request->count; i++) {
		if (matches(name, request->args[i]))
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

bool run_config(struct request *request)
{
	static const struct subcommand table[] = { { "get", -3, config_get } };
	return subcommand_run(request, table, sizeof(table) / sizeof(table[0]));
}

/* ---- INFO ---- */

bool run_info(struct request *request)
{
	return request_ask(request, request->server->count_op, NULL, 0, SHAPE_INFO);
}

static int64_t now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void describe_info(const struct server *server, const char *node_name, int64_t buckets, struct text *text)
{
	int64_t up_s = now_s() - server->started_s;
	text_format(text,
		    "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nserver_name:kvrel\r\nnode:%s\r\n"
		    "arch_bits:%zu\r\nprocess_id:%ld\r\ntcp_port:%d\r\nuptime_in_seconds:%lld\r\n\r\n",
		    node_name, sizeof(void *) * 8, (long)getpid(), server->port, (long long)up_s);
	text_format(text,
		    "# Clients\r\nconnected_clients:%llu\r\n\r\n# Stats\r\ntotal_connections_received:%llu\r\n\r\n",
		    (unsigned long long)atomic_load(&server->clients),
		    (unsigned long long)atomic_load(&server->connected));
	text_format(text, "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n# Keyspace\r\n");
	if (buckets > 0)
		text_format(text, "db0:keys=%lld,expires=0,avg_ttl=0\r\n", (long long)buckets);
}
