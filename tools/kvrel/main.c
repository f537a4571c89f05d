/* SPDX-License-Identifier: MIT */
/* kvrel: finds the command, runs it, and makes sure that what it printed has arrived. */
#include "cli/cli.h"

#include "base/fs.h"
#include "base/process.h"
#include "base/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int prepare(struct cli *cli)
{
	char path[4096];
	if (!getcwd(path, sizeof(path))) {
		struct error err;
		error_system(&err, errno, "cannot tell the current folder");
		return cli_fail(cli, &err);
	}
	cli->cwd = arena_string(&cli->arena, path);
	enum term_color color;
	if (cli->options.color && term_color_parse(cli->options.color, &color))
		term_set_color(color);
	return 0;
}

static int run(struct cli *cli)
{
	int code = prepare(cli);
	if (code != 0)
		return code;
	if (!cli->options.help)
		return cli->command->run(cli);
	if (cli->options.json)
		return help_document(cli, cli->command);
	help_short(stdout, cli->command);
	return 0;
}

/* `kvrel list | head -n 1`: whoever was listening has heard enough, and needs no message about it. */
static bool reader_has_left(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

/* A result that did not arrive is no result: a full disk behind '>' is a failure. */
static int flush_result(struct cli *cli, int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	struct error err;
	cli->options.json = false;
	if (!reader_has_left()) {
		error_system(&err, errno ? errno : EIO, "cannot write to standard output");
		cli_fail(cli, &err);
	}
	return code ? code : 1;
}

static int show_version(struct cli *cli, bool json)
{
	if (json) {
		struct value *document = cli_document(cli, true);
		cli_set_text(cli, document, "version", KVREL_VERSION);
		cli_json(document);
	} else {
		printf("kvrel %s\n", KVREL_VERSION);
	}
	return flush_result(cli, 0);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	fs_hold_standard_streams();
	process_take_signals();
	commands_check();
	signal(SIGPIPE, SIG_IGN); /* a build goes on when nobody reads its lines any more */
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		int shown = show_version(&cli, argc > 2 && strcmp(argv[2], "--json") == 0);
		arena_done(&cli.arena);
		return shown;
	}
	int code = cli_parse(&cli, argc, argv);
	code = flush_result(&cli, code ? code : run(&cli));
	arena_done(&cli.arena);
	return code;
}
