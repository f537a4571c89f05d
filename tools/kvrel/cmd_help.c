/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/term.h"

#include <stdlib.h>

int cmd_help(struct cli *cli)
{
	if (cli->argument_count == 0) {
		help_overview(stdout);
		return 0;
	}
	const char *word = cli->arguments[0];
	const struct command *command = command_find(word);
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
