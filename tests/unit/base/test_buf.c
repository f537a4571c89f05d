/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(buf, a_zeroed_buffer_is_empty_and_reads_as_empty_text)
{
	SCOPE(buf_done) struct buf buf = { 0 };

	cr_assert_str_eq(buf_string(&buf), "");
	buf_consume(&buf, 10);
	cr_assert_eq(buf.size, 0);
}

Test(buf, pieces_come_out_in_order)
{
	SCOPE(buf_done) struct buf buf = { 0 };

	buf_append_string(&buf, "a");
	buf_append_char(&buf, 'b');
	buf_append_slice(&buf, SLICE("c"));
	buf_append_slice(&buf, (struct slice){ NULL, 0 });
	buf_printf(&buf, "%d-%s", 1, "x");
	cr_assert_str_eq(buf_string(&buf), "abc1-x");
	cr_assert_not(buf.failed);
}

Test(buf, long_formats_get_the_room_they_need)
{
	SCOPE(buf_done) struct buf buf = { 0 };

	buf_append_string(&buf, "<");
	buf_printf(&buf, "%0500d>", 7);
	cr_assert_eq(buf.size, 502);
	cr_assert_eq(buf.data[501], '>');
}

Test(buf, the_cap_is_exact)
{
	SCOPE(buf_done) struct buf buf;

	buf_init(&buf, 4);
	buf_append_string(&buf, "1234");
	cr_assert_not(buf.failed);
	buf_append_char(&buf, '5');
	cr_assert(buf.failed);
	cr_assert_str_eq(buf_string(&buf), "1234");
}

Test(buf, after_a_failure_nothing_is_appended_until_it_is_cleared)
{
	SCOPE(buf_done) struct buf buf;

	buf_init(&buf, 4);
	buf_append_string(&buf, "12345");
	buf_append_string(&buf, "1");
	buf_printf(&buf, "%d", 1);
	cr_assert_eq(buf.size, 0);
	cr_assert_null(buf_reserve(&buf, 1));
	buf_clear(&buf);
	buf_append_string(&buf, "ok");
	cr_assert_str_eq(buf_string(&buf), "ok");
}

Test(buf, a_format_past_the_cap_leaves_what_was_there)
{
	SCOPE(buf_done) struct buf buf;

	buf_init(&buf, 100);
	buf_append_string(&buf, "kept");
	buf_printf(&buf, "%0200d", 1);
	cr_assert(buf.failed);
	cr_assert_str_eq(buf_string(&buf), "kept");
}

Test(buf, an_impossible_size_fails_instead_of_wrapping)
{
	SCOPE(buf_done) struct buf buf = { 0 };

	buf_append_char(&buf, 'x');
	cr_assert_null(buf_reserve(&buf, SIZE_MAX));
	cr_assert(buf.failed);
}

Test(buf, bytes_written_behind_reserve_are_terminated_when_read)
{
	SCOPE(buf_done) struct buf buf = { 0 };
	char *to = buf_reserve(&buf, 64);

	memset(to, 'x', 64);
	buf.size += 64;
	cr_assert_eq(strlen(buf_string(&buf)), 64);
}

Test(buf, consume_moves_the_rest_to_the_front)
{
	SCOPE(buf_done) struct buf buf = { 0 };

	buf_append_string(&buf, "abcdef");
	buf_consume(&buf, 4);
	cr_assert_str_eq(buf_string(&buf), "ef");
	buf_consume(&buf, 100);
	cr_assert_eq(buf.size, 0);
}

Test(buf, take_hands_over_and_leaves_an_empty_buffer_with_its_cap)
{
	SCOPE_FREE char *text = NULL;
	SCOPE(buf_done) struct buf buf;

	buf_init(&buf, 10);
	buf_append_string(&buf, "mine");
	text = buf_take(&buf);
	cr_assert_str_eq(text, "mine");
	cr_assert_null(buf.data);
	cr_assert_eq(buf.cap, 10);
}

Test(buf, take_gives_empty_text_when_empty_and_nothing_when_failed)
{
	SCOPE_FREE char *text = NULL;
	SCOPE(buf_done) struct buf buf;

	buf_init(&buf, 2);
	text = buf_take(&buf);
	cr_assert_str_eq(text, "");
	buf_append_string(&buf, "too long");
	cr_assert_null(buf_take(&buf));
	cr_assert_not(buf.failed);
}
