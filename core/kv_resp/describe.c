/* SPDX-License-Identifier: MIT */
/* COMMAND: what client libraries ask about the commands, out of the table. */
#include "request.h"

#include <string.h>

/* ---- INFO and DOCS ---- */

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
	text_set(text, count);
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
		text_set(text, 0);
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
	struct text text = { .resp3 = request->session->resp3 };
	bool all = request->count == 2;
	size_t count = all ? command_count : 0;
	for (uint32_t i = 2; i < request->count; i++)
		count += command_find(request->args[i]) != NULL;
	text_map(&text, count);
	for (size_t i = 0; all && i < command_count; i++)
		write_doc(&text, &command_table[i]);
	for (uint32_t i = 2; i < request->count; i++) {
		const struct command *command = command_find(request->args[i]);
		if (command)
			write_doc(&text, command);
	}
	return request_answer(request, &text);
}

/* ---- LIST and GETKEYS ---- */

static const char *category_of(const char *group)
{
	if (strcmp(group, "generic") == 0)
		return "keyspace";
	return strcmp(group, "transactions") == 0 ? "transaction" : group;
}

/* The categories of Redis that fit: what it does to keys, and what it is about. */
static bool is_of_category(const struct command *command, struct kvrel_slice category)
{
	return (command->flags & COMMAND_READ && word_is(category, "read")) ||
	       (command->flags & COMMAND_WRITE && word_is(category, "write")) ||
	       word_is(category, category_of(command->group));
}

static bool is_listed(const struct request *request, const struct command *command)
{
	if (request->count == 2)
		return true;
	struct kvrel_slice by = request->args[3], value = request->args[4];
	return word_is(by, "pattern")  ? word_matches(command->name, value)
	       : word_is(by, "aclcat") ? is_of_category(command, value)
				       : false; /* MODULE: there are none */
}

static bool command_list(struct request *request)
{
	const struct command *found[COMMANDS_MAX];
	struct text text = { 0 };
	size_t count = 0;
	if (request->count != 2 && (request->count != 5 || !word_is(request->args[2], "filterby") ||
				    !(word_is(request->args[3], "module") || word_is(request->args[3], "aclcat") ||
				      word_is(request->args[3], "pattern"))))
		return request_error(request, "ERR syntax error");
	for (size_t i = 0; i < command_count; i++) {
		if (is_listed(request, &command_table[i]))
			found[count++] = &command_table[i];
	}
	text_array(&text, count);
	for (size_t i = 0; i < count; i++)
		text_string(&text, found[i]->name);
	return request_answer(request, &text);
}

static bool command_getkeys(struct request *request)
{
	const struct command *command = command_find(request->args[2]);
	struct text text = { 0 };
	if (!command)
		return request_error(request, "ERR Invalid command specified");
	if (!(command->flags & (COMMAND_KEY | COMMAND_KEYS)))
		return request_error(request, "ERR The command has no key arguments");
	if (!arity_takes(command->arity, request->count - 2))
		return request_error(request, "ERR Invalid number of arguments specified for command");
	uint32_t end = command->flags & COMMAND_KEYS ? request->count : 4;
	text_array(&text, end - 3);
	for (uint32_t i = 3; i < end; i++)
		text_bulk(&text, request->args[i]);
	return request_answer(request, &text);
}

const struct subcommand command_family[] = {
	{ "count", 2, command_how_many, "COUNT", "Return the total number of commands in this server." },
	{ "docs", -2, command_docs, "DOCS [<command-name> ...]",
	  "Return documentation details about multiple commands." },
	{ "getkeys", -4, command_getkeys, "GETKEYS <full-command>", "Return the keys from a full command." },
	{ "info", -2, command_info, "INFO [<command-name> ...]", "Return details about multiple commands." },
	{ "list", -2, command_list, "LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]",
	  "Return a list of all commands in this server." },
	{ 0 },
};

bool run_command(struct request *request)
{
	return request->count == 1 ? command_all(request) : subcommand_run(request);
}
