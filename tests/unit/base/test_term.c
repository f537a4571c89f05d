/* SPDX-License-Identifier: MIT */
#include "base/term.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char *suggest(const char *word)
{
	static const char *const names[] = { "version", "components", "config", "strip", "quiet", "path" };

	return term_suggest(word, names, ARRAY_LEN(names));
}

Test(term, near_misses_are_found)
{
	cr_assert_str_eq(suggest("verison"), "version");
	cr_assert_str_eq(suggest("VERSION"), "version");
	cr_assert_str_eq(suggest("component"), "components");
	cr_assert_str_eq(suggest("pth"), "path");
	cr_assert_str_eq(suggest("ptah"), "path");
	cr_assert_str_eq(suggest("stripp"), "strip");
}

Test(term, what_is_far_away_is_not_suggested)
{
	char longest[200];

	memset(longest, 'v', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_null(suggest("bogus"));
	cr_assert_null(suggest(""));
	cr_assert_null(suggest("x"));
	cr_assert_null(suggest(longest));
	cr_assert_null(term_suggest("a", NULL, 0));
}

Test(term, nothing_short_is_suggested_for_a_single_letter)
{
	static const char *const names[] = { "b" };

	cr_assert_null(term_suggest("a", names, 1));
}

Test(term, colour_follows_the_choice_before_the_stream)
{
	FILE *file = tmpfile();

	term_set_color(TERM_COLOR_AUTO);
	cr_assert_str_eq(term_red(file), "");
	term_set_color(TERM_COLOR_ALWAYS);
	setenv("NO_COLOR", "1", 1);
	cr_assert_str_neq(term_red(file), "");
	cr_assert_str_neq(term_reset(file), "");
	term_set_color(TERM_COLOR_NEVER);
	cr_assert_str_eq(term_bold(file), "");
	fclose(file);
}

Test(term, the_words_for_colour_are_three)
{
	enum term_color color = TERM_COLOR_NEVER;

	cr_assert(term_color_parse("always", &color));
	cr_assert_eq(color, TERM_COLOR_ALWAYS);
	cr_assert_not(term_color_parse("yes", &color));
	cr_assert_eq(color, TERM_COLOR_ALWAYS);
}
