/* SPDX-License-Identifier: MIT */
/* What is remembered of the pages' keys, and when it has to be forgotten. */
#include "durable.h"
#include "fixture.h"
#include "hash.h"
#include "presence.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct presence presence;

TestSuite(presence, .init = t_up, .fini = t_down);

Test(presence, knows_what_was_noted_and_nothing_else)
{
	presence_init(&presence, 1 << 12);
	for (uint64_t hash = 1; hash <= 100; hash++)
		presence_note(&presence, presence_generation(&presence), hash * 0x9e3779b97f4a7c15u);
	for (uint64_t hash = 1; hash <= 100; hash++)
		cr_expect(presence_knows(&presence, hash * 0x9e3779b97f4a7c15u), "%lu", (unsigned long)hash);
	for (uint64_t hash = 101; hash <= 10000; hash++)
		cr_expect(!presence_knows(&presence, hash * 0x9e3779b97f4a7c15u), "%lu", (unsigned long)hash);
	presence_done(&presence);
}

Test(presence, nearly_full_loses_next_to_nothing)
{
	const uint64_t lines = 1 << 10, count = lines * PRESENCE_WAYS * 19 / 20;
	uint64_t lost = 0;

	presence_init(&presence, lines * PRESENCE_WAYS * sizeof(uint64_t));
	for (uint64_t i = 1; i <= count; i++)
		presence_note(&presence, 3, hash_bytes(&i, sizeof(i), 1));
	presence.generation = 3;
	for (uint64_t i = 1; i <= count; i++)
		lost += !presence_knows(&presence, hash_bytes(&i, sizeof(i), 1));
	cr_expect_lt(lost, count / 100, "%lu of %lu", (unsigned long)lost, (unsigned long)count);
	presence_done(&presence);
}

Test(presence, of_an_earlier_generation_makes_room)
{
	const uint64_t lines = 1 << 8, count = lines * PRESENCE_WAYS / 2;

	presence_init(&presence, lines * PRESENCE_WAYS * sizeof(uint64_t));
	for (uint64_t i = 1; i <= 4 * count; i++)
		presence_note(&presence, 0, hash_bytes(&i, sizeof(i), 1));
	presence_begin_anew(&presence);
	for (uint64_t i = 1; i <= count; i++)
		presence_note(&presence, 1, hash_bytes(&i, sizeof(i), 2));
	for (uint64_t i = 1; i <= count; i++)
		cr_expect(presence_knows(&presence, hash_bytes(&i, sizeof(i), 2)), "%lu", (unsigned long)i);
	presence_done(&presence);
}

Test(presence, lets_go_of_what_was_noted_least_lately)
{
	presence_init(&presence, PRESENCE_WAYS * sizeof(uint64_t)); /* one line */
	for (uint64_t hash = 1; hash <= PRESENCE_WAYS + 1; hash++)
		presence_note(&presence, 0, hash);
	cr_expect(!presence_knows(&presence, 1));
	for (uint64_t hash = 2; hash <= PRESENCE_WAYS + 1; hash++)
		cr_expect(presence_knows(&presence, hash), "%lu", (unsigned long)hash);
	presence_done(&presence);
}

Test(presence, of_an_earlier_generation_counts_no_more_and_cannot_be_noted_any_more)
{
	uint64_t before;

	presence_init(&presence, 1 << 12);
	before = presence_generation(&presence);
	presence_note(&presence, before, 7);
	presence_begin_anew(&presence);
	cr_expect(!presence_knows(&presence, 7));
	presence_note(&presence, before, 7); /* seen in a snapshot of before */
	cr_expect(!presence_knows(&presence, 7));
	presence_note(&presence, presence_generation(&presence), 7);
	cr_expect(presence_knows(&presence, 7));
	presence_done(&presence);
}

Test(presence, without_room_knows_nothing)
{
	presence_init(&presence, 0);
	presence_note(&presence, 0, 7);
	cr_expect(!presence_knows(&presence, 7));
	presence_done(&presence);
}

/* What was written is in the pages, and in no memtable. */
static void apply(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/applied", dir);
	ANSWERS("OK nil", "backup", path);
	t_remove(path);
}

static const struct presence *of_store(void)
{
	return &((const struct durable *)t.engine)->presence;
}

static uint64_t marks(void)
{
	uint64_t count = 0;

	for (size_t line = 0; line <= of_store()->mask; line++)
		for (unsigned way = 0; way < PRESENCE_WAYS; way++)
			count += of_store()->lines[line][way] != 0;
	return count;
}

Test(presence, of_keys_is_right_when_they_come_and_go)
{
	t_open(&t, dir, ENGINE_NONE);
	for (int round = 0; round < 3; round++) {
		ANSWERS("OK 1", "hset", "b", "k", "v");
		ANSWERS(round == 0 ? "OK 1" : "OK 0", "hset", "b", "stays", "v");
		apply();
		ANSWERS("OK 1", "hexists", "b", "k");
		ANSWERS("OK 0", "hset", "b", "k", "w");
		apply();
		ANSWERS("OK 0", "hset", "b", "k", "x");
		ANSWERS("OK 1", "hexists", "b", "stays");
		ANSWERS("OK 1", "hdel", "b", "k");
		ANSWERS("OK 0", "hexists", "b", "k");
		apply();
		ANSWERS("OK 0", "hexists", "b", "k");
		ANSWERS("OK 1", "hlen", "b");
	}
	cr_expect_gt(marks(), 0);
	cr_expect_gt(presence_generation(of_store()), 0);
	t_close(&t);
}

Test(presence, of_new_keys_is_noted_when_they_are_applied)
{
	uint64_t before;

	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	ANSWERS("OK 1", "hset", "b", "comes and goes", "v");
	ANSWERS("OK 1", "hdel", "b", "comes and goes");
	cr_expect_eq(marks(), 0);
	apply();
	before = marks();
	cr_expect_geq(before, 1);
	ANSWERS("OK 0", "hset", "b", "k", "w");
	cr_expect_eq(marks(), before, "it was known");
	ANSWERS("OK 0", "hexists", "b", "comes and goes");
	ANSWERS("OK 1", "hset", "b", "comes and goes", "v");
	ANSWERS("OK 2", "hlen", "b");
	t_close(&t);
}

Test(presence, of_keys_of_a_dropped_bucket_is_not_that_of_the_next_ones)
{
	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	apply();
	ANSWERS("OK 0", "hset", "b", "k", "v");
	ANSWERS("OK 1", "drop", "b");
	ANSWERS("OK 1", "hset", "b", "k", "v");
	ANSWERS("OK 1", "drop", "b");
	apply();
	ANSWERS("OK 0", "hexists", "b", "k");
	ANSWERS("OK 1", "hset", "b", "k", "v");
	t_close(&t);
}
