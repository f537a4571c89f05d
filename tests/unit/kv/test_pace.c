/* SPDX-License-Identifier: MIT */
/* How writers and the applying thread keep in step. */
#include "durable.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

enum { BASE = 1 << 20, ROOM = MEMTABLE_FULL * 100 };

static struct durable *store;

static void up(void)
{
	store = calloc(1, sizeof(*store));
	atomic_store(&store->newest_base, BASE);
	atomic_store(&store->newest_room, ROOM);
	atomic_store(&store->retired, 7);
}

static void down(void)
{
	free(store);
}

TestSuite(pace, .init = up, .fini = down);

/* What may be told while so many memtables are not applied. */
static uint64_t told_with(uint64_t memtables, unsigned slow_from, unsigned progress)
{
	atomic_store(&store->newest_id, atomic_load(&store->retired) + memtables);
	atomic_store(&store->applier.slow_from, slow_from);
	atomic_store(&store->applier.progress, progress);
	return admitted(store);
}

Test(pace, of_writers_is_their_own_while_two_memtables_are_enough)
{
	cr_expect_eq(told_with(1, 0, 0), UINT64_MAX);
	cr_expect_eq(told_with(2, 0, 0), UINT64_MAX);
	cr_expect_eq(told_with(2, 0, MEMTABLE_FULL / 2), UINT64_MAX);
}

Test(pace, of_writers_is_that_of_applying_in_the_third_memtable)
{
	cr_expect_eq(told_with(3, 0, 0), BASE);
	cr_expect_eq(told_with(3, MEMTABLE_FULL / 2, MEMTABLE_FULL / 4), BASE + ROOM / 4);
	cr_expect_eq(told_with(4, 0, MEMTABLE_FULL / 2), BASE);
}

Test(pace, of_writers_is_that_of_applying_in_the_second_half_of_a_large_one)
{
	cr_expect_eq(told_with(1, MEMTABLE_FULL / 2, 0), UINT64_MAX);
	cr_expect_eq(told_with(2, MEMTABLE_FULL / 2, 0), BASE + ROOM / 2);
	cr_expect_eq(told_with(2, MEMTABLE_FULL / 2, MEMTABLE_FULL / 2), BASE + ROOM * 3 / 4);
	cr_expect_eq(told_with(2, MEMTABLE_FULL / 2, MEMTABLE_FULL), BASE + ROOM);
	cr_expect_eq(told_with(2, MEMTABLE_FULL, 0), BASE + ROOM);
}

Test(pace, of_writers_is_their_own_when_nothing_can_be_applied)
{
	atomic_store(&store->applier.stuck, true);
	cr_expect_eq(told_with(2, MEMTABLE_FULL / 2, 0), UINT64_MAX);
	cr_expect_eq(told_with(4, 0, 0), UINT64_MAX);
}

Test(pace, memtables_of_a_large_store_have_many_keys_for_each_page_and_fill_their_index)
{
	cr_expect_eq(memtable_keys_for(0), MEMTABLE_KEYS);
	cr_expect_eq(memtable_keys_for(MEMTABLE_KEYS / MEMTABLE_KEYS_A_PAGE), MEMTABLE_KEYS);
	for (uint64_t pages = MEMTABLE_KEYS / MEMTABLE_KEYS_A_PAGE + 1; pages < 100000; pages += 1000) {
		uint64_t keys = memtable_keys_for(pages), wanted = pages * MEMTABLE_KEYS_A_PAGE;

		cr_expect(keys == MEMTABLE_KEYS_MOST || (keys & (keys - 1)) == 0, "%zu", (size_t)keys);
		cr_expect(keys == MEMTABLE_KEYS_MOST || keys > wanted * 2 / 3, "%zu", (size_t)keys);
		cr_expect(keys <= wanted * 4 / 3, "%zu", (size_t)keys);
	}
	cr_expect_eq(memtable_keys_for(10000000), MEMTABLE_KEYS_MOST);
}
