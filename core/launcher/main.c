/* SPDX-License-Identifier: MIT */
/* The order of a command; launcher.h explains it. */
#include "launcher.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/process.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static int unknown_command(struct launch *launch, const char *name)
{
	usage_print(launch, stderr);
	fputc('\n', stderr);
	return report("Unknown command %s", name);
}

/* The release that env.sh was run for, or the one that the environment asks for. */
static int select_release(struct launch *launch, bool *after_envsh, struct error *err)
{
	const char *wanted = NULL;

	*after_envsh = envsh_take_mark(&launch->arena, &wanted);
	if (!*after_envsh)
		wanted = environ_get("RELEASE_VSN");
	return release_select(launch, wanted, err);
}

static int prepare(struct launch *launch, bool after_envsh, struct error *err)
{
	int r = command_check_args(launch, err);

	if (r < 0)
		return r;
	environ_fill_first(launch);
	r = after_envsh ? 0 : envsh_run(launch, err);
	if (r == 0)
		r = environ_fill(launch, err);
	return r;
}

static int refuse_none(struct launch *launch)
{
	return report("cannot %s: RELEASE_DISTRIBUTION is none, the node cannot be reached", launch->command->name);
}

static int run(struct launch *launch, const char *name)
{
	bool after_envsh;
	struct error err;
	int selected = select_release(launch, &after_envsh, &err);

	if (!name || !*name) {
		usage_print(launch, stderr);
		return EXIT_DONE;
	}
	launch->command = command_find(launch, name);
	if (launch->command && usage_is_asked(launch))
		return usage_of(launch, launch->command);
	if (launch->command && launch->command->needs & BARE)
		return command_check_args(launch, &err) < 0 ? report_error(&err) : launch->command->run(launch);
	if (selected < 0)
		return report_error(&err);
	if (!launch->command)
		return unknown_command(launch, name);
	if (prepare(launch, after_envsh, &err) < 0)
		return report_error(&err);
	if (launch->command->needs & NEEDS_NODE && strcmp(environ_get("RELEASE_DISTRIBUTION"), "none") == 0)
		return refuse_none(launch);
	return launch->command->run(launch);
}

int main(int argc, char **argv)
{
	struct launch launch = { 0 };
	struct error err;

	fs_hold_standard_streams();
	process_take_signals();
	init_stay_behind();
	if (root_find(&launch, &err) < 0)
		return report_error(&err);
	if (root_settle(&launch, &err) < 0) {
		report_error(&err);
		return argc > 1 && strcmp(argv[1], "verify") == 0 ? EXIT_MISMATCH : EXIT_FAILED;
	}
	launch.argv0 = argc > 0 && *argv[0] ? argv[0] : launch.self;
	launch.args = (const char *const *)argv + (argc > 2 ? 2 : argc);
	launch.arg_count = argc > 2 ? (size_t)argc - 2 : 0;
	return run(&launch, argc > 1 ? argv[1] : NULL);
}
