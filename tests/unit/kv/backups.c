/* SPDX-License-Identifier: MIT */
/*
 * Backups taken again and again while writers overwrite and delete: each is the store as it was at one moment.
 *
 *	kv_backups [--ms N]
 *
 * Each of two writers has an account in two keys that lie far apart, whose sum never changes: a request sets both. It
 * also counts in two keys, one request after the other, the one that comes later in order of keys first: what a copy
 * holds of the second is never ahead of the first. And it puts and deletes keys by turns, so that pages come and go.
 * What was acknowledged before a backup began is in it. A third thread reads meanwhile.
 */
#include "workload.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* So many keys that a memtable goes into the pages by several transactions. */
enum { WRITERS = 2, SUM = 1000000, KEYS = 20000 };

static struct t_engine t;
static _Atomic bool stop;
static _Atomic long acknowledged[WRITERS];
static _Atomic long reads;

static const char *call(struct t_engine *engine, uint32_t worker, const char *op, const char *const *texts)
{
	struct kvrel_slice args[8];
	uint32_t count = 0;

	for (; texts[count] != NULL; count++)
		args[count] = (struct kvrel_slice){ texts[count], strlen(texts[count]) };
	return t_call_slices(engine, worker, op, args, count);
}

#define CALL(engine, worker, op, ...) call(engine, worker, op, (const char *const[]){ __VA_ARGS__, NULL })

static void write_round(unsigned worker, long round, unsigned *random)
{
	char bucket[16], one[24], other[24], number[24], key[24], value[400];

	snprintf(bucket, sizeof(bucket), "writer%u", worker);
	snprintf(one, sizeof(one), "%u", workload_random(random) % SUM);
	snprintf(other, sizeof(other), "%d", SUM - atoi(one));
	CALL(&t, worker, "hset", bucket, "account-a", one, "z-account", other);
	snprintf(number, sizeof(number), "%ld", round);
	CALL(&t, worker, "hset", bucket, "z-count", number);
	CALL(&t, worker, "hset", bucket, "a-count", number);
	atomic_store(&acknowledged[worker], round);
	snprintf(key, sizeof(key), "k%u", workload_random(random) % KEYS);
	snprintf(value, sizeof(value), "%0*ld", 1 + (int)(workload_random(random) % 390), round);
	if (round % 3 == 0)
		CALL(&t, worker, "hdel", bucket, key);
	else
		CALL(&t, worker, "hset", bucket, key, value);
}

static void fill(unsigned worker)
{
	char bucket[16], key[24], value[200];

	snprintf(bucket, sizeof(bucket), "writer%u", worker);
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		snprintf(value, sizeof(value), "%0199u", i);
		CALL(&t, worker, "hset", bucket, key, value);
	}
}

static void *write_on(void *argument)
{
	unsigned worker = (unsigned)(uintptr_t)argument, random = worker + 1;

	for (long round = 1; !atomic_load(&stop); round++)
		write_round(worker, round, &random);
	return NULL;
}

static void *read_on(void *argument)
{
	(void)argument;
	for (; !atomic_load(&stop); atomic_fetch_add(&reads, 1)) {
		CALL(&t, WRITERS, "hgetall", "writer0");
		CALL(&t, WRITERS, "hscan", "writer1", "0");
	}
	return NULL;
}

static long number_of(struct t_engine *store, const char *bucket, const char *key)
{
	const char *answer = CALL(store, 0, "hget", bucket, key);
	long number = 0;

	workload_expect(strcmp(answer, "OK nil") == 0 || sscanf(answer, "OK '%ld'", &number) == 1, "no number", answer);
	return number;
}

static unsigned count_items(const char *list)
{
	unsigned count = strcmp(list, "OK []") != 0;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

static void check_backup(const char *path, const long *before)
{
	static struct t_engine copy;
	char bucket[16], expected[32];

	t_open(&copy, path, ENGINE_NONE);
	workload_expect(strcmp(t_call_slices(&copy, 0, "verify", NULL, 0), "OK nil") == 0, "it does not verify", path);
	for (unsigned i = 0; i < WRITERS; i++) {
		long first, second;

		snprintf(bucket, sizeof(bucket), "writer%u", i);
		workload_expect(number_of(&copy, bucket, "account-a") + number_of(&copy, bucket, "z-account") == SUM,
				"a request is half done", bucket);
		first = number_of(&copy, bucket, "z-count");
		second = number_of(&copy, bucket, "a-count");
		workload_expect(first == second || first == second + 1, "a later write without an earlier one", bucket);
		workload_expect(second >= before[i], "an acknowledged write is missing", bucket);
		snprintf(expected, sizeof(expected), "OK %u", count_items(CALL(&copy, 0, "hkeys", bucket)));
		workload_expect(strcmp(CALL(&copy, 0, "hlen", bucket), expected) == 0, "a count is wrong", bucket);
	}
	t_close(&copy);
}

static void one_backup(const char *dir, unsigned number)
{
	long before[WRITERS];
	const char *answer;
	char path[300];

	snprintf(path, sizeof(path), "%s/backup%u", dir, number);
	for (unsigned i = 0; i < WRITERS; i++)
		before[i] = atomic_load(&acknowledged[i]);
	answer = CALL(&t, KVREL_NO_WORKER, "backup", path);
	workload_expect(strcmp(answer, "OK nil") == 0, "no backup", answer);
	check_backup(path, before);
	t_remove(path);
}

static int64_t now_ms_of(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void expect_nothing_left(const char *dir)
{
	const struct dirent *entry;
	DIR *folder = opendir(dir);

	while ((entry = readdir(folder)) != NULL)
		workload_expect(strncmp(entry->d_name, "backup", 6) != 0, "something is left", entry->d_name);
	closedir(folder);
}

int main(int argc, char **argv)
{
	int64_t ms = argc == 3 && strcmp(argv[1], "--ms") == 0 ? atol(argv[2]) : 2000, end;
	struct kv_error err = { "" };
	pthread_t threads[WRITERS + 1];
	unsigned backups = 0;
	char dir[256];

	t_make_dir(dir);
	t.options = t_options(&t, dir);
	t.options.workers = WRITERS + 1;
	t.options.durability = ENGINE_NONE;
	workload_expect(engine_durable_open(&t.options, &t.engine, &err) == 0, "cannot open", err.message);
	for (unsigned i = 0; i < WRITERS; i++) {
		unsigned random = 1;

		fill(i);
		write_round(i, 0, &random);
		pthread_create(&threads[i], NULL, write_on, (void *)(uintptr_t)i);
	}
	pthread_create(&threads[WRITERS], NULL, read_on, NULL);
	end = now_ms_of() + ms;
	while (now_ms_of() < end)
		one_backup(dir, backups++);
	atomic_store(&stop, true);
	for (unsigned i = 0; i <= WRITERS; i++)
		pthread_join(threads[i], NULL);
	expect_nothing_left(dir);
	workload_expect(strcmp(t_call_slices(&t, 0, "verify", NULL, 0), "OK nil") == 0, "the store does not verify",
			"");
	t_close(&t);
	printf("kv_backups: %u backups beside %ld rounds of writes and %ld of reads, each of one moment\n", backups,
	       atomic_load(&acknowledged[0]) + atomic_load(&acknowledged[1]), atomic_load(&reads));
	t_remove(dir);
	return 0;
}
