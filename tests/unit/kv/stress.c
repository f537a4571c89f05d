/* SPDX-License-Identifier: MIT */
/*
 * Workers and consoles on the same buckets at once, with segments so small that memtables come and go all the time: for
 *the thread sanitizer, and for what has to come out even: increments are not lost, counts are the number of keys, a
 *worker sees what it wrote.
 *
 *	kv_stress [--ms N]
 */
#include "driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, VALUE_MAX = 5000 };

static struct t_engine t;
static _Atomic long increments;
static _Atomic bool stop;

static void expect(bool right, const char *what, const char *got)
{
	if (!right) {
		fprintf(stderr, "kv_stress: %s: %s\n", what, got);
		exit(1);
	}
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

static const char *call(uint32_t worker, const char *op, const char *a, const char *b, const char *c)
{
	const char *texts[] = { a, b, c };
	struct kvrel_slice args[3];
	uint32_t count = 0;

	for (; count < 3 && texts[count] != NULL; count++)
		args[count] = (struct kvrel_slice){ texts[count], strlen(texts[count]) };
	return t_call_slices(&t, worker, op, args, count);
}

/* Writes of one batch to buckets that come and go, a key twice, and a look at it in between. */
static void batch(uint32_t worker, const char *own, const char *key, const char *value)
{
	const struct kvrel_slice v = { value, strlen(value) }, k = { key, strlen(key) }, x = { "x", 1 },
				 shared[] = { { "shared", 6 }, k, v }, brief[] = { { "short", 5 }, k, v },
				 first[] = { { own, strlen(own) }, k, x }, second[] = { { own, strlen(own) }, k, v };
	const struct t_request requests[] = {
		{ .op = "hset", .args = shared, .arg_count = 3 }, { .op = "hset", .args = brief, .arg_count = 3 },
		{ .op = "hset", .args = first, .arg_count = 3 },  { .op = "hget", .args = first, .arg_count = 2 },
		{ .op = "hset", .args = second, .arg_count = 3 }, { .op = "hget", .args = first, .arg_count = 2 }
	};
	char expected[VALUE_MAX + 100];
	const char *got = t_batch(&t, worker, requests, 6);

	snprintf(expected, sizeof(expected), "; OK 'x'; OK 0; OK '%s'", value);
	expect(strstr(got, expected) != NULL, "a batch does not see its own writes", got);
}

/* Some as large as those that stay in the log's files. */
static int size_of_value(unsigned *random)
{
	unsigned number = next_random(random);

	return number % 8 == 0 ? (int)(1000 + number / 8 % (VALUE_MAX - 1001)) : (int)(1 + number / 8 % 250);
}

static void scan(uint32_t worker, const char *bucket)
{
	char cursor[32] = "0";

	do {
		const char *step = call(worker, "hscan", bucket, cursor, NULL);

		expect(sscanf(step, "OK [%31[0-9],", cursor) == 1, "no step of a scan", step);
	} while (strcmp(cursor, "0") != 0);
}

static void one(unsigned thread, uint32_t worker, unsigned *random)
{
	char key[32], own[32], value[VALUE_MAX], expected[VALUE_MAX + 20];
	unsigned kind = next_random(random) % 32;

	snprintf(key, sizeof(key), "k%u", next_random(random) % 200);
	snprintf(own, sizeof(own), "own%u", thread);
	snprintf(value, sizeof(value), "%0*u", size_of_value(random), thread);
	if (kind < 8) {
		expect(strncmp(call(worker, "hincrby", "shared", "n", "1"), "OK ", 3) == 0, "hincrby", "");
		atomic_fetch_add(&increments, 1);
	} else if (kind < 18) {
		call(worker, "hset", "shared", key, value);
	} else if (kind < 20) {
		batch(worker, own, key, value);
	} else if (kind < 22) {
		call(worker, "hdel", "shared", key, NULL);
	} else if (kind < 27) {
		call(worker, "hset", own, key, value);
		snprintf(expected, sizeof(expected), "OK '%s'", value);
		expect(strcmp(call(worker, "hget", own, key, NULL), expected) == 0, "not what was just written", key);
	} else if (kind < 28) {
		call(worker, "hgetall", "shared", NULL, NULL);
	} else if (kind < 29) {
		scan(worker, "shared");
	} else if (kind < 30) {
		call(worker, "drop", "short", NULL, NULL);
	} else if (kind < 31) {
		call(worker, "hset", "short", key, value);
	} else {
		call(worker, "buckets", NULL, NULL, NULL);
	}
}

static void *work(void *argument)
{
	unsigned thread = (unsigned)(uintptr_t)argument, random = thread + 1;
	uint32_t worker = thread < 3 ? thread : KVREL_NO_WORKER;

	while (!atomic_load(&stop))
		one(thread, worker, &random);
	return NULL;
}

static unsigned count_items(const char *list)
{
	unsigned count = strcmp(list, "OK []") != 0;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

static void check_counts(void)
{
	const char *buckets[] = { "shared", "own0", "own1", "own2", "own3", "short" };
	char expected[64];

	snprintf(expected, sizeof(expected), "OK '%ld'", atomic_load(&increments));
	expect(strcmp(t_call(&t, "hget", "shared", "n", NULL), expected) == 0, "increments were lost", expected);
	for (size_t i = 0; i < 6; i++) {
		snprintf(expected, sizeof(expected), "OK %u", count_items(t_call(&t, "hkeys", buckets[i], NULL)));
		expect(strcmp(t_call(&t, "hlen", buckets[i], NULL), expected) == 0, "a count is wrong", buckets[i]);
	}
	snprintf(expected, sizeof(expected), "OK %u", count_items(t_call(&t, "buckets", NULL)));
	expect(strcmp(t_call(&t, "count", NULL), expected) == 0, "the number of buckets is wrong", expected);
}

int main(int argc, char **argv)
{
	long ms = argc == 3 && strcmp(argv[1], "--ms") == 0 ? atol(argv[2]) : 1000;
	struct kv_error err = { "" };
	pthread_t threads[THREADS];
	char dir[256], backup[300];

	t_make_dir(dir);
	t.options = t_options(&t, dir);
	t.options.workers = 3;
	t.options.checkpoint_ms = 20;
	t.options.durability = ENGINE_NONE;
	expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i);
	usleep((useconds_t)ms * 500);
	t.engine->type->set_durability(t.engine, ENGINE_ALWAYS);
	snprintf(backup, sizeof(backup), "%s/backup", dir);
	expect(strcmp(t_call_slices(&t, KVREL_NO_WORKER, "backup", &(struct kvrel_slice){ backup, strlen(backup) }, 1),
		      "OK nil") == 0,
	       "backup", "");
	usleep((useconds_t)ms * 500);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_counts();
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	check_counts();
	t_close(&t);
	t_remove(dir);
	return 0;
}
