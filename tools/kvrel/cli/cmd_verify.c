/* SPDX-License-Identifier: MIT */
/* The mismatches are the result, so they go to stdout; that there are any is the conversation. */
#include "build/build.h"
#include "cli/cli.h"
#include "cli/progress.h"

struct findings {
	struct cli *cli;
	struct value *list;
};

static void found(void *context, const char *path, const char *what)
{
	struct findings *findings = context;
	struct cli *cli = findings->cli;
	struct value *item = value_map(&cli->arena);
	progress_pause();
	if (!cli->options.json)
		printf("%s %s\n", cli_printable(cli, path), cli_printable(cli, what));
	cli_set_text(cli, item, "path", path);
	cli_set_text(cli, item, "what", what);
	value_list_add(&cli->arena, findings->list, item);
}

int cmd_verify(struct cli *cli)
{
	struct findings findings = { cli, value_list(&cli->arena) };
	struct error err;
	progress_say(arena_printf(&cli->arena, "verifying %s", cli_printable(cli, cli->arguments[0])));
	int status = bundle_verify(&cli->arena, cli->arguments[0], found, &findings, &err);
	progress_end();
	if (status != 0 && status != -ERROR_INTEGRITY)
		return cli_fail(cli, &err);
	if (cli->options.json) {
		struct value *document = cli_document(cli, status == 0);
		cli_set(cli, document, "mismatches", findings.list);
		cli_json(document);
	}
	if (status != 0)
		return cli_say_error(cli, &err);
	if (!cli->options.json && !cli->options.quiet)
		printf("%s is as it was built\n", cli_printable(cli, cli->arguments[0]));
	return 0;
}
