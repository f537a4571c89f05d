/* SPDX-License-Identifier: MIT */
/* How writers and the applying thread keep in step. */
#include "durable.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

enum { BASE = 1 << 20, ROOM = MEMTABLE_FULL * 100, LONG_US = 1 << 30 };

static struct durable *store;
static struct memtable *memtable;

/* Of two memtables the older is being applied, for which some minutes are usual: while a test runs nothing is told. */
static void up(void)
{
	store = calloc(1, sizeof(*store));
	memtable = calloc(1, sizeof(*memtable));
	memtable->size = memtable->used = 1; /* full */
	memtable->keys_max = MEMTABLE_KEYS;
	admission_init(&store->admission);
	store->admission.usual_us = LONG_US;
	atomic_store(&store->newest_base, BASE);
	atomic_store(&store->newest_room, ROOM);
	atomic_store(&store->log.written, BASE);
	atomic_store(&store->retired, 7);
	atomic_store(&store->newest_id, 9);
}

static void down(void)
{
	admission_destroy(&store->admission);
	free(memtable);
	free(store);
}

TestSuite(pace, .init = up, .fini = down);

/* What may be told of the newest, in hundredths of what it holds. */
static int told(void)
{
	return (int)(((int64_t)admitted(store) - BASE + ROOM / 200) * 100 / ROOM);
}

static void rotate_to(uint64_t memtables)
{
	atomic_store(&store->newest_id, atomic_load(&store->retired) + memtables);
	admission_rotated(store);
}

static void let_pass(int64_t us)
{
	store->admission.from_us -= us;
	store->admission.taken_up_us -= us;
	store->admission.first_us -= us;
}

Test(pace, of_writers_is_their_own_while_two_memtables_are_enough)
{
	rotate_to(1);
	cr_expect_eq(admitted(store), UINT64_MAX);
	rotate_to(2);
	cr_expect_eq(admitted(store), UINT64_MAX);
	admission_taken_up(store, memtable);
	admission_begun(store);
	admission_progress(store, MEMTABLE_FULL / 2);
	cr_expect_eq(admitted(store), UINT64_MAX);
}

Test(pace, of_writers_fills_the_third_memtable_while_the_first_is_applied)
{
	admission_taken_up(store, memtable);
	rotate_to(3);
	cr_expect_eq(told(), 0);
	let_pass(LONG_US / 4);
	cr_expect_eq(told(), 25);
	let_pass(LONG_US);
	cr_expect_eq(told(), 100);
	rotate_to(4);
	cr_expect_eq(told(), 0);
	let_pass(LONG_US);
	cr_expect_eq(told(), 0);
}

Test(pace, of_writers_follows_from_how_long_the_first_half_took)
{
	admission_taken_up(store, memtable);
	admission_begun(store);
	rotate_to(3);
	let_pass(LONG_US / 10);
	cr_expect_eq(told(), 10);
	admission_progress(store, MEMTABLE_FULL / 2);
	cr_expect_eq(told(), 10); /* ninety in as much again */
	let_pass(LONG_US / 20);
	cr_expect_eq(told(), 55);
	let_pass(LONG_US / 20);
	cr_expect_eq(told(), 100);
	atomic_store(&store->retired, 8);
	admission_finished(store);
	cr_expect_eq(admitted(store), UINT64_MAX);
}

Test(pace, of_writers_is_limited_from_the_first_quarter_on_where_memtables_are_large)
{
	memtable->keys_max = MEMTABLE_KEYS_LARGE;
	admission_taken_up(store, memtable);
	cr_expect_eq(told(), 25);
	let_pass(LONG_US / 3);
	cr_expect_eq(told(), 50);
	let_pass(LONG_US);
	cr_expect_eq(told(), 100);
}

Test(pace, of_writers_begins_where_they_are)
{
	memtable->keys_max = MEMTABLE_KEYS_LARGE;
	atomic_store(&store->log.written, BASE + ROOM / 2);
	cr_expect_not(admission_is_awaited(store));
	admission_taken_up(store, memtable);
	cr_expect_eq(told(), 50);
	atomic_store(&store->log.written, BASE + ROOM * 3 / 4);
	cr_expect(admission_is_awaited(store));
	atomic_store(&store->log.written, BASE + ROOM * 2);
	let_pass(LONG_US);
	cr_expect_eq(told(), 100);
	cr_expect(admission_is_awaited(store));
}

Test(pace, of_writers_is_their_own_when_nothing_can_be_applied)
{
	admission_taken_up(store, memtable);
	rotate_to(4);
	atomic_store(&store->applier.stuck, true);
	cr_expect_eq(admitted(store), UINT64_MAX);
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
