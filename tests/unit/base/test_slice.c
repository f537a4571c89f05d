/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include <criterion/criterion.h>

static const struct slice none = { NULL, 0 };

Test(slice, empty_slices_need_no_memory_behind_them)
{
	cr_assert(slice_equal(none, SLICE("")));
	cr_assert(slice_starts(none, none));
	cr_assert(slice_ends(SLICE("a"), none));
	cr_assert_eq(slice_compare(none, none), 0);
	cr_assert_eq(slice_trim(none).size, 0);
	cr_assert_eq(slice_utf8_prefix(none), 0);
}

Test(slice, ends_looks_at_the_last_bytes)
{
	cr_assert(slice_ends(SLICE("kv.so"), SLICE(".so")));
	cr_assert_not(slice_ends(SLICE("so"), SLICE(".so")));
	cr_assert_not(slice_ends(SLICE("kv.sO"), SLICE(".so")));
}

Test(slice, order_is_bytewise_with_the_shorter_first)
{
	cr_assert_lt(slice_compare(SLICE("a"), SLICE("ab")), 0);
	cr_assert_gt(slice_compare(SLICE("b"), SLICE("ab")), 0);
	cr_assert_gt(slice_compare(SLICE("\xff"), SLICE("a")), 0);
	cr_assert_eq(slice_compare(SLICE("a\0b"), SLICE("a\0b")), 0);
	cr_assert_lt(slice_compare(SLICE("a\0b"), SLICE("a\0c")), 0);
}

Test(slice, trim_takes_white_space_off_both_ends)
{
	cr_assert(slice_is(slice_trim(SLICE(" \t\r\n a b \v\f ")), "a b"));
	cr_assert(slice_is(slice_trim(SLICE("   ")), ""));
}

Test(slice, split_stops_at_the_first_separator)
{
	struct slice head, rest;

	cr_assert(slice_split(SLICE("a=b=c"), '=', &head, &rest));
	cr_assert(slice_is(head, "a"));
	cr_assert(slice_is(rest, "b=c"));
	cr_assert(slice_split(SLICE("="), '=', &head, &rest));
	cr_assert_eq(head.size + rest.size, 0);
}

Test(slice, split_without_a_separator_gives_all_and_nothing)
{
	struct slice head, rest;

	cr_assert_not(slice_split(SLICE("abc"), '=', &head, &rest));
	cr_assert(slice_is(head, "abc"));
	cr_assert_eq(rest.size, 0);
	cr_assert_not(slice_split(none, '=', &head, &rest));
}

Test(slice, integers_reach_both_ends_of_their_range)
{
	int64_t n;

	cr_assert(slice_to_int64(SLICE("9223372036854775807"), &n));
	cr_assert_eq(n, INT64_MAX);
	cr_assert(slice_to_int64(SLICE("-9223372036854775808"), &n));
	cr_assert_eq(n, INT64_MIN);
	cr_assert(slice_to_int64(SLICE("-0"), &n));
	cr_assert_eq(n, 0);
	cr_assert(slice_to_int64(SLICE("007"), &n));
	cr_assert_eq(n, 7);
}

Test(slice, what_is_no_integer_leaves_the_result_alone)
{
	static const char *const wrong[] = {
		"", "-", "+1", " 1", "1 ", "1a", "0x1", "9223372036854775808", "-9223372036854775809"
	};
	int64_t n = 42;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(slice_to_int64(slice_of(wrong[i]), &n), "%s", wrong[i]);
	cr_assert_not(slice_to_int64(SLICE("1\0"), &n));
	cr_assert_eq(n, 42);
}

Test(slice, utf8_of_all_lengths_is_valid)
{
	struct slice text = SLICE("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf");

	cr_assert_eq(slice_utf8_prefix(text), text.size);
}

Test(slice, utf8_ends_at_the_first_bad_byte)
{
	static const char *const bad[] = {
		"ab\x80",
		"ab\xc0\x80",
		"ab\xc1\xbf",
		"ab\xe0\x9f\xbf",
		"ab\xed\xa0\x80",
		"ab\xf0\x8f\xbf\xbf",
		"ab\xf4\x90\x80\x80",
		"ab\xf5\x80\x80\x80",
		"ab\xff",
		"ab\xc3",
		"ab\xe2\x82",
		"ab\xf0\x9f\x98",
		"ab\xe2\x28\xa1",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(slice_utf8_prefix(slice_of(bad[i])), 2, "case %zu", i);
}
