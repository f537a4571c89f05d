/* SPDX-License-Identifier: MIT */
/* What the durable engine answers. model.c compares it with the memory engine. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void durable_up(void)
{
	t_up();
	t_open(&t, dir, ENGINE_ALWAYS);
}

static void durable_down(void)
{
	t_close(&t);
	t_down();
}

/* Stops the engine as a clean stop does, and starts it again. */
static void reopen(void)
{
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
}

TestSuite(durable, .init = durable_up, .fini = durable_down);

Test(durable, keeps_what_the_line_protocol_puts)
{
	ANSWERS("NOT_FOUND", "put", "shopping", "milk", "1");
	ANSWERS("NOT_FOUND", "get", "shopping", "milk");
	ANSWERS("OK nil", "create", "shopping");
	ANSWERS("OK nil", "create", "shopping");
	ANSWERS("OK nil", "get", "shopping", "milk");
	ANSWERS("OK nil", "put", "shopping", "milk", "1");
	ANSWERS("OK '1'", "get", "shopping", "milk");
	ANSWERS("OK nil", "put", "shopping", "milk", "22");
	ANSWERS("OK '22'", "get", "shopping", "milk");
	ANSWERS("OK nil", "delete", "shopping", "milk");
	ANSWERS("OK nil", "delete", "shopping", "milk");
	ANSWERS("OK nil", "get", "shopping", "milk");
	ANSWERS("NOT_FOUND", "delete", "nowhere", "milk");
	ANSWERS("OK [shopping]", "buckets");
}

Test(durable, finds_everything_again_after_a_stop)
{
	ANSWERS("OK nil", "create", "shopping");
	ANSWERS("OK nil", "put", "shopping", "milk", "1");
	ANSWERS("OK 2", "hset", "hash", "a", "1", "b", "2");
	ANSWERS("OK nil", "create", "empty");
	reopen();
	ANSWERS("OK '1'", "get", "shopping", "milk");
	ANSWERS("OK {a: 1, b: 2}", "hgetall", "hash");
	ANSWERS("OK 2", "hlen", "hash");
	ANSWERS("OK [empty, hash, shopping]", "buckets");
	ANSWERS("OK 3", "count");
	ANSWERS("OK 1", "hset", "hash", "a", "3", "c", "4");
	ANSWERS("OK {a: 3, b: 2, c: 4}", "hgetall", "hash");
	reopen();
	ANSWERS("OK {a: 3, b: 2, c: 4}", "hgetall", "hash");
	ANSWERS("OK 3", "hlen", "hash");
}

Test(durable, lets_a_hash_go_with_its_last_key_but_keeps_a_created_bucket)
{
	ANSWERS("OK 1", "hset", "hash", "a", "1");
	ANSWERS("OK 1", "exists", "hash");
	ANSWERS("OK 1", "hdel", "hash", "a", "b");
	ANSWERS("OK 0", "exists", "hash");
	ANSWERS("OK nil", "create", "made");
	ANSWERS("OK 1", "hset", "made", "a", "1");
	ANSWERS("OK 1", "hdel", "made", "a");
	ANSWERS("OK 1", "exists", "made");
	ANSWERS("OK [made]", "buckets");
	reopen();
	ANSWERS("OK [made]", "buckets");
	ANSWERS("OK 1", "count");
}

Test(durable, runs_a_batch_as_if_its_requests_came_one_by_one)
{
	static char large[3000];
	const struct kvrel_slice b = { "b", 1 }, k = { "k", 1 }, l = { "l", 1 }, one = { "1", 1 }, two = { "2", 1 },
				 big = { large, sizeof(large) }, put_one[] = { b, k, one }, put_two[] = { b, k, two },
				 put_both[] = { b, k, one, l, two }, put_big[] = { b, l, big }, add[] = { b, k, one };
	const struct t_request requests[] = {
		{ .op = "hset", .args = put_one, .arg_count = 3 }, /* makes the bucket */
		{ .op = "hset", .args = put_two, .arg_count = 3 }, /* staged */
		{ .op = "hget", .args = put_two, .arg_count = 2 }, /* the same key */
		{ .op = "hset", .args = put_big, .arg_count = 3 }, /* too large to be staged */
		{ .op = "hset", .args = put_one, .arg_count = 3 },  { .op = "hlen", .args = &b, .arg_count = 1 },
		{ .op = "hset", .args = put_both, .arg_count = 5 }, { .op = "hsetnx", .args = put_two, .arg_count = 3 },
		{ .op = "hincrby", .args = add, .arg_count = 3 },   { .op = "hset", .args = put_one, .arg_count = 3 },
		{ .op = "drop", .args = &b, .arg_count = 1 },       { .op = "hset", .args = put_one, .arg_count = 3 },
		{ .op = "hset", .args = put_two, .arg_count = 3 },  { .op = "hdel", .args = put_two, .arg_count = 2 },
		{ .op = "hget", .args = put_two, .arg_count = 2 },
	};

	memset(large, 'x', sizeof(large));
	cr_assert_str_eq(
		t_batch(&t, 0, requests, sizeof(requests) / sizeof(requests[0])),
		"OK 1; OK 0; OK '2'; OK 1; OK 0; OK 2; OK 0; OK 0; OK 2; OK 0; OK 1; OK 1; OK 0; OK 1; OK nil");
	cr_assert_str_eq(t_call(&t, "count", NULL), "OK 0");
}

Test(durable, drops_buckets_with_all_they_hold)
{
	ANSWERS("OK 2", "hset", "old", "a", "1", "b", "2");
	reopen();
	ANSWERS("OK 1", "drop", "old", "missing");
	ANSWERS("OK 0", "hlen", "old");
	ANSWERS("OK nil", "hget", "old", "a");
	ANSWERS("OK 1", "hset", "old", "b", "3");
	ANSWERS("OK {b: 3}", "hgetall", "old");
	reopen();
	ANSWERS("OK {b: 3}", "hgetall", "old");
	ANSWERS("OK 1", "hlen", "old");
	ANSWERS("OK 1", "count");
}

Test(durable, counts_integers_up_and_down)
{
	ANSWERS("OK 5", "hincrby", "h", "n", "5");
	ANSWERS("OK -2", "hincrby", "h", "n", "-7");
	reopen();
	ANSWERS("OK -1", "hincrby", "h", "n", "1");
	ANSWERS("OK 1", "hset", "h", "text", "abc");
	ANSWERS("ERROR hash value is not an integer", "hincrby", "h", "text", "1");
	ANSWERS("OK 1", "hset", "h", "max", "9223372036854775807");
	ANSWERS("ERROR increment or decrement would overflow", "hincrby", "h", "max", "1");
	ANSWERS("ERROR value is not an integer or out of range", "hincrby", "h", "n", "1.5");
	ANSWERS("OK 0", "exists", "other");
}

Test(durable, answers_the_other_hash_operations)
{
	ANSWERS("OK 1", "hsetnx", "h", "a", "1");
	ANSWERS("OK 0", "hsetnx", "h", "a", "2");
	ANSWERS("OK 1", "hset", "h", "b", "22", "b", "333");
	ANSWERS("OK '333'", "hget", "h", "b");
	ANSWERS("OK [1, nil, 333]", "hmget", "h", "a", "x", "b");
	ANSWERS("OK [nil]", "hmget", "missing", "a");
	ANSWERS("OK 1", "hexists", "h", "a");
	ANSWERS("OK 0", "hexists", "h", "x");
	ANSWERS("OK 3", "hstrlen", "h", "b");
	ANSWERS("OK [a, b]", "hkeys", "h");
	ANSWERS("OK [1, 333]", "hvals", "h");
	ANSWERS("OK {}", "hgetall", "missing");
	ANSWERS("OK 2", "exists", "h", "h", "missing");
	ANSWERS("WRONG_ARGS a key without a value", "hset", "h", "a", "1", "b");
}

Test(durable, goes_through_buckets_step_by_step)
{
	char key[16], cursor[32] = "0", *text;
	int seen = 0, steps = 0;

	for (int i = 0; i < 25; i++) {
		snprintf(key, sizeof(key), "k%02d", i);
		t_call(&t, "hset", "h", key, "v", NULL);
		if (i == 12)
			reopen(); /* half of them in the pages, half in the log */
	}
	do {
		text = strdup(t_call(&t, "hscan", "h", cursor, NULL));
		cr_assert_eq(sscanf(text, "OK [%31[0-9],", cursor), 1);
		for (char *at = text; (at = strstr(at, "k")) != NULL; at++)
			seen++;
		steps++;
		free(text);
	} while (strcmp(cursor, "0") != 0 && steps < 10);
	cr_expect_eq(seen, 25);
	cr_expect_eq(steps, 3);
	ANSWERS("ERROR invalid cursor", "hscan", "h", "12345");
	ANSWERS("ERROR invalid cursor", "hscan", "h", "abc");
	ANSWERS("OK [0, {k07: v, k17: v}]", "hscan", "h", "0", "*7", "100");
	ANSWERS("OK [0, [h]]", "scan", "0");
}

/* The keys of a whole scan, one after another. */
static char *scan_all(const char *count)
{
	char *seen = calloc(1, 1 << 16), cursor[32] = "0";

	do {
		char *text = strdup(t_call(&t, "hscan", "h", cursor, "*", count, NULL)), *at = text;

		cr_assert_eq(sscanf(text, "OK [%31[0-9],", cursor), 1, "%.200s", text);
		while ((at = strchr(at, 'k')) != NULL)
			strncat(seen, at++, 5);
		free(text);
	} while (strcmp(cursor, "0") != 0);
	return seen;
}

/* A step looks for its first keys among all that are not in the pages yet: newer and older ones, and deleted ones. */
Test(durable, goes_through_what_the_pages_do_not_have_yet)
{
	enum { KEYS = 1000, LEFT = 97 };
	char key[16], *expected = calloc(1, 1 << 16), *seen;

	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%04d", i * 2);
		ANSWERS("OK 1", "hset", "h", key, "v");
	}
	reopen();
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%04d", i * 7 % KEYS * 2 + 1);
		ANSWERS("OK 1", "hset", "h", key, "v");
	}
	for (int i = 0; i < 2 * KEYS; i++) {
		snprintf(key, sizeof(key), "k%04d", i * 11 % (2 * KEYS));
		if (i * 11 % (2 * KEYS) % LEFT != 0)
			ANSWERS("OK 1", "hdel", "h", key);
	}
	for (int i = 0; i < 2 * KEYS; i += LEFT) {
		snprintf(key, sizeof(key), "k%04d", i);
		strcat(expected, key);
	}
	for (const char *const *count = (const char *const[]){ "1", "3", "10", "1000", NULL }; *count; count++) {
		seen = scan_all(*count);
		cr_expect(strcmp(seen, expected) == 0, "steps of %s: %s", *count, seen);
		free(seen);
	}
	free(expected);
}

Test(durable, goes_through_large_values_in_smaller_steps)
{
	enum { VALUES = 20, VALUE_BYTES = 30000 };
	char key[16], cursor[32] = "0", *value = malloc(VALUE_BYTES + 1), *text;
	int steps = 0, seen = 0;
	struct kv_error err;

	t_close(&t);
	t.options.list_max = 4 * VALUE_BYTES;
	cr_assert(engine_durable_open(&t.options, &t.engine, &err) == 0);
	memset(value, 'v', VALUE_BYTES);
	value[VALUE_BYTES] = '\0';
	for (int i = 0; i < VALUES; i++) {
		snprintf(key, sizeof(key), "k%02d", i);
		ANSWERS("OK 1", "hset", "h", key, value);
	}
	ANSWERS("ERROR the listing is larger than kv.max_listing: go through it with scan or hscan", "hgetall", "h");
	do {
		text = strdup(t_call(&t, "hscan", "h", cursor, "*", "1000", NULL));
		cr_assert_eq(sscanf(text, "OK [%31[0-9],", cursor), 1, "%.200s", text);
		for (char *at = text; (at = strchr(at, 'k')) != NULL; at++)
			seen++;
		free(text);
	} while (strcmp(cursor, "0") != 0 && ++steps < VALUES);
	cr_expect_eq(seen, VALUES);
	cr_expect(steps > 3);
	free(value);
}

Test(durable, holds_keys_and_values_of_all_sizes)
{
	size_t sizes[] = { 0, 1, 505, 506, 507, 511, 512, 2000, 65535 };
	char *bytes = malloc(1 << 20), *expected = malloc((1 << 20) + 16);

	memset(bytes, 'x', 1 << 20);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct kvrel_slice args[] = { { "big", 3 }, { bytes, sizes[i] }, { bytes, sizes[i] * 2 } };

			if (round == 0)
				cr_expect_str_eq(t_call_slices(&t, 0, "hset", args, 3), "OK 1");
			sprintf(expected, "OK '%.*s'", (int)sizes[i] * 2, bytes);
			cr_expect_str_eq(t_call_slices(&t, 1, "hget", args, 2), expected);
		}
		ANSWERS("OK 9", "hlen", "big");
		reopen();
	}
	struct kvrel_slice long_key[] = { { "big", 3 }, { bytes, 65536 }, { "v", 1 } };
	struct kvrel_slice long_value[] = { { "big", 3 }, { "k", 1 }, { bytes, 1 << 20 } };

	cr_expect_str_eq(t_call_slices(&t, 0, "hset", long_key, 3),
			 "ERROR key too long: 65536 bytes, the limit is 65535");
	cr_expect_str_eq(t_call_slices(&t, 0, "hset", long_value, 3),
			 "ERROR the request is larger than a segment of the log: raise kv.log_segment_size");
	free(bytes);
	free(expected);
}
