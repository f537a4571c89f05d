/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include "base/fs.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;
static struct script script;
static struct error err;

#define PARSE(...) parse((const char *[]){ __VA_ARGS__, NULL })

/* The words of a compound literal live as long as the assertion around it: they are kept here. */
static int parse(const char *const *words)
{
	static const char *args[8];
	size_t count = 0;

	for (; words[count]; count++)
		args[count] = words[count];
	err = (struct error){ 0 };
	return script_parse(&arena, args, count, "EVAL", &script, &err);
}

static void free_arena(void)
{
	arena_done(&arena);
}

TestSuite(script, .fini = free_arena);

Test(script, is_the_first_argument_and_the_rest_is_its_own)
{
	cr_assert_eq(PARSE("return 1", "a", "--json", "--"), 0);
	cr_assert_str_eq(script.text, "return 1");
	cr_assert_str_eq(script.chunk, "eval");
	cr_assert_not(script.json);
	cr_assert_eq(script.arg_count, 3);
	cr_assert_str_eq(script.args[1], "--json");
}

Test(script, drops_a_separator_before_the_arguments)
{
	cr_assert_eq(PARSE("--json", "return arg", "--", "a"), 0);
	cr_assert(script.json);
	cr_assert_eq(script.arg_count, 1);
	cr_assert_str_eq(script.args[0], "a");
}

Test(script, may_begin_like_an_option)
{
	cr_assert_eq(PARSE("-1"), 0);
	cr_assert_str_eq(script.text, "-1");
	cr_assert_eq(PARSE("-- a comment\nreturn 1"), 0);
	cr_assert_eq(PARSE("--[[x]] return 1"), 0);
	cr_assert_eq(PARSE("--", "--json"), 0);
	cr_assert_str_eq(script.text, "--json");
}

Test(script, missing_or_empty_is_an_error)
{
	cr_assert(script_parse(&arena, NULL, 0, "EVAL", &script, &err) < 0);
	cr_assert_str_eq(err.message, "EVAL expects an expression as argument");
	cr_assert(PARSE("") < 0);
	cr_assert(PARSE("--json") < 0);
	cr_assert_str_eq(err.message, "EVAL expects an expression as argument");
}

Test(script, option_that_is_unknown_is_named)
{
	cr_assert(PARSE("--jsn", "return 1") < 0);
	cr_assert(strstr(err.message, "'--jsn'"));
	cr_assert(PARSE("--file") < 0);
	cr_assert(strstr(err.message, "--file expects"));
}

Test(script, is_read_from_a_file)
{
	char path[] = "/tmp/kvrel-test-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert_eq(fs_write_all(fd, "#!/usr/bin/env lua\nreturn 1\n", 28, NULL), 0);
	close(fd);
	cr_assert_eq(PARSE("--file", path, "a"), 0);
	cr_assert_str_eq(script.text, "--#!/usr/bin/env lua\nreturn 1\n");
	cr_assert_str_eq(script.chunk, path);
	cr_assert_eq(script.arg_count, 1);
	unlink(path);
	cr_assert(PARSE("--file", path) < 0);
	cr_assert(strstr(err.message, path));
}
