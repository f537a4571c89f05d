/* SPDX-License-Identifier: MIT */
/* The command line: parsing by table. What it prints is tested in tests/cli/kvrel. */
#include "cli/cli.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

static struct cli cli;

static void begin(void)
{
	cr_redirect_stderr();
	cr_redirect_stdout();
	commands_check();
}

static void end(void)
{
	arena_done(&cli.arena);
}
TestSuite(cli, .init = begin, .fini = end);

#define PARSE(...) \
	({ \
		char *argv_[] = { (char *)"kvrel", __VA_ARGS__ }; \
		cli_parse(&cli, ARRAY_LEN(argv_), argv_); \
	})
#define W(word) (char *)(word)

Test(cli, options_may_stand_anywhere_after_the_command)
{
	cr_assert_eq(PARSE(W("build"), W("foo"), W("--overwrite"), W("bar"), W("-q")), 0);
	cr_assert_str_eq(cli.command->name, "build");
	cr_assert_eq(cli.argument_count, 2);
	cr_assert_str_eq(cli.arguments[1], "bar");
	cr_assert(cli.options.overwrite && cli.options.quiet && !cli.options.all);
}

Test(cli, values_follow_or_are_attached)
{
	cr_assert_eq(PARSE(W("build"), W("--path"), W("a"), W("--version=2"), W("-Cdir"), W("-on")), 0);
	cr_assert_str_eq(cli.options.path, "a");
	cr_assert_str_eq(cli.options.version, "2");
	cr_assert_str_eq(cli.options.project, "dir");
	cr_assert(cli.options.overwrite && cli.options.dry_run);
}

Test(cli, a_list_option_keeps_every_value)
{
	cr_assert_eq(PARSE(W("build"), W("--set"), W("a.b=1"), W("--set=c.d=2")), 0);
	cr_assert_eq(cli.options.set_count, 2);
	cr_assert_str_eq(cli.options.sets[1], "c.d=2");
}

Test(cli, after_two_dashes_all_words_are_arguments)
{
	cr_assert_eq(PARSE(W("build"), W("--"), W("--overwrite"), W("-")), 0);
	cr_assert_eq(cli.argument_count, 2);
	cr_assert(!cli.options.overwrite);
}

Test(cli, help_needs_no_arguments)
{
	cr_assert_eq(PARSE(W("completion"), W("-h")), 0);
	cr_assert(cli.options.help);
}

Test(cli, mistakes_are_usage_errors)
{
	cr_assert_eq(PARSE(W("biuld")), 2);
	cr_assert_eq(PARSE(W("--overwrite")), 2);
	cr_assert_eq(PARSE(W("build"), W("--overwite")), 2);
	cr_assert_eq(PARSE(W("build"), W("-x")), 2);
	cr_assert_eq(PARSE(W("build"), W("--path")), 2);
	cr_assert_eq(PARSE(W("build"), W("--path=")), 2);
	cr_assert_eq(PARSE(W("build"), W("--quiet=1")), 2);
	cr_assert_eq(PARSE(W("build"), W("--color=red")), 2);
	cr_assert_eq(PARSE(W("completion")), 2);
	cr_assert_eq(PARSE(W("list"), W("foo")), 2);
}
