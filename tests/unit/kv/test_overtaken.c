/* SPDX-License-Identifier: MIT */
/* Keys that are written again and again, and what of that goes into the pages. */
#include "durable.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 400, BATCH = 50, PADDING = 200, SEGMENT_ROUNDS = T_SEGMENT_BYTES / (KEYS * (PADDING + 40)) + 1 };

TestSuite(overtaken, .init = t_up, .fini = t_down);

static uint64_t figure(const char *name)
{
	const char *stats = t_call(&t, "stats", NULL), *at = strstr(stats, name);
	unsigned long value = 0;

	cr_assert(at != NULL && sscanf(at + strlen(name), ": %lu", &value) == 1, "no %s in %s", name, stats);
	return value;
}

/* Every key once, with its round's number. */
static void write_round(const char *bucket, int round)
{
	char keys[BATCH][16], values[BATCH][PADDING + 16];
	struct kvrel_slice args[BATCH][3];
	struct t_request requests[BATCH];

	for (int from = 0; from < KEYS; from += BATCH) {
		for (int i = 0; i < BATCH; i++) {
			args[i][0] = (struct kvrel_slice){ bucket, strlen(bucket) };
			args[i][1] = (struct kvrel_slice){ keys[i], (size_t)snprintf(keys[i], 16, "key%d", from + i) };
			args[i][2] = (struct kvrel_slice){ values[i], (size_t)snprintf(values[i], sizeof(values[i]),
										       "%d %0*d", round, PADDING, 0) };
			requests[i] = (struct t_request){ "hset", args[i], 3, NULL, NULL };
		}
		t_batch(&t, 0, requests, BATCH);
	}
}

static void expect_round(const char *bucket, int round)
{
	char expected[PADDING + 32], count[32], key[16];

	snprintf(expected, sizeof(expected), "OK '%d %0*d'", round, PADDING, 0);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		ANSWERS(expected, "hget", bucket, key);
	}
	snprintf(count, sizeof(count), "OK %d", KEYS);
	ANSWERS(count, "hlen", bucket);
}

/* As it is outside of tests. */
static void open_as_usual(void)
{
	struct kv_error err = { "" };

	t_open(&t, dir, ENGINE_NONE);
	t_close(&t);
	t.options.leave_out_all = false;
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0, "%s", err.message);
}

/* Until a memtable was applied without keys of the next one; the last round. */
static int write_until_overtaken(const char *bucket)
{
	int round = 0;

	while (figure("store_records_overtaken") == 0) {
		for (int i = 0; i < SEGMENT_ROUNDS / 8 + 1; i++)
			write_round(bucket, ++round);
		usleep(2000);
		cr_assert(round < 500 * SEGMENT_ROUNDS, "%s", t_call(&t, "stats", NULL));
	}
	return round;
}

Test(overtaken, keys_are_left_out_of_the_pages_and_lost_nowhere)
{
	int round;

	open_as_usual();
	round = write_until_overtaken("b");
	expect_round("b", round);
	t_close(&t);
	t_open(&t, dir, ENGINE_NONE);
	expect_round("b", round);
	t_close(&t);
}

Test(overtaken, keys_are_in_a_backup_with_their_last_value)
{
	char copy[300];
	int round;

	open_as_usual();
	round = write_until_overtaken("b");
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	ANSWERS("OK nil", "backup", copy);
	write_round("b", round + 1);
	t_close(&t);
	t_open(&t, copy, ENGINE_NONE);
	expect_round("b", round);
	t_close(&t);
}

Test(overtaken, keys_that_are_deleted_in_between_are_counted_right)
{
	int round;

	open_as_usual();
	for (round = 0; figure("store_records_overtaken") == 0; round++) {
		cr_assert(round < 500 * SEGMENT_ROUNDS);
		write_round("b", round);
		for (int i = 0; i < KEYS; i += 7) {
			char key[16];

			snprintf(key, sizeof(key), "key%d", (i + round) % KEYS);
			t_call(&t, "hdel", "b", key, NULL);
		}
	}
	write_round("b", round);
	expect_round("b", round);
	t_close(&t);
	t_open(&t, dir, ENGINE_NONE);
	expect_round("b", round);
	ANSWERS("OK nil", "verify");
	t_close(&t);
}

Test(overtaken, keys_of_a_dropped_bucket_stay_gone)
{
	open_as_usual();
	write_until_overtaken("b");
	write_until_overtaken("other");
	ANSWERS("OK 1", "drop", "b");
	write_round("other", 7);
	t_close(&t);
	t_open(&t, dir, ENGINE_NONE);
	ANSWERS("OK 0", "hlen", "b");
	ANSWERS("OK nil", "hget", "b", "key1");
	expect_round("other", 7);
	t_close(&t);
}
