/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include "base/scope.h"

#include <criterion/criterion.h>

static struct arena arena;

static void done(void)
{
	arena_done(&arena);
}

TestSuite(path, .fini = done);

Test(path, join_puts_one_slash_and_lets_an_absolute_path_win)
{
	cr_assert_str_eq(path_join(&arena, "a", "b"), "a/b");
	cr_assert_str_eq(path_join(&arena, "a/", "b"), "a/b");
	cr_assert_str_eq(path_join(&arena, "/", "b"), "/b");
	cr_assert_str_eq(path_join(&arena, "", "b"), "b");
	cr_assert_str_eq(path_join(&arena, "a", "/b"), "/b");
	cr_assert_str_eq(path_join(&arena, "100%s", "%n"), "100%s/%n");
}

Test(path, base_and_dir_split_at_the_last_slash)
{
	static const char *const cases[][3] = {
		{ "a/b", "b", "a" },   { "a", "a", "." },    { "/a", "a", "/" }, { "/", "", "/" },
		{ "a/b/", "", "a/b" }, { "a//b", "b", "a" }, { "", "", "." },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_str_eq(path_base(cases[i][0]), cases[i][1]);
		cr_assert_str_eq(path_dir(&arena, cases[i][0]), cases[i][2]);
	}
}

Test(path, clean_works_on_text_alone)
{
	static const char *const cases[][2] = {
		{ "a/../b", "b" },   { "../a", "../a" },   { "a/./b//c/", "a/b/c" },
		{ "", "." },         { ".", "." },         { "a/..", "." },
		{ "/..", "/" },      { "/../../a", "/a" }, { "../../x/../y", "../../y" },
		{ "/a/b/..", "/a" }, { "/a/..", "/" },     { "a/../../b", "../b" },
		{ "//a", "/a" },     { "...", "..." },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_assert_str_eq(path_clean(&arena, cases[i][0]), cases[i][1], "'%s'", cases[i][0]);
}

Test(path, absolute_starts_at_the_base)
{
	cr_assert_str_eq(path_absolute(&arena, "/home/me", "../you/./x"), "/home/you/x");
	cr_assert_str_eq(path_absolute(&arena, "/home/me", "/etc"), "/etc");
	cr_assert_str_eq(path_absolute(&arena, "/home/me", ""), "/home/me");
}

Test(path, inside_means_never_above_at_any_point)
{
	static const char *const inside[] = { "a", "a/b", "a/../b", ".", "a/..", "..a", "./a" };
	static const char *const outside[] = { "", "/a", "..", "../a", "a/../..", "a/../../b", "/" };

	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		cr_assert(path_is_inside(inside[i]), "%s", inside[i]);
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		cr_assert_not(path_is_inside(outside[i]), "%s", outside[i]);
}

Test(path, relative_names_the_way_between_two_places)
{
	static const char *const cases[][3] = {
		{ "/a/b", "/a/c/d", "../c/d" }, { "/a", "/a", "." },          { "/", "/a", "a" },
		{ "/a/b", "/", "../.." },       { "/a/b", "/a/bc", "../bc" }, { "/a/b/../c", "/a/c/x", "x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_assert_str_eq(path_relative(&arena, cases[i][0], cases[i][1]), cases[i][2]);
}
