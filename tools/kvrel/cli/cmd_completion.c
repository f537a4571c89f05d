/* SPDX-License-Identifier: MIT */
/*
 * Completion scripts, written from the tables. Names of releases are asked of `kvrel list --names` at the time of
 * completing, so that they are those of the project at hand; its mistakes stay silent there.
 */
#include "cli/cli.h"

#include "base/scope.h"
#include "base/term.h"

#include <errno.h>
#include <stdlib.h>

#define LIST_NAMES "kvrel list --names 2>/dev/null"

static void bash_options(FILE *out, const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++)
		fprintf(out, "%s--%s", i ? " " : "", command->options[i].name);
}

static void bash_values(FILE *out, const struct command *command)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		if (option->choices)
			fprintf(out, "\t\t%s:--%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n",
				command->name, option->name, option->choices);
		else if (option->argument && strcmp(option->argument, "DIR") == 0)
			fprintf(out, "\t\t%s:--%s) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n", command->name,
				option->name);
		else if (option->argument)
			fprintf(out, "\t\t%s:--%s) return ;;\n", command->name, option->name);
	}
}

static void bash_arguments(FILE *out, const struct command *command)
{
	fprintf(out, "\t\t%s) ", command->name);
	switch (command->completes) {
	case COMPLETES_RELEASES:
		fprintf(out, "COMPREPLY=($(compgen -W \"$(" LIST_NAMES ")\" -- \"$word\"))");
		break;
	case COMPLETES_BUNDLES:
		fprintf(out, "COMPREPLY=($(compgen -f -- \"$word\"))");
		break;
	case COMPLETES_COMMANDS:
		fprintf(out, "COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))");
		break;
	case COMPLETES_SHELLS:
		fprintf(out, "COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\"))");
		break;
	case COMPLETES_NOTHING:
		fprintf(out, ":");
		break;
	}
	fprintf(out, " ;;\n");
}

static void write_bash(FILE *out)
{
	fprintf(out,
		"# bash completion of kvrel\n_kvrel()\n{\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
		"\tlocal commands='");
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "%s%s", i ? " " : "", commands[i].name);
	fprintf(out, "'\n\tCOMPREPLY=()\n\tif ((COMP_CWORD == 1)); then\n"
		     "\t\tCOMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$word\"))\n\t\treturn\n\tfi\n"
		     "\tcase $command:$previous in\n");
	for (size_t i = 0; i < command_count; i++)
		bash_values(out, &commands[i]);
	fprintf(out, "\tesac\n\tif [[ $word == -* ]]; then\n\t\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++) {
		fprintf(out, "\t\t%s) COMPREPLY=($(compgen -W '", commands[i].name);
		bash_options(out, &commands[i]);
		fprintf(out, "' -- \"$word\")) ;;\n");
	}
	fprintf(out, "\t\tesac\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		bash_arguments(out, &commands[i]);
	fprintf(out, "\tesac\n}\ncomplete -F _kvrel kvrel\n");
}

/* Inside '...' of zsh and fish, and inside the [...] of zsh's specifications. */
static void print_escaped(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fprintf(out, "'\\''");
		else if (strchr(special, *text))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void zsh_option(FILE *out, const struct option *option)
{
	if (option->letter)
		fprintf(out, " \\\n\t\t\t\t'%s'{-%c,--%s%s}'[", option->kind == OPTION_LIST ? "*" : "", option->letter,
			option->name, option->argument ? "=" : "");
	else
		fprintf(out, " \\\n\t\t\t\t'%s--%s%s[", option->kind == OPTION_LIST ? "*" : "", option->name,
			option->argument ? "=" : "");
	print_escaped(out, option->help, "[]:");
	fputc(']', out);
	if (option->choices)
		fprintf(out, ":%s:(%s)", option->argument, option->choices);
	else if (option->argument)
		fprintf(out, ":%s:%s", option->argument, strcmp(option->argument, "DIR") == 0 ? "_files -/" : "");
	fputc('\'', out);
}

static void zsh_command(FILE *out, const struct command *command)
{
	static const char *const arguments[] = {
		[COMPLETES_NOTHING] = "",
		[COMPLETES_RELEASES] = " '*:release:($(" LIST_NAMES "))'",
		[COMPLETES_BUNDLES] = " '*:bundle:_files'",
		[COMPLETES_COMMANDS] = " ':command:($commands)'",
		[COMPLETES_SHELLS] = " ':shell:(bash zsh fish)'",
	};
	fprintf(out, "\t\t%s)\n\t\t\t_arguments", command->name);
	for (size_t i = 0; i < command->option_count; i++)
		zsh_option(out, &command->options[i]);
	fprintf(out, "%s ;;\n", arguments[command->completes]);
}

static void write_zsh(FILE *out)
{
	fprintf(out, "#compdef kvrel\n# zsh completion of kvrel\n_kvrel()\n{\n\tlocal -a described "
		     "commands\n\tdescribed=(\n");
	for (size_t i = 0; i < command_count; i++) {
		fprintf(out, "\t\t'%s:", commands[i].name);
		print_escaped(out, commands[i].summary, ":");
		fprintf(out, "'\n");
	}
	fprintf(out,
		"\t)\n\tcommands=(${described%%%%:*})\n\tif ((CURRENT == 2)); then\n\t\t_describe command described\n"
		"\t\treturn\n\tfi\n\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n");
	for (size_t i = 0; i < command_count; i++)
		zsh_command(out, &commands[i]);
	fprintf(out, "\tesac\n}\nif [ \"$funcstack[1]\" = _kvrel ]; then\n\t_kvrel \"$@\"\nelse\n\tcompdef _kvrel "
		     "kvrel\nfi\n");
}

static void fish_command(FILE *out, const struct command *command)
{
	static const char *const arguments[] = {
		[COMPLETES_RELEASES] = "(" LIST_NAMES ")",
		[COMPLETES_SHELLS] = "bash zsh fish",
		[COMPLETES_COMMANDS] = "$kvrel_commands",
	};
	fprintf(out, "complete -c kvrel -n __fish_use_subcommand -f -a %s -d '", command->name);
	print_escaped(out, command->summary, "");
	fprintf(out, "'\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		fprintf(out, "complete -c kvrel -n '__fish_seen_subcommand_from %s' -l %s", command->name,
			option->name);
		if (option->letter)
			fprintf(out, " -s %c", option->letter);
		if (option->choices)
			fprintf(out, " -x -a '%s'", option->choices);
		else if (option->argument)
			fprintf(out, " -r%s",
				strcmp(option->argument, "DIR") == 0 ? " -a '(__fish_complete_directories)'" : "");
		fprintf(out, " -d '");
		print_escaped(out, option->help, "");
		fprintf(out, "'\n");
	}
	if (command->completes < ARRAY_LEN(arguments) && arguments[command->completes])
		fprintf(out, "complete -c kvrel -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", command->name,
			arguments[command->completes]);
	else if (command->completes != COMPLETES_BUNDLES)
		fprintf(out, "complete -c kvrel -n '__fish_seen_subcommand_from %s' -f\n", command->name);
}

static void write_fish(FILE *out)
{
	fprintf(out, "# fish completion of kvrel\nset -g kvrel_commands");
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, " %s", commands[i].name);
	fprintf(out, "\ncomplete -c kvrel -n __fish_use_subcommand -f -l help -s h -d 'show the commands'\n"
		     "complete -c kvrel -n __fish_use_subcommand -f -l version -d 'show the version'\n");
	for (size_t i = 0; i < command_count; i++)
		fish_command(out, &commands[i]);
}

static int print_script(struct cli *cli, void (*write)(FILE *out))
{
	char *script = NULL;
	size_t size;
	struct error err;
	FILE *out = open_memstream(&script, &size);
	if (out)
		write(out);
	if (!out || fclose(out) != 0) {
		error_system(&err, errno, "cannot write the script");
		return cli_fail(cli, &err);
	}
	if (cli->options.json) {
		struct value *document = cli_document(cli, true);
		cli_set_text(cli, document, "shell", cli->arguments[0]);
		cli_set_text(cli, document, "script", script);
		cli_json(document);
	} else {
		fputs(script, stdout);
	}
	free(script);
	return 0;
}

int cmd_completion(struct cli *cli)
{
	static const struct {
		const char *name;
		void (*write)(FILE *out);
	} shells[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish } };
	const char *names[ARRAY_LEN(shells)];
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		names[i] = shells[i].name;
		if (strcmp(names[i], cli->arguments[0]) != 0)
			continue;
		return print_script(cli, shells[i].write);
	}
	const char *nearest = term_suggest(cli->arguments[0], names, ARRAY_LEN(names));
	if (nearest)
		return cli_usage(cli, "no completion for '%s' (did you mean '%s'?)", cli->arguments[0], nearest);
	return cli_usage(cli, "no completion for '%s'; there are bash, zsh and fish", cli->arguments[0]);
}
