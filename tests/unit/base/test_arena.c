/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(arena, memory_is_zeroed_aligned_and_separate)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	unsigned char *last = NULL;

	for (size_t size = 1; size < 20000; size = size * 3 / 2 + 1) {
		unsigned char *memory = arena_alloc(&arena, size);

		cr_assert_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			cr_assert_eq(memory[i], 0);
		memset(memory, 0xee, size);
		cr_assert(!last || last[0] == 0xee);
		last = memory;
	}
}

Test(arena, large_requests_leave_the_current_block_in_use)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	char *a = arena_alloc(&arena, 16), *b;

	cr_assert_not_null(arena_alloc(&arena, 5 << 20));
	b = arena_alloc(&arena, 16);
	cr_assert_eq(b - a, 16);
}

Test(arena, copies_are_terminated_and_keep_nul_bytes)
{
	SCOPE(arena_done) struct arena arena = { 0 };

	cr_assert_eq(memcmp(arena_copy(&arena, SLICE("a\0b")), "a\0b\0", 4), 0);
	cr_assert_str_eq(arena_copy(&arena, (struct slice){ NULL, 0 }), "");
	cr_assert_str_eq(arena_string(&arena, "text"), "text");
	cr_assert_str_eq(arena_printf(&arena, "%s-%d", "a", 1), "a-1");
}

Test(arena, done_leaves_an_empty_arena_that_can_be_used_again)
{
	struct arena arena = { 0 };

	arena_alloc(&arena, 100);
	cr_assert_gt(arena.used, 0);
	arena_done(&arena);
	cr_assert_eq(arena.used, 0);
	arena_alloc(&arena, 100);
	arena_done(&arena);
	arena_done(&arena);
}

Test(arena, a_product_that_overflows_stops_the_program, .signal = SIGABRT)
{
	struct arena arena = { 0 };

	arena_array(&arena, SIZE_MAX / 2, 3);
}
