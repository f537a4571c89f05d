/* SPDX-License-Identifier: MIT */
/* What watchers of a bucket are told, by either engine. */
#include "fixture.h"

#include "kv.h"
#include "router.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kv kv;

static void up(bool durable)
{
	struct router *router = NULL;
	struct kv_error err;

	t_up();
	if (durable)
		t_open(&t, dir, ENGINE_ALWAYS);
	else
		t_open_memory(&t);
	cr_assert_eq(router_new(NULL, NULL, NULL, &router, &err), 0);
	kv.engine = t.engine;
	atomic_init(&kv.router, router);
	watches_init(&kv.watches);
}

static void down(void)
{
	watches_close(&kv.watches);
	t_close(&t);
	watches_done(&kv.watches);
	router_free(kv_router(&kv));
	t_down();
}

struct asked {
	struct kvrel_call call; /* first */
	sem_t done;
	enum kvrel_status status;
	int64_t number;  /* the result, or the first item of it */
	char text[1024]; /* the other items */
};

static void take(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct asked *asked = (struct asked *)call;
	size_t size = 0;

	asked->status = result->status;
	asked->number = result->kind == KVREL_LIST ? result->items[0].integer : result->integer;
	for (size_t i = 1; result->kind == KVREL_LIST && i < result->count; i++) {
		const struct kvrel_result *item = &result->items[i];
		bool nil = item->kind == KVREL_NIL;

		int shown = nil ? 3 : item->bytes.size > 64 ? 64 : (int)item->bytes.size;

		size += (size_t)snprintf(asked->text + size, sizeof(asked->text) - size, "%.*s ", shown,
					 nil ? "nil" : item->bytes.data);
		cr_assert_lt(size, sizeof(asked->text));
	}
	sem_post(&asked->done);
}

static void ask_of(uint32_t worker, struct asked *asked, const char *name, const struct kvrel_slice *args,
		   uint32_t count)
{
	*asked = (struct asked){ .call = { .args = args, .arg_count = count, .worker = worker, .complete = take } };
	sem_init(&asked->done, 0, 0);
	for (size_t i = 0; i < kv_op_count; i++)
		if (strcmp(kv_ops[i].name, name) == 0)
			kv_ops[i].run(&kv, &asked->call);
	t.engine->type->batch_end(t.engine, worker);
	while (sem_wait(&asked->done) != 0)
		continue;
	sem_destroy(&asked->done);
}

/* The answer is valid until the next one. */
static const struct asked *ask_with(const char *name, const struct kvrel_slice *args, uint32_t count)
{
	static struct asked asked;

	ask_of(0, &asked, name, args, count);
	return &asked;
}

/* `line` is an operation and its arguments. */
static const struct asked *ask(const char *line)
{
	struct kvrel_slice args[16];
	char words[256];
	uint32_t count = 0;
	char *rest = NULL;

	snprintf(words, sizeof(words), "%s", line);
	const char *name = strtok_r(words, " ", &rest);
	for (const char *word; count < 16 && (word = strtok_r(NULL, " ", &rest)) != NULL;)
		args[count++] = (struct kvrel_slice){ word, strlen(word) };
	return ask_with(name, args, count);
}

/* What came after a number; there has to be something. */
static const char *told(int64_t after)
{
	char line[64];

	snprintf(line, sizeof(line), "watch b %lld", (long long)after);
	return ask(line)->text;
}

static void tells_of_changes_alone(void)
{
	ask("create b");
	int64_t begin = ask("watch b")->number;
	ask("delete b milk");
	ask("hdel b milk eggs");
	cr_expect_eq(ask("watch b")->number, begin);
	ask("put b milk 1");
	ask("hsetnx b milk 2");
	ask("delete b milk");
	ask("delete b milk");
	cr_expect_str_eq(told(begin), "milk 1 milk nil ");
}

static void tells_which_of_several_keys_were_there(void)
{
	ask("create b");
	ask("hset b milk 1 eggs 2");
	int64_t begin = ask("watch b")->number;
	cr_expect_eq(ask("hdel b bread milk salt milk eggs")->number, 2);
	cr_expect_str_eq(told(begin), "milk nil eggs nil ");
}

static void tells_that_a_bucket_is_removed_when_it_was_there(void)
{
	char line[64];

	ask("hset b milk 1");
	int64_t begin = ask("watch b")->number;
	ask("hdel b milk"); /* the bucket goes with its last key */
	cr_expect_eq(ask("drop a b")->number, 0);
	cr_expect_str_eq(told(begin), "milk nil ");
	ask("hset b eggs 2");
	cr_expect_eq(ask("drop a b b")->number, 1);
	snprintf(line, sizeof(line), "watch b %lld", (long long)begin);
	cr_expect_eq(ask(line)->status, KVREL_ERROR);
}

enum { INCREMENTS = 400 };

static void *increment(void *argument)
{
	const uint32_t worker = *(const uint32_t *)argument;
	const struct kvrel_slice args[] = { { "b", 1 }, { "n", 1 }, { "1", 1 } };
	struct asked asked;

	for (int i = 0; i < INCREMENTS; i++)
		ask_of(worker, &asked, "hincrby", args, 3);
	return NULL;
}

static void tells_in_the_order_of_the_store(void)
{
	const uint32_t workers[] = { 0, 1 };
	char line[64], expected[32];
	pthread_t threads[2];
	int64_t number;

	ask("create b");
	number = ask("watch b")->number;
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, increment, (void *)&workers[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i <= 2 * INCREMENTS; i++) {
		const struct asked *change;

		snprintf(line, sizeof(line), "watch b %lld", (long long)number);
		change = ask(line);
		cr_assert_eq(change->status, KVREL_OK);
		snprintf(expected, sizeof(expected), "n %d ", i);
		cr_assert_eq(strncmp(change->text, expected, strlen(expected)), 0, "%s is not told first in: %s",
			     expected, change->text);
		number++;
	}
}

/* The oldest change of all buckets goes first, and whoever has not heard of it is told so. */
Test(watch, holds_so_much_of_all_buckets, .timeout = 60)
{
	enum { BUCKETS = 20, SIZE = 4000000 };
	static char value[SIZE];
	char line[32], name[8];
	int64_t begin[BUCKETS];

	up(false);
	memset(value, 'v', SIZE);
	for (int i = 0; i < BUCKETS; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		snprintf(line, sizeof(line), "create %s", name);
		ask(line);
		snprintf(line, sizeof(line), "watch %s", name);
		begin[i] = ask(line)->number;
		ask_with("put", (struct kvrel_slice[]){ { name, strlen(name) }, { "k", 1 }, { value, SIZE } }, 3);
	}
	for (int i = 0; i < BUCKETS; i++) {
		bool kept = i >= BUCKETS - (64 << 20) / SIZE;

		snprintf(line, sizeof(line), "watch b%d %lld", i, (long long)begin[i]);
		cr_expect_eq(ask(line)->status, kept ? KVREL_OK : KVREL_ERROR, "%s", line);
	}
	down();
}

static void begin_waiting(struct asked *asked, const char *bucket, int64_t after)
{
	static char number[24];
	static struct kvrel_slice args[2];

	args[0] = (struct kvrel_slice){ bucket, strlen(bucket) };
	args[1] = (struct kvrel_slice){ number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)after) };
	*asked = (struct asked){ .call = { .args = args, .arg_count = 2, .complete = take } };
	sem_init(&asked->done, 0, 0);
	watch_next(&kv.watches, &asked->call, args[0], (uint64_t)after);
}

/* Watchers that went away leave calls behind that nothing would ever answer. */
Test(watch, forgets_buckets_that_nobody_asks_for_any_more, .timeout = 60)
{
	struct asked asked;

	up(false);
	for (const char *name = "abc"; *name != '\0'; name++)
		ask((char[]){ 'c', 'r', 'e', 'a', 't', 'e', ' ', *name, '\0' });
	int64_t begin = ask("watch a")->number;
	begin_waiting(&asked, "a", begin);
	cr_expect_eq(sem_trywait(&asked.done), -1);
	kv.watches.forget_ms = -1; /* those of a moment ago are old */
	kv.watches.forgot_ms = 0;
	ask("watch b");
	cr_expect_eq(sem_trywait(&asked.done), 0);
	cr_expect_eq(asked.status, KVREL_OK);
	cr_expect_eq(asked.number, begin);
	cr_expect_str_eq(asked.text, "");
	kv.watches.forgot_ms = 0;
	ask("watch c");
	cr_expect_eq(kv.watches.feed_count, 1);
	down();
}

#define ON_EITHER_ENGINE(behaviour) \
	Test(watch, behaviour##_from_disk, .timeout = 60) \
	{ \
		up(true); \
		behaviour(); \
		down(); \
	} \
	Test(watch, behaviour##_from_memory, .timeout = 60) \
	{ \
		up(false); \
		behaviour(); \
		down(); \
	}

ON_EITHER_ENGINE(tells_of_changes_alone)
ON_EITHER_ENGINE(tells_which_of_several_keys_were_there)
ON_EITHER_ENGINE(tells_that_a_bucket_is_removed_when_it_was_there)
ON_EITHER_ENGINE(tells_in_the_order_of_the_store)
