/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned workload_random(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

static struct kvrel_slice text(const char *string)
{
	return (struct kvrel_slice){ string, strlen(string) };
}

void workload_expect(bool right, const char *what, const char *got)
{
	if (!right) {
		fprintf(stderr, "workload: %s: %s\n", what, got);
		exit(1);
	}
}

/* One key's next value, on its way. */
struct write {
	struct told *told;
	long value;
	char bucket[16], key[32], bytes[WORKLOAD_VALUE + 32];
	struct kvrel_slice args[3];
};

/* A third of the values is as large as those that stay in the log's files. */
static unsigned padding_of(unsigned *random)
{
	return workload_random(random) % 3 == 0 ? 1000 + workload_random(random) % (WORKLOAD_VALUE - 1000)
						: workload_random(random) % 400;
}

static void begin_write(struct workload *workload, unsigned worker, unsigned *random, struct write *write)
{
	unsigned number = workload_random(random) % WORKLOAD_KEYS, padding = padding_of(random);

	write->told = &workload->keys[worker][number];
	write->value = atomic_load(&write->told->issued) + 1;
	snprintf(write->bucket, sizeof(write->bucket), "keys%u", worker);
	snprintf(write->key, sizeof(write->key), "key%u", number);
	snprintf(write->bytes, sizeof(write->bytes), "%ld %0*d", write->value, (int)padding + 1, 0);
	write->args[0] = text(write->bucket);
	write->args[1] = text(write->key);
	write->args[2] = text(write->bytes);
	atomic_store(&write->told->issued, write->value);
}

/* At once: what is told may be relied on, whatever else goes wrong. */
static void acknowledge(void *context)
{
	const struct write *write = context;

	if (atomic_load(&write->told->acknowledged) < write->value)
		atomic_store(&write->told->acknowledged, write->value);
}

/* Some writes in one batch, now and then of the same key. */
static void write_keys(struct workload *workload, struct t_engine *t, unsigned worker, unsigned *random)
{
	struct write writes[WORKLOAD_BATCH];
	struct t_request requests[WORKLOAD_BATCH];
	unsigned count = 1 + workload_random(random) % WORKLOAD_BATCH;

	for (unsigned i = 0; i < count; i++) {
		begin_write(workload, worker, random, &writes[i]);
		requests[i] = (struct t_request){ "hset", writes[i].args, 3, acknowledge, &writes[i] };
	}
	t_batch(t, worker, requests, count);
}

/* Drops a bucket with keys and fills it anew with its life's number. */
static void next_life(struct workload *workload, struct t_engine *t, unsigned worker)
{
	struct told *told = &workload->life[worker];
	long life = atomic_load(&told->issued) + 1;
	char bucket[16], number[24];
	struct kvrel_slice args[3] = { { bucket, 0 }, { NULL, 0 }, { number, 0 } };

	args[0].size = (size_t)snprintf(bucket, sizeof(bucket), "life%u", worker);
	args[2].size = (size_t)snprintf(number, sizeof(number), "%ld", life);
	atomic_store(&told->issued, life);
	t_call_slices(t, worker, life % 3 == 0 ? "hdel" : "drop", (struct kvrel_slice[]){ args[0], text("life") },
		      life % 3 == 0 ? 2 : 1);
	args[1] = text("life");
	if (strncmp(t_call_slices(t, worker, "hset", args, 3), "OK ", 3) == 0)
		atomic_store(&told->acknowledged, life);
}

static void check_key(struct workload *workload, struct t_engine *t, unsigned worker, unsigned number, long *present)
{
	struct told *told = &workload->keys[worker][number];
	char bucket[16], key[32];
	const char *answer;
	long value = 0;

	snprintf(bucket, sizeof(bucket), "keys%u", worker);
	snprintf(key, sizeof(key), "key%u", number);
	answer = t_call(t, "hget", bucket, key, NULL);
	if (strcmp(answer, "OK nil") != 0)
		workload_expect(sscanf(answer, "OK '%ld ", &value) == 1, "a value is not what was written", answer);
	workload_expect(value >= atomic_load(&told->acknowledged), "an acknowledged write is missing", answer);
	workload_expect(value <= atomic_load(&told->issued), "a value that was never written", answer);
	*present += value > 0;
	/* what was not acknowledged but is there stays there */
	atomic_store(&told->acknowledged, value);
	atomic_store(&told->issued, value);
}

static void check_life(struct workload *workload, struct t_engine *t, unsigned worker)
{
	struct told *told = &workload->life[worker];
	long acknowledged = atomic_load(&told->acknowledged), issued = atomic_load(&told->issued), life = 0;
	char bucket[16];
	const char *answer;

	snprintf(bucket, sizeof(bucket), "life%u", worker);
	answer = t_call(t, "hget", bucket, "life", NULL);
	if (strcmp(answer, "OK nil") == 0)
		workload_expect(issued > acknowledged || issued == 0, "an acknowledged write after a drop is missing",
				answer);
	else
		workload_expect(sscanf(answer, "OK '%ld'", &life) == 1 && life >= acknowledged && life <= issued,
				"a bucket is of another life", answer);
	answer = t_call(t, "hlen", bucket, NULL);
	workload_expect(strcmp(answer, life > 0 ? "OK 1" : "OK 0") == 0, "a count is wrong", answer);
	atomic_store(&told->acknowledged, life);
}

void workload_write(struct workload *workload, struct t_engine *t, unsigned worker, unsigned *random)
{
	if (workload_random(random) % 50 == 0)
		next_life(workload, t, worker);
	else
		write_keys(workload, t, worker, random);
}

void workload_check(struct workload *workload, struct t_engine *t)
{
	char expected[64], bucket[16];

	for (unsigned worker = 0; worker < WORKLOAD_WORKERS; worker++) {
		const char *answer;
		long present = 0;

		for (unsigned number = 0; number < WORKLOAD_KEYS; number++)
			check_key(workload, t, worker, number, &present);
		snprintf(bucket, sizeof(bucket), "keys%u", worker);
		snprintf(expected, sizeof(expected), "OK %ld", present);
		answer = t_call(t, "hlen", bucket, NULL);
		workload_expect(strcmp(answer, expected) == 0, "a count is wrong", answer);
		check_life(workload, t, worker);
	}
	workload_expect(t->failed[0] == '\0', "the engine failed", t->failed);
}

long workload_acknowledged(struct workload *workload)
{
	long sum = 0;

	for (unsigned worker = 0; worker < WORKLOAD_WORKERS; worker++)
		for (unsigned number = 0; number < WORKLOAD_KEYS; number++)
			sum += atomic_load(&workload->keys[worker][number].acknowledged);
	return sum;
}
