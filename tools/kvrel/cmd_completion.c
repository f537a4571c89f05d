/* SPDX-License-Identifier: MIT */
/*
 * Completion scripts, written from the tables. Names of releases are asked of `kvrel list --names` at the time of
 * completing, so that they are those of the project at hand; its mistakes stay silent there.
 */
#include "cli.h"

#include "base/scope.h"
#include "base/term.h"

#define LIST_NAMES "kvrel list --names 2>/dev/null"

static void bash_options(const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++)
		printf("%s--%s", i ? " " : "", command->options[i].name);
}

static void bash_values(const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		if (option->choices)
			printf("\t\t%s:--%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", command->name,
			       option->name, option->choices);
		else if (option->argument && strcmp(option->argument, "DIR") == 0)
			printf("\t\t%s:--%s) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n", command->name,
			       option->name);
		else if (option->argument)
			printf("\t\t%s:--%s) return ;;\n", command->name, option->name);
	}
}

static void bash_arguments(const struct command *command)
{
	printf("\t\t%s) ", command->name);
	switch (command->completes) {
	case COMPLETES_RELEASES:
		printf("COMPREPLY=($(compgen -W \"$(" LIST_NAMES ")\" -- \"$word\"))");
		break;
	case COMPLETES_BUNDLES:
		printf("COMPREPLY=($(compgen -f -- \"$word\"))");
		break;
	case COMPLETES_COMMANDS:
		printf("COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))");
		break;
	case COMPLETES_SHELLS:
		printf("COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\"))");
		break;
	case COMPLETES_NOTHING:
		printf(":");
		break;
	}
	printf(" ;;\n");
}

static void write_bash(void)
{
	printf("# bash completion of kvrel\n_kvrel()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
	       "\tlocal commands='");
	for (size_t i = 0; i < command_count; i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	printf("'\n\tCOMPREPLY=()\n\tif ((COMP_CWORD == 1)); then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$word\"))\n\t\treturn\n\tfi\n"
	       "\tcase $command:$previous in\n");
	for (size_t i = 0; i < command_count; i++)
		bash_values(&commands[i]);
	printf("\tesac\n\tif [[ $word == -* ]]; then\n\t\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++) {
		printf("\t\t%s) COMPREPLY=($(compgen -W '", commands[i].name);
		bash_options(&commands[i]);
		printf("' -- \"$word\")) ;;\n");
	}
	printf("\t\tesac\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		bash_arguments(&commands[i]);
	printf("\tesac\n}\ncomplete -F _kvrel kvrel\n");
}

/* Inside '...' of zsh and fish, and inside the [...] of zsh's specifications. */
static void print_escaped(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_option(const struct option *option)
{
	if (option->letter)
		printf(" \\\n\t\t\t\t'%s'{-%c,--%s%s}'[", option->kind == OPTION_LIST ? "*" : "", option->letter,
		       option->name, option->argument ? "=" : "");
	else
		printf(" \\\n\t\t\t\t'%s--%s%s[", option->kind == OPTION_LIST ? "*" : "", option->name,
		       option->argument ? "=" : "");
	print_escaped(option->help, "[]:");
	putchar(']');
	if (option->choices)
		printf(":%s:(%s)", option->argument, option->choices);
	else if (option->argument)
		printf(":%s:%s", option->argument, strcmp(option->argument, "DIR") == 0 ? "_files -/" : "");
	putchar('\'');
}

static void zsh_command(const struct command *command)
{
	static const char *const arguments[] = {
		[COMPLETES_NOTHING] = "",
		[COMPLETES_RELEASES] = " '*:release:($(" LIST_NAMES "))'",
		[COMPLETES_BUNDLES] = " '*:bundle:_files'",
		[COMPLETES_COMMANDS] = " ':command:($commands)'",
		[COMPLETES_SHELLS] = " ':shell:(bash zsh fish)'",
	};
	printf("\t\t%s)\n\t\t\t_arguments", command->name);
	for (size_t i = 0; i < command->option_count; i++)
		zsh_option(&command->options[i]);
	printf("%s ;;\n", arguments[command->completes]);
}

static void write_zsh(void)
{
	printf("#compdef kvrel\n# zsh completion of kvrel\n_kvrel()\n{\n\tlocal -a described "
	       "commands\n\tdescribed=(\n");
	for (size_t i = 0; i < command_count; i++) {
		printf("\t\t'%s:", commands[i].name);
		print_escaped(commands[i].summary, ":");
		printf("'\n");
	}
	printf("\t)\n\tcommands=(${described%%%%:*})\n\tif ((CURRENT == 2)); then\n\t\t_describe command described\n"
	       "\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		zsh_command(&commands[i]);
	printf("\tesac\n}\nif [ \"$funcstack[1]\" = _kvrel ]; then\n\t_kvrel \"$@\"\nelse\n\tcompdef _kvrel "
	       "kvrel\nfi\n");
}

static void fish_command(const struct command *command)
{
	static const char *const arguments[] = {
		[COMPLETES_RELEASES] = "(" LIST_NAMES ")",
		[COMPLETES_SHELLS] = "bash zsh fish",
		[COMPLETES_COMMANDS] = "$kvrel_commands",
	};
	printf("complete -c kvrel -n __fish_use_subcommand -f -a %s -d '", command->name);
	print_escaped(command->summary, "");
	printf("'\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		printf("complete -c kvrel -n '__fish_seen_subcommand_from %s' -l %s", command->name, option->name);
		if (option->letter)
			printf(" -s %c", option->letter);
		if (option->choices)
			printf(" -x -a '%s'", option->choices);
		else if (option->argument)
			printf(" -r%s",
			       strcmp(option->argument, "DIR") == 0 ? " -a '(__fish_complete_directories)'" : "");
		printf(" -d '");
		print_escaped(option->help, "");
		printf("'\n");
	}
	if (command->completes < ARRAY_LEN(arguments) && arguments[command->completes])
		printf("complete -c kvrel -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", command->name,
		       arguments[command->completes]);
	else if (command->completes != COMPLETES_BUNDLES)
		printf("complete -c kvrel -n '__fish_seen_subcommand_from %s' -f\n", command->name);
}

static void write_fish(void)
{
	printf("# fish completion of kvrel\nset -g kvrel_commands");
	for (size_t i = 0; i < command_count; i++)
		printf(" %s", commands[i].name);
	printf("\ncomplete -c kvrel -n __fish_use_subcommand -f -l help -s h -d 'show the commands'\n"
	       "complete -c kvrel -n __fish_use_subcommand -f -l version -d 'show the version'\n");
	for (size_t i = 0; i < command_count; i++)
		fish_command(&commands[i]);
}

int cmd_completion(struct cli *cli)
{
	static const struct {
		const char *name;
		void (*write)(void);
	} shells[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish } };
	const char *names[ARRAY_LEN(shells)];
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		names[i] = shells[i].name;
		if (strcmp(names[i], cli->arguments[0]) != 0)
			continue;
		shells[i].write();
		return 0;
	}
	const char *nearest = term_suggest(cli->arguments[0], names, ARRAY_LEN(names));
	if (nearest)
		return cli_usage(cli, "no completion for '%s' (did you mean '%s'?)", cli->arguments[0], nearest);
	return cli_usage(cli, "no completion for '%s'; there are bash, zsh and fish", cli->arguments[0]);
}
