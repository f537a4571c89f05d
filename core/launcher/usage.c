/* SPDX-License-Identifier: MIT */
#include "launcher.h"

#include "base/path.h"

#include <string.h>

enum { NAME_COLUMN = 20 };

static void print_command(FILE *out, const char *name, const char *params, const char *help)
{
	int width = fprintf(out, "    %s%s%s", name, *params ? " " : "", params);

	fprintf(out, "%*s%s\n", width < NAME_COLUMN + 2 ? NAME_COLUMN + 4 - width : 2, "", help);
}

static void print_user_commands(struct launch *launch, FILE *out)
{
	const char **names;
	size_t count = launch->version ? release_commands(launch, &names) : 0;

	if (count)
		fputs("\nThe commands of this release are:\n\n", out);
	for (size_t i = 0; i < count; i++)
		print_command(out, names[i], "[ARGS]", "Defined by the release");
}

static const char *program(const struct launch *launch)
{
	const char *prog = environ_get("RELEASE_PROG");

	if (!prog)
		prog = path_base(launch->argv0);
	return *prog ? prog : launch->file_name;
}

void usage_print(struct launch *launch, FILE *out)
{
	fprintf(out, "Usage: %s COMMAND [ARGS]\n\nThe known commands are:\n\n", program(launch));
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = command_at(i);

		print_command(out, command->name, command->params, command->help);
	}
	print_user_commands(launch, out);
}

int usage_of(struct launch *launch, const struct command *command)
{
	printf("Usage: %s %s%s%s\n\n    %s\n", program(launch), command->name, *command->params ? " " : "",
	       command->params, command->help);
	if (command->alias)
		printf("    Also called %s\n", command->alias);
	return flush_stdout();
}

bool usage_is_asked(const struct launch *launch)
{
	const struct command *command = launch->command;
	const char *word = launch->arg_count ? launch->args[0] : "";

	if (command->run == command_user) /* its own business */
		return false;
	/* what follows eval and rpc may be an expression, as -h is one */
	return strcmp(word, "--help") == 0 ||
	       (strcmp(word, "-h") == 0 && command->run != command_eval && command->run != command_rpc);
}

int command_help(struct launch *launch)
{
	const struct command *command = launch->arg_count ? command_find(launch, launch->args[0]) : NULL;

	if (launch->arg_count && !command)
		return report("Unknown command %s", launch->args[0]);
	if (command)
		return usage_of(launch, command);
	usage_print(launch, stdout);
	return flush_stdout();
}
