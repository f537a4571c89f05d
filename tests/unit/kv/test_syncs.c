/* SPDX-License-Identifier: MIT */
/* Syncs that fail, and a store that ends while one takes its time. */
#include "durable.h"
#include "fixture.h"
#include "sync_hook.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(syncs, .init = t_up, .fini = t_down);

static int fail_of_log(const char *path)
{
	return strstr(path, ".log") != NULL ? EIO : 0;
}

static int fail_of_pages(const char *path)
{
	return strstr(path, "data.mdb") != NULL ? EIO : 0;
}

static void expect_refusal(const char *answer)
{
	cr_expect(strncmp(answer, "ERROR kv log: cannot sync '", 27) == 0, "%s", answer);
}

Test(syncs, refuse_all_that_rests_on_one_that_failed_until_the_next_start)
{
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	ANSWERS("OK 1", "hset", "gone", "k", "v");
	ANSWERS("OK 1", "hdel", "gone", "k");
	ANSWERS("OK 1", "hset", "gone", "k", "v");
	atomic_store(&sync_hook, fail_of_log);
	expect_refusal(t_call(&t, "drop", "gone", NULL));
	atomic_store(&sync_hook, NULL);
	expect_refusal(t_call(&t, "hset", "b", "k2", "v", NULL));
	expect_refusal(t_call(&t, "hget", "gone", "k", NULL));
	expect_refusal(t_call(&t, "count", NULL));
	ANSWERS("OK 'v'", "hget", "b", "k");
	cr_expect(strncmp(t.failed, "kv log: cannot sync '", 21) == 0, "%s", t.failed);
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "b", "k");
	ANSWERS("OK 1", "hset", "b", "k2", "v");
	cr_expect_str_eq(t.failed, "");
	t_close(&t);
}

Test(syncs, of_the_pages_that_fail_are_tried_again_and_nothing_is_lost)
{
	char path[300];

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "b", "k", "v");
	atomic_store(&sync_hook, fail_of_pages);
	snprintf(path, sizeof(path), "%s/copy", dir);
	cr_expect(strstr(t_call(&t, "backup", path, NULL), "cannot apply the log: Input/output error") != NULL);
	ANSWERS("OK 1", "hset", "b", "k2", "v");
	ANSWERS("OK 'v'", "hget", "b", "k");
	atomic_store(&sync_hook, NULL);
	for (int i = 0; i < 200 && strstr(t_call(&t, "stats", NULL), "store_stuck: 0") == NULL; i++)
		usleep(50000);
	ANSWERS("OK nil", "backup", path);
	cr_expect_str_eq(t.failed, "");
	t_close(&t);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK [k, k2]", "hkeys", "b");
	t_close(&t);
}

Test(syncs, that_nobody_waits_for_find_most_of_it_handed_to_the_disk)
{
	struct durable *store;
	char value[100001];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	t_open(&t, dir, ENGINE_NONE);
	store = (struct durable *)t.engine;
	for (int i = 0; i < 10; i++)
		t_call(&t, "hset", "b", "k", value, NULL);
	cr_expect_eq(store->log.syncing->flushed, 0);
	log_flush(&store->log);
	cr_expect_gt(store->log.syncing->flushed, (size_t)(700 << 10));
	cr_expect_leq(store->log.syncing->flushed, store->log.syncing->written);
	t_close(&t);
}

/* ---- a backup that is given up ----------------------------------------------------------------------------- */

static _Atomic bool reached, released;

static int hold_backup(const char *path)
{
	if (strstr(path, "copy.partial/data.mdb") != NULL) {
		atomic_store(&reached, true);
		while (!atomic_load(&released))
			usleep(1000);
	}
	return 0;
}

static void *back_up(void *answer)
{
	char path[300];
	const struct kvrel_slice arg = { path, (size_t)snprintf(path, sizeof(path), "%s/copy", dir) };

	snprintf(answer, 200, "%s", t_call_slices(&t, KVREL_NO_WORKER, "backup", &arg, 1));
	return NULL;
}

static void *close_store(void *nothing)
{
	t_close(&t);
	return nothing;
}

Test(syncs, of_a_backup_that_takes_long_are_its_last_when_the_store_closes)
{
	const struct durable *store;
	char answer[200], path[300];
	pthread_t threads[2];

	t_open(&t, dir, ENGINE_ALWAYS);
	store = (const struct durable *)t.engine;
	ANSWERS("OK 1", "hset", "b", "k", "v");
	atomic_store(&sync_hook, hold_backup);
	cr_assert(pthread_create(&threads[0], NULL, back_up, answer) == 0);
	while (!atomic_load(&reached))
		usleep(1000);
	cr_assert(pthread_create(&threads[1], NULL, close_store, NULL) == 0);
	while (!atomic_load(&store->applier.stopping))
		usleep(1000);
	atomic_store(&released, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	cr_expect_str_eq(answer, "ERROR the store is stopping");
	snprintf(path, sizeof(path), "%s/copy.partial", dir);
	cr_expect(access(path, F_OK) != 0);
	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 'v'", "hget", "b", "k");
	t_close(&t);
}

/* ---- results that wait ------------------------------------------------------------------------------------- */

static int hold_log_until_told(const char *path)
{
	for (int i = 0; i < 5000 && strstr(path, ".log") != NULL && t.held == 0; i++)
		usleep(1000);
	return 0;
}

static const char *put_and_get(struct kvrel_slice value)
{
	const struct kvrel_slice put[] = { { "b", 1 }, { "k", 1 }, value };
	const struct t_request requests[] = { { .op = "hset", .args = put, .arg_count = 3 },
					      { .op = "hget", .args = put, .arg_count = 2 } };

	return t_batch(&t, 0, requests, 2);
}

Test(syncs, that_large_results_wait_for_are_told_of)
{
	static char large[100000];
	const char *answer;

	memset(large, 'x', sizeof(large));
	t_open(&t, dir, ENGINE_ALWAYS);
	cr_expect_str_eq(put_and_get((struct kvrel_slice){ "v", 1 }), "OK 1; OK 'v'");
	cr_expect_eq(t.held, 0, "%zu bytes of small ones", t.held);
	atomic_store(&sync_hook, hold_log_until_told);
	answer = put_and_get((struct kvrel_slice){ large, sizeof(large) });
	cr_expect_eq(strlen(answer), strlen("OK 0; OK ''") + sizeof(large));
	cr_expect(t.held >= sizeof(large) && t.held < 2 * sizeof(large), "%zu", t.held);
	t_close(&t);
}

/* ---- what is missing --------------------------------------------------------------------------------------- */

enum { QUESTIONS = 7 };

static _Atomic bool held, let_go;
static _Atomic unsigned answered;

static int hold_log(const char *path)
{
	if (strstr(path, ".log") != NULL) {
		atomic_store(&held, true);
		while (!atomic_load(&let_go))
			usleep(1000);
	}
	return 0;
}

static void *begin_anew(void *answer)
{
	static const struct kvrel_slice old = { "b", 1 }, empty = { "empty", 5 },
					other[] = { { "b", 1 }, { "other", 5 }, { "v", 1 } };
	static const struct t_request requests[] = { { .op = "drop", .args = &old, .arg_count = 1 },
						     { .op = "hset", .args = other, .arg_count = 3 },
						     { .op = "create", .args = &empty, .arg_count = 1 } };

	snprintf(answer, 200, "%s", t_batch(&t, 0, requests, 3));
	return NULL;
}

static const struct {
	const char *op, *bucket, *key, *expected, *delta;
} questions[QUESTIONS] = {
	{ "hget", "b", "k", "OK nil" },
	{ "hexists", "b", "k", "OK 0" },
	{ "hstrlen", "b", "k", "OK 0" },
	{ "hmget", "b", "k", "OK [nil]" },
	{ "get", "empty", "k", "OK nil" },
	{ "hkeys", "empty", NULL, "OK []" },
	{ "hincrby", "b", "other", "ERROR hash value is not an integer", "1" },
};

static void *ask(void *at)
{
	const unsigned i = (unsigned)(uintptr_t)at;
	const char *words[] = { questions[i].bucket, questions[i].key, questions[i].delta };
	struct kvrel_slice args[3];
	uint32_t count = 0;
	const char *answer;

	for (; count < 3 && words[count] != NULL; count++)
		args[count] = (struct kvrel_slice){ words[count], strlen(words[count]) };
	/* one on a worker, where the short way is taken */
	answer = t_call_slices(&t, i == 0 ? 1 : KVREL_NO_WORKER, questions[i].op, args, count);

	cr_expect_str_eq(answer, questions[i].expected, "%s: %s", questions[i].op, answer);
	atomic_fetch_add(&answered, 1);
	return NULL;
}

Test(syncs, are_waited_for_by_who_is_told_that_a_key_is_missing_in_a_new_bucket)
{
	pthread_t writer, readers[QUESTIONS];
	const struct durable *store;
	char answer[200];

	t_open(&t, dir, ENGINE_ALWAYS);
	store = (const struct durable *)t.engine;
	ANSWERS("OK 1", "hset", "b", "k", "v");
	atomic_store(&sync_hook, hold_log);
	cr_assert(pthread_create(&writer, NULL, begin_anew, answer) == 0);
	while (!atomic_load(&held) ||
	       atomic_load(&store->bucket_count) != 2) /* it may be a closing mark that is held */
		usleep(1000);
	for (uintptr_t i = 0; i < QUESTIONS; i++)
		cr_assert(pthread_create(&readers[i], NULL, ask, (void *)i) == 0);
	usleep(100000);
	cr_expect_eq(atomic_load(&answered), 0, "%u of %d are told what may not be so", answered, QUESTIONS);
	atomic_store(&let_go, true);
	for (unsigned i = 0; i < QUESTIONS; i++)
		pthread_join(readers[i], NULL);
	pthread_join(writer, NULL);
	cr_expect_str_eq(answer, "OK 1; OK 1; OK nil");
	t_close(&t);
}
