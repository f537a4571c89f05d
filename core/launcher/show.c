/* SPDX-License-Identifier: MIT */
/* version and env: what would be started. */
#include "launcher.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

int command_version(struct launch *launch)
{
	printf("%s %s\n", environ_get("RELEASE_NAME"), launch->version);
	return flush_stdout();
}

/* In a comment: a newline would end it. */
static void print_comment(const char *word)
{
	for (; *word; word++)
		if (*word == '\n')
			fputs("'$'\\n''", stdout);
		else
			putchar(*word);
}

static void print_start_line(struct launch *launch)
{
	const char *args[] = { "start" };
	struct runtime_line line;

	runtime_line(launch, "kvnode", "kvnode", args, 1, &line);
	fputs("# start executes: ", stdout);
	print_comment(shell_quote(&launch->arena, line.file));
	for (const char **word = line.argv + 1; *word; word++) {
		putchar(' ');
		print_comment(shell_quote(&launch->arena, *word));
	}
	putchar('\n');
}

int command_env(struct launch *launch)
{
	for (size_t i = 0; i < environ_count(); i++) {
		const char *name = environ_names[i];
		const char *value = getenv(name);

		if (strcmp(name, "RELEASE_COOKIE") == 0) {
			/* never its value; as a comment, since the output may be evaluated by a shell */
			if (value && *value)
				puts("# RELEASE_COOKIE is set (not shown)");
		} else if (value) {
			printf("%s=%s\n", name, shell_quote(&launch->arena, value));
		}
	}
	print_start_line(launch);
	return flush_stdout();
}
