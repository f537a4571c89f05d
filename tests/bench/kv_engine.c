/* SPDX-License-Identifier: MIT */
/*
 * The engine alone, without sockets and protocol: how many requests a second one worker gets out of it.
 *
 *	kv_engine_bench [--keys N] [--value BYTES] [--clients N] [--seconds S] [--workers N] [--dir DIR]
 *
 * Clients are modelled as a node sees them: each has `pipeline` requests under way and sends the next ones when all are
 * answered; a wake-up of a worker takes everything that its clients sent. For each durability and pipeline 1, 16, 64 it
 *prints operations per second of hset and hget over random keys, and the processor time per operation of all threads
 *together.
 */
#include "driver.h"
#include "kv.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIPELINE_MAX = 64, BATCH = 64 /* as many calls as the node prefetches together */ };

struct client;
struct request {
	struct kvrel_call call;
	struct client *client;
	struct kvrel_slice args[3];
	char key[24];
};

struct client {
	struct request requests[PIPELINE_MAX];
	_Atomic int under_way;
};

static struct {
	unsigned keys, value, clients, workers;
	double seconds;
	const char *dir;
} options = { 100000, 3, 50, 1, 1.0, NULL };

static struct kv kv;
static const struct kvrel_op *op;
static unsigned pipeline;
static char *value;
static _Atomic bool stop;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double processor_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct request *request = (struct request *)call;

	if (result->status != KVREL_OK) {
		fprintf(stderr, "%.*s\n", (int)result->bytes.size, result->bytes.data);
		exit(1);
	}
	atomic_fetch_sub_explicit(&request->client->under_way, 1, memory_order_release);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void prepare(struct client *client, uint32_t worker, uint64_t *random)
{
	for (unsigned i = 0; i < pipeline; i++) {
		struct request *request = &client->requests[i];
		uint64_t number = next_random(random) % options.keys;

		memcpy(request->key, "key:", 4);
		for (int digit = 15; digit >= 4; digit--, number /= 10)
			request->key[digit] = (char)('0' + number % 10);
		request->args[0] = (struct kvrel_slice){ "myhash", 6 };
		request->args[1] = (struct kvrel_slice){ request->key, 16 };
		request->args[2] = (struct kvrel_slice){ value, options.value };
		request->client = client;
		request->call = (struct kvrel_call){ .args = request->args,
						     .arg_count = op->min_args,
						     .worker = worker,
						     .complete = complete,
						     .op = op };
		op->prefetch(&kv, &request->call);
	}
	atomic_store(&client->under_way, (int)pipeline);
}

/* One worker with its share of the clients; returns how many operations it did. */
static void *work(void *argument)
{
	uint32_t worker = (uint32_t)(uintptr_t)argument;
	unsigned count = options.clients / options.workers, per_batch = BATCH / pipeline;
	struct client *clients = calloc(count, sizeof(*clients));
	struct client **ready = calloc(count, sizeof(struct client *));
	uint64_t random = 88172645463325252u + worker, done = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		unsigned ready_count = 0;

		for (unsigned i = 0; i < count; i++)
			if (atomic_load_explicit(&clients[i].under_way, memory_order_acquire) == 0)
				ready[ready_count++] = &clients[i];
		if (ready_count == 0) {
			usleep(10);
			continue;
		}
		for (unsigned i = 0; i < ready_count; i += per_batch) {
			unsigned end = i + per_batch < ready_count ? i + per_batch : ready_count;

			for (unsigned j = i; j < end; j++)
				prepare(ready[j], worker, &random);
			for (unsigned j = i; j < end; j++)
				for (unsigned k = 0; k < pipeline; k++)
					op->run(&kv, &ready[j]->requests[k].call);
		}
		kv.engine->type->batch_end(kv.engine, worker);
		done += ready_count * pipeline;
	}
	for (unsigned i = 0; i < count; i++)
		while (atomic_load(&clients[i].under_way) > 0)
			usleep(100);
	free(clients);
	free(ready);
	return (void *)(uintptr_t)done;
}

static void measure(const char *durability, const char *name, unsigned depth)
{
	pthread_t threads[64];
	double began = now(), processor = processor_time();
	uint64_t done = 0;

	for (size_t i = 0; i < kv_op_count; i++)
		if (strcmp(kv_ops[i].name, name) == 0)
			op = &kv_ops[i];
	pipeline = depth;
	atomic_store(&stop, false);
	for (unsigned i = 0; i < options.workers; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i);
	usleep((useconds_t)(options.seconds * 1e6));
	atomic_store(&stop, true);
	for (unsigned i = 0; i < options.workers; i++) {
		void *result;

		pthread_join(threads[i], &result);
		done += (uint64_t)(uintptr_t)result;
	}
	printf("%-9s %-5s P=%-3u %10.0f ops/s  %6.0f ns CPU/op\n", durability, name, depth,
	       (double)done / (now() - began), (processor_time() - processor) * 1e9 / (double)done);
	fflush(stdout);
}

static void host_log(void *context, enum kvrel_log_level level, const char *message)
{
	(void)context, (void)level;
	fprintf(stderr, "%s\n", message);
}

static void host_failed(void *context, const char *message)
{
	(void)context;
	fprintf(stderr, "failed: %s\n", message);
	exit(1);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = { { "keys", 1, NULL, 'k' },    { "value", 1, NULL, 'v' },
					       { "clients", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' },
					       { "workers", 1, NULL, 'w' }, { "dir", 1, NULL, 'd' },
					       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'k')
			options.keys = (unsigned)atoi(optarg);
		else if (c == 'v')
			options.value = (unsigned)atoi(optarg);
		else if (c == 'c')
			options.clients = (unsigned)atoi(optarg);
		else if (c == 's')
			options.seconds = atof(optarg);
		else if (c == 'w')
			options.workers = (unsigned)atoi(optarg);
		else if (c == 'd')
			options.dir = optarg;
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "always", "everysec", "none" };
	static const unsigned depths[] = { 1, 16, 64 };
	struct engine_options engine = { .map_size = 1ull << 36,
					 .segment_size = 32 << 20,
					 .cache_size = 16 << 20,
					 .list_max = 256 << 20,
					 .checkpoint_ms = 5000,
					 .host = { NULL, host_log, host_failed, NULL } };
	struct kv_error err;
	struct router *router;
	char dir[256];

	parse(argc, argv);
	t_make_dir(dir);
	engine.dir = options.dir != NULL ? options.dir : dir;
	engine.workers = options.workers;
	value = calloc(1, options.value + 1);
	memset(value, 'x', options.value);
	router_new(NULL, NULL, NULL, &router, &err);
	atomic_init(&kv.router, router);
	if (engine_durable_open(&engine, &kv.engine, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (int d = 2; d >= 0; d--) {
		kv.engine->type->set_durability(kv.engine, (enum engine_durability)d);
		for (int p = 0; p < 3; p++)
			measure(names[d], "hset", depths[p]);
		for (int p = 0; p < 3; p++)
			measure(names[d], "hget", depths[p]);
	}
	kv.engine->type->close(kv.engine);
	router_free(router);
	free(value);
	t_remove(dir);
	return 0;
}
