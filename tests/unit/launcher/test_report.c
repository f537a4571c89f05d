/* SPDX-License-Identifier: MIT */
#include "launcher/launcher.h"

#include <criterion/criterion.h>

static struct arena arena;

static const char *quoted(const char *word)
{
	return shell_quote(&arena, word);
}

static struct slice tail(const char *text, size_t lines)
{
	return daemon_tail(slice_of(text), lines);
}

Test(quote, leaves_plain_words_alone)
{
	cr_assert_str_eq(quoted("/opt/foo-1.0/bin/foo@host:1"), "/opt/foo-1.0/bin/foo@host:1");
}

Test(quote, makes_one_word_of_anything)
{
	cr_assert_str_eq(quoted(""), "''");
	cr_assert_str_eq(quoted("a b"), "'a b'");
	cr_assert_str_eq(quoted("$ORIGIN/../lib"), "'$ORIGIN/../lib'");
	cr_assert_str_eq(quoted("it's"), "'it'\\''s'");
	cr_assert_str_eq(quoted("'''"), "''\\'''\\'''\\'''");
	cr_assert_str_eq(quoted("a\nb"), "'a\nb'");
	cr_assert_str_eq(quoted("~root"), "'~root'");
}

Test(tail, is_the_last_lines)
{
	cr_assert(slice_is(tail("a\nb\nc\n", 2), "b\nc\n"));
	cr_assert(slice_is(tail("a\nb\nc", 2), "b\nc"));
	cr_assert(slice_is(tail("a\nb\nc\n", 9), "a\nb\nc\n"));
	cr_assert(slice_is(tail("", 3), ""));
	cr_assert(slice_is(tail("a\n\n\n", 1), "\n"));
}

Test(commands, are_unique_and_found_by_name_and_alias)
{
	struct launch launch = { 0 };

	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = command_at(i);

		cr_assert(command->name && command->help && command->params && command->run);
		cr_assert(command_find(&launch, command->name) == command, "%s", command->name);
		if (command->alias)
			cr_assert(command_find(&launch, command->alias) == command, "%s", command->alias);
	}
	cr_assert(command_find(&launch, "bogus") == NULL);
	cr_assert(command_find(&launch, "--help") == command_find(&launch, "help"));
}

Test(commands, name_the_argument_too_many)
{
	struct error err = { 0 };
	struct launch launch = { .args = (const char *[]){ "now" }, .arg_count = 1 };

	launch.command = command_find(&launch, "stop");
	cr_assert_eq(command_check_args(&launch, &err), -(int)ERROR_USAGE);
	cr_assert_str_eq(err.message, "'stop' takes no arguments, got: now");
	launch.command = command_find(&launch, "rpc");
	cr_assert_eq(command_check_args(&launch, &err), 0);
}
