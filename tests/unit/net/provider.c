/* SPDX-License-Identifier: MIT */
#include "provider.h"

#include "node/net.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct item {
	struct kvrel_call *call;
	char *text;
	struct item *next;
};

struct t_provider {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct item *collected[8]; /* by worker, until batch_end */
	struct item *due;
	struct item *held;
	unsigned held_count;
	bool stop;
	_Atomic unsigned prefetched, deepest, ran, batch_ends;
};

static struct kvrel_result bytes_result(const char *text, size_t size)
{
	return (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { text, size } };
}

static void complete_text(struct kvrel_call *call, const char *text)
{
	struct kvrel_result result = bytes_result(text, strlen(text));
	call->complete(call, &result);
}

static void complete_tree(struct kvrel_call *call)
{
	char leaf[] = "leaf";
	struct kvrel_result inner[] = { bytes_result(leaf, 4), { .kind = KVREL_NIL } };
	struct kvrel_result outer[] = { { .kind = KVREL_INT, .integer = -7 },
					{ .kind = KVREL_LIST, .items = inner, .count = 2 } };
	struct kvrel_result result = { .kind = KVREL_LIST, .items = outer, .count = 2 };
	call->complete(call, &result);
	memset(leaf, '!', 4); /* nobody may look at it any more */
}

static char *many(const char *number)
{
	size_t size = strtoul(number, NULL, 10);
	char *text = malloc(size + 1);
	assert(text);
	memset(text, 'x', size);
	text[size] = '\0';
	return text;
}

static char *arg_text(const struct kvrel_call *call)
{
	char *text = call->arg_count ? strndup(call->args[0].data, call->args[0].size) : strdup("");
	assert(text);
	return text;
}

static void push(struct item **list, struct kvrel_call *call, char *text)
{
	struct item *item = malloc(sizeof(*item));
	assert(item);
	*item = (struct item){ .call = call, .text = text, .next = *list };
	*list = item;
}

static void prefetch(void *state, struct kvrel_call *call)
{
	struct t_provider *provider = state;
	unsigned seen = atomic_fetch_add(&provider->prefetched, 1) + 1;
	if (seen > atomic_load(&provider->deepest))
		atomic_store(&provider->deepest, seen);
	call->scratch[0] = 4711;
}

static void start_run(struct t_provider *provider, const struct kvrel_call *call)
{
	assert(call->scratch[0] == 4711);
	atomic_store(&provider->prefetched, 0);
	atomic_fetch_add(&provider->ran, 1);
}

static void run_echo(void *state, struct kvrel_call *call)
{
	start_run(state, call);
	struct kvrel_result result = bytes_result(call->args[0].data, call->args[0].size);
	call->complete(call, &result);
}

static void run_big(void *state, struct kvrel_call *call)
{
	start_run(state, call);
	char *number = arg_text(call);
	char *text = many(number);
	complete_text(call, text);
	free(text);
	free(number);
}

static void collect(void *state, struct kvrel_call *call, char *text)
{
	struct t_provider *provider = state;
	start_run(provider, call);
	push(&provider->collected[call->worker], call, text);
}

static void run_later(void *state, struct kvrel_call *call)
{
	collect(state, call, arg_text(call));
}

static void run_latebig(void *state, struct kvrel_call *call)
{
	char *number = arg_text(call), *text = many(number);
	net_call_held(call, strlen(text));
	collect(state, call, text);
	free(number);
}

static void run_tree(void *state, struct kvrel_call *call)
{
	collect(state, call, NULL);
}

static void hold(struct t_provider *provider, struct kvrel_call *call, char *text)
{
	start_run(provider, call);
	pthread_mutex_lock(&provider->lock);
	push(&provider->held, call, text);
	provider->held_count++;
	pthread_mutex_unlock(&provider->lock);
}

static void run_held(void *state, struct kvrel_call *call)
{
	hold(state, call, arg_text(call));
}

static void run_heldbig(void *state, struct kvrel_call *call)
{
	char *number = arg_text(call), *text = many(number);
	net_call_held(call, strlen(text));
	hold(state, call, text);
	free(number);
}

static void append(struct item **list, struct item *items)
{
	while (*list)
		list = &(*list)->next;
	*list = items;
}

void t_provider_batch_end(void *state, uint32_t worker)
{
	struct t_provider *provider = state;
	atomic_fetch_add(&provider->batch_ends, 1);
	pthread_mutex_lock(&provider->lock);
	append(&provider->due, provider->collected[worker]);
	provider->collected[worker] = NULL;
	pthread_cond_signal(&provider->wake);
	pthread_mutex_unlock(&provider->lock);
}

static void complete_all(struct item *items)
{
	while (items) {
		struct item *next = items->next;
		if (items->text)
			complete_text(items->call, items->text);
		else
			complete_tree(items->call);
		free(items->text);
		free(items);
		items = next;
	}
}

static void *provider_main(void *state)
{
	struct t_provider *provider = state;
	pthread_mutex_lock(&provider->lock);
	while (!provider->stop || provider->due) {
		struct item *items = provider->due;
		provider->due = NULL;
		pthread_mutex_unlock(&provider->lock);
		complete_all(items);
		pthread_mutex_lock(&provider->lock);
		if (!provider->due && !provider->stop)
			pthread_cond_wait(&provider->wake, &provider->lock);
	}
	pthread_mutex_unlock(&provider->lock);
	return NULL;
}

void t_provider_release(struct t_provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	append(&provider->due, provider->held);
	provider->held = NULL;
	provider->held_count = 0;
	pthread_cond_signal(&provider->wake);
	pthread_mutex_unlock(&provider->lock);
}

unsigned t_provider_held(struct t_provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	unsigned count = provider->held_count;
	pthread_mutex_unlock(&provider->lock);
	return count;
}

unsigned t_provider_ran(struct t_provider *provider)
{
	return atomic_load(&provider->ran);
}

unsigned t_provider_deepest_batch(struct t_provider *provider)
{
	return atomic_load(&provider->deepest);
}

unsigned t_provider_batch_ends(struct t_provider *provider)
{
	return atomic_load(&provider->batch_ends);
}

const struct kvrel_op t_provider_ops[T_OPS] = {
	[T_OP_ECHO] = { "echo", "text", "", 1, 1, KVREL_OP_READ, prefetch, run_echo },
	[T_OP_BIG] = { "big", "n", "", 1, 1, KVREL_OP_READ, prefetch, run_big },
	[T_OP_LATER] = { "later", "text", "", 1, UINT16_MAX, KVREL_OP_WRITE, prefetch, run_later },
	[T_OP_LATEBIG] = { "latebig", "n", "", 1, 1, KVREL_OP_WRITE, prefetch, run_latebig },
	[T_OP_HELD] = { "held", "text", "", 1, 1, KVREL_OP_WRITE, prefetch, run_held },
	[T_OP_HELDBIG] = { "heldbig", "n", "", 1, 1, KVREL_OP_READ, prefetch, run_heldbig },
	[T_OP_TREE] = { "tree", "", "", 0, 0, KVREL_OP_READ, prefetch, run_tree },
};

struct t_provider *t_provider_new(void)
{
	struct t_provider *provider = calloc(1, sizeof(*provider));
	assert(provider);
	pthread_mutex_init(&provider->lock, NULL);
	pthread_cond_init(&provider->wake, NULL);
	pthread_create(&provider->thread, NULL, provider_main, provider);
	return provider;
}

void t_provider_end(struct t_provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	append(&provider->due, provider->held);
	provider->held = NULL;
	provider->stop = true;
	pthread_cond_signal(&provider->wake);
	pthread_mutex_unlock(&provider->lock);
	pthread_join(provider->thread, NULL);
}

void t_provider_free(struct t_provider *provider)
{
	pthread_mutex_destroy(&provider->lock);
	pthread_cond_destroy(&provider->wake);
	free(provider);
}
