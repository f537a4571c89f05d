/* SPDX-License-Identifier: MIT */
/* COMMAND: what client libraries ask about the commands, out of the table. */
#include "request.h"

#include <string.h>
#include <strings.h>

/* ---- INFO and DOCS ---- */

typedef void write_word_fn(struct text *text, struct kvrel_slice word);

static void write_plain(struct text *text, struct kvrel_slice word)
{
	text_format(text, "+%.*s\r\n", (int)word.size, word.data);
}

/* *words moves behind the word and its blank; false at the end. */
static bool next_word(const char **words, struct kvrel_slice *word)
{
	*word = (struct kvrel_slice){ *words, strcspn(*words, " ") };
	*words += word->size;
	*words += **words == ' ';
	return word->size > 0;
}

static void write_words(struct text *text, const char *words, write_word_fn *write)
{
	struct kvrel_slice word;
	size_t count = 0;
	for (const char *at = words; next_word(&at, &word);)
		count++;
	text_set(text, count);
	while (next_word(&words, &word))
		write(text, word);
}

static void write_number(struct text *text, const char *name, int64_t number)
{
	text_string(text, name);
	text_integer(text, number);
}

/* Where to begin looking for keys, and how to find them from there. */
static void write_search(struct text *text, const char *step, const char *type)
{
	text_string(text, step);
	text_map(text, 2);
	text_string(text, "type");
	text_string(text, type);
	text_string(text, "spec");
}

static void write_key_specs(struct text *text, const struct command *command, const char *access)
{
	text_set(text, *access ? 1 : 0);
	if (!*access)
		return;
	text_map(text, 3);
	text_string(text, "flags");
	write_words(text, access, write_plain);
	write_search(text, "begin_search", "index");
	text_map(text, 1);
	write_number(text, "index", 1);
	write_search(text, "find_keys", "range");
	text_map(text, 3);
	write_number(text, "lastkey", command->flags & COMMAND_KEYS ? -1 : 0); /* from the first one */
	write_number(text, "keystep", 1);
	write_number(text, "limit", 0);
}

/* Name, arity, flags, first key, last key, step, then what later versions added: categories, tips, key specs,
 * sub-commands, which are not listed. */
static void write_command(struct text *text, const struct command *command)
{
	const struct traits *traits = traits_of(command);
	bool keyed = *traits->access;
	text_array(text, 10);
	text_string(text, command->name);
	text_integer(text, command->arity);
	write_words(text, traits->flags, write_plain);
	text_integer(text, keyed ? 1 : 0);
	text_integer(text, command->flags & COMMAND_KEYS ? -1 : keyed ? 1 : 0);
	text_integer(text, keyed ? 1 : 0);
	write_words(text, traits->categories, write_plain);
	write_words(text, traits->tips, text_bulk);
	write_key_specs(text, command, traits->access);
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

static void write_arguments(struct text *text, const struct argument *arguments);

static void write_argument(struct text *text, const struct argument *argument)
{
	bool is_key = strcmp(argument->type, "key") == 0;
	text_map(text, 2 + is_key + (argument->token != NULL) + (argument->flags != NULL) + (argument->parts != NULL));
	text_string(text, "name");
	text_string(text, argument->name);
	text_string(text, "type");
	text_string(text, argument->type);
	if (is_key)
		write_number(text, "key_spec_index", 0);
	if (argument->token) {
		text_string(text, "token");
		text_string(text, argument->token);
	}
	if (argument->flags) {
		text_string(text, "flags");
		write_words(text, argument->flags, write_plain);
	}
	if (argument->parts)
		write_arguments(text, argument->parts);
}

static void write_arguments(struct text *text, const struct argument *arguments)
{
	size_t count = 0;
	while (arguments[count].name)
		count++;
	text_string(text, "arguments");
	text_array(text, count);
	for (size_t i = 0; i < count; i++)
		write_argument(text, &arguments[i]);
}

static void write_doc(struct text *text, const struct command *command)
{
	const struct argument *arguments = traits_of(command)->arguments;
	text_string(text, command->name);
	text_map(text, arguments ? 4 : 3);
	text_string(text, "summary");
	text_string(text, command->summary);
	text_string(text, "since");
	text_string(text, "1.0.0");
	text_string(text, "group");
	text_string(text, command->group);
	if (arguments)
		write_arguments(text, arguments);
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

static bool is_of_category(const struct command *command, struct kvrel_slice category)
{
	struct kvrel_slice word;
	for (const char *at = traits_of(command)->categories; next_word(&at, &word);) {
		if (category.size == word.size - 1 && strncasecmp(word.data + 1, category.data, category.size) == 0)
			return true;
	}
	return false;
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

/* One of the keys of a command, `access` NULL, or with what is done to it. */
static void write_key(struct text *text, struct kvrel_slice key, const char *access)
{
	if (access)
		text_array(text, 2);
	text_bulk(text, key);
	if (access)
		write_words(text, access, write_plain);
}

static bool answer_keys(struct request *request, bool with_access)
{
	const struct command *command = command_find(request->args[2]);
	struct text text = { .resp3 = request->session->resp3 };
	if (!command)
		return request_error(request, "ERR Invalid command specified");
	if (!(command->flags & (COMMAND_KEY | COMMAND_KEYS)))
		return request_error(request, "ERR The command has no key arguments");
	if (!arity_takes(command->arity, request->count - 2))
		return request_error(request, "ERR Invalid number of arguments specified for command");
	uint32_t end = command->flags & COMMAND_KEYS ? request->count : 4;
	text_array(&text, end - 3);
	for (uint32_t i = 3; i < end; i++)
		write_key(&text, request->args[i], with_access ? traits_of(command)->access : NULL);
	return request_answer(request, &text);
}

static bool command_getkeys(struct request *request)
{
	return answer_keys(request, false);
}

static bool command_getkeys_and_flags(struct request *request)
{
	return answer_keys(request, true);
}

const struct subcommand command_family[] = {
	{ "count", 2, command_how_many, "COUNT", "Return the total number of commands in this server." },
	{ "docs", -2, command_docs, "DOCS [<command-name> ...]",
	  "Return documentation details about multiple commands." },
	{ "getkeys", -4, command_getkeys, "GETKEYS <full-command>", "Return the keys from a full command." },
	{ "getkeysandflags", -4, command_getkeys_and_flags, "GETKEYSANDFLAGS <full-command>",
	  "Return the keys and what is done to them from a full command." },
	{ "info", -2, command_info, "INFO [<command-name> ...]", "Return details about multiple commands." },
	{ "list", -2, command_list, "LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]",
	  "Return a list of all commands in this server." },
	{ 0 },
};

bool run_command(struct request *request)
{
	return request->count == 1 ? command_all(request) : subcommand_run(request);
}
