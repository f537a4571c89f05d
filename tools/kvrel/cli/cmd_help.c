/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/term.h"

#include <stdlib.h>

static struct value *option_document(struct cli *cli, const struct option *option)
{
	struct value *map = value_map(&cli->arena);
	const char letter[] = { option->letter, '\0' };
	cli_set_text(cli, map, "name", option->name);
	cli_set_text(cli, map, "letter", option->letter ? letter : NULL);
	cli_set_text(cli, map, "argument", option->argument);
	cli_set_text(cli, map, "help", option->help);
	cli_set(cli, map, "repeatable", value_bool(&cli->arena, option->kind == OPTION_LIST));
	return map;
}

static struct value *command_document(struct cli *cli, const struct command *command)
{
	struct value *map = value_map(&cli->arena), *options = value_list(&cli->arena);
	cli_set_text(cli, map, "name", command->name);
	cli_set_text(cli, map, "summary", command->summary);
	cli_set_text(cli, map, "arguments", command->arguments);
	cli_set_text(cli, map, "page", command->page);
	for (size_t i = 0; i < command->option_count; i++)
		value_list_add(&cli->arena, options, option_document(cli, &command->options[i]));
	cli_set(cli, map, "options", options);
	return map;
}

int help_document(struct cli *cli, const struct command *only)
{
	struct value *document = cli_document(cli, true), *list = value_list(&cli->arena);
	for (size_t i = 0; i < command_count; i++)
		if (!only || only == &commands[i])
			value_list_add(&cli->arena, list, command_document(cli, &commands[i]));
	cli_set(cli, document, "commands", list);
	cli_json(document);
	return 0;
}

int cmd_help(struct cli *cli)
{
	if (cli->argument_count == 0) {
		if (cli->options.json)
			return help_document(cli, NULL);
		help_overview(stdout);
		return 0;
	}
	const char *word = cli->arguments[0];
	const struct command *command = command_find(word);
	if (command && cli->options.json)
		return help_document(cli, command);
	if (command) {
		help_page(stdout, command);
		return 0;
	}
	const char **names = arena_array(&cli->arena, command_count, sizeof(char *));
	for (size_t i = 0; i < command_count; i++)
		names[i] = commands[i].name;
	const char *nearest = term_suggest(word, names, command_count);
	if (nearest)
		return cli_usage(cli, "no help for '%s' (did you mean '%s'?)", word, nearest);
	return cli_usage(cli, "no help for '%s'", word);
}
