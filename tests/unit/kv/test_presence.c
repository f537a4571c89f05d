/* SPDX-License-Identifier: MIT */
/* What is remembered of the pages' keys, and when it has to be forgotten. */
#include "driver.h"
#include "durable.h"
#include "presence.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct presence presence;

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

static struct t_engine t;
static char dir[256];

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
	t_make_dir(dir);
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
	t_remove(dir);
}

Test(presence, of_keys_of_a_dropped_bucket_is_not_that_of_the_next_ones)
{
	t_make_dir(dir);
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
	t_remove(dir);
}
