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

void usage_print(struct launch *launch, FILE *out)
{
	const char *prog = environ_get("RELEASE_PROG");

	if (!prog)
		prog = path_base(launch->argv0);
	fprintf(out, "Usage: %s COMMAND [ARGS]\n\nThe known commands are:\n\n", *prog ? prog : launch->file_name);
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = command_at(i);

		print_command(out, command->name, command->params, command->help);
	}
	print_user_commands(launch, out);
}

int command_help(struct launch *launch)
{
	usage_print(launch, stdout);
	return flush_stdout();
}
