/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct kvrel_api api;

/* ---- provider ---- */

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
	_Atomic unsigned prefetched, deepest, batch_ends;
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
	char *number = arg_text(call);
	collect(state, call, many(number));
	free(number);
}

static void run_tree(void *state, struct kvrel_call *call)
{
	collect(state, call, NULL);
}

static void run_held(void *state, struct kvrel_call *call)
{
	struct t_provider *provider = state;
	start_run(provider, call);
	pthread_mutex_lock(&provider->lock);
	push(&provider->held, call, arg_text(call));
	provider->held_count++;
	pthread_mutex_unlock(&provider->lock);
}

static void append(struct item **list, struct item *items)
{
	while (*list)
		list = &(*list)->next;
	*list = items;
}

static void batch_end(void *state, uint32_t worker)
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

unsigned t_provider_deepest_batch(struct t_provider *provider)
{
	return atomic_load(&provider->deepest);
}

unsigned t_provider_batch_ends(struct t_provider *provider)
{
	return atomic_load(&provider->batch_ends);
}

static const struct kvrel_op op_table[] = {
	{ "echo", "text", "", 1, 1, KVREL_OP_READ, prefetch, run_echo },
	{ "big", "n", "", 1, 1, KVREL_OP_READ, prefetch, run_big },
	{ "later", "text", "", 1, UINT16_MAX, KVREL_OP_WRITE, prefetch, run_later },
	{ "latebig", "n", "", 1, 1, KVREL_OP_WRITE, prefetch, run_latebig },
	{ "held", "text", "", 1, 1, KVREL_OP_WRITE, prefetch, run_held },
	{ "tree", "", "", 0, 0, KVREL_OP_READ, prefetch, run_tree },
};
enum { OPS = sizeof(op_table) / sizeof(op_table[0]), HELD = 4, ARGS_MAX = 64 };
static struct net_op ops[OPS];

/* ---- protocol ---- */

enum { TAG_RESULT = 1, TAG_NOTHING = 2, TAG_BYE = 3 };

static uint32_t split(const char *at, const char *end, struct kvrel_slice *words)
{
	uint32_t count = 0;
	while (at < end && count < ARGS_MAX) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		const char *stop = blank ? blank : end;
		words[count++] = (struct kvrel_slice){ at, (size_t)(stop - at) };
		at = stop + 1;
	}
	return count;
}

static bool word_is(struct kvrel_slice word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.data, text, word.size) == 0;
}

static bool submit(struct kvrel_conn *conn, const struct kvrel_slice *words, uint32_t count)
{
	if (word_is(words[0], "say"))
		return api.request(conn, NULL, words + 1, count - 1, TAG_RESULT);
	if (word_is(words[0], "nothing"))
		return api.request(conn, NULL, NULL, 0, TAG_NOTHING);
	if (word_is(words[0], "bye")) {
		bool taken = api.request(conn, NULL, NULL, 0, TAG_BYE);
		if (taken)
			api.close_after(conn);
		return taken;
	}
	if (word_is(words[0], "beside")) {
		static const struct kvrel_slice refused = { "refused", 7 };
		return api.request_aside(conn, &ops[HELD].ref, words + 1, count - 1, TAG_RESULT) ||
		       api.request(conn, NULL, &refused, 1, TAG_RESULT);
	}
	for (unsigned i = 0; i < OPS; i++) {
		if (word_is(words[0], op_table[i].name))
			return api.request(conn, &ops[i].ref, words + 1, count - 1, TAG_RESULT);
	}
	return api.request(conn, NULL, words, 1, TAG_RESULT);
}

static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	size_t used = 0;
	(void)conn_state;
	for (;;) {
		const char *start = input.data + used;
		const char *end = memchr(start, '\n', input.size - used);
		if (!end)
			return used;
		struct kvrel_slice words[ARGS_MAX];
		uint32_t count = split(start, end, words);
		if (count > 0 && !submit(conn, words, count))
			return used;
		used += (size_t)(end - start) + 1;
	}
}

static void write_result(const struct kvrel_result *result, struct kvrel_out *out)
{
	char number[32];
	switch (result->status == KVREL_WRONG_ARGS ? KVREL_PAIRS : result->kind) {
	case KVREL_NIL:
		api.out_bytes(out, "nil", 3);
		break;
	case KVREL_INT:
		api.out_bytes(out, number,
			      (size_t)snprintf(number, sizeof(number), "%lld", (long long)result->integer));
		break;
	case KVREL_BYTES:
		api.out_bytes(out, result->bytes.data, result->bytes.size);
		break;
	case KVREL_LIST:
		api.out_bytes(out, "[", 1);
		for (size_t i = 0; i < result->count; i++) {
			if (i > 0)
				api.out_bytes(out, ",", 1);
			write_result(&result->items[i], out);
		}
		api.out_bytes(out, "]", 1);
		break;
	case KVREL_PAIRS:
		api.out_bytes(out, "wrong arguments", 15);
		break;
	}
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	(void)conn, (void)conn_state;
	assert((tag == TAG_RESULT) == (result != NULL));
	if (result)
		write_result(result, out);
	else if (tag == TAG_NOTHING)
		api.out_bytes(out, "nothing", 7);
	else
		api.out_bytes(out, "bye", 3);
	api.out_bytes(out, "\n", 1);
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol),
	.name = "test",
	.conn_bytes = 16,
	.input_max = 8 << 20,
	.receive = receive,
	.encode = encode,
	.refusal = { "full\n", 5 },
};

/* ---- net ---- */

struct t_net t_net_start(unsigned workers, unsigned max_connections, size_t output_max)
{
	struct t_net t = { .provider = calloc(1, sizeof(struct t_provider)) };
	struct error err = { 0 };
	assert(t.provider && workers <= 8);
	pthread_mutex_init(&t.provider->lock, NULL);
	pthread_cond_init(&t.provider->wake, NULL);
	pthread_create(&t.provider->thread, NULL, provider_main, t.provider);
	net_fill_api(&api);
	for (unsigned i = 0; i < OPS; i++)
		ops[i] = (struct net_op){ .ref = { &op_table[i], t.provider }, .batch_end = batch_end, .provider = 3 };
	struct net_options options = { .workers = workers,
				       .max_connections = max_connections,
				       .output_max_bytes = output_max };
	if (net_new(&options, &t.net, &err) != 0 ||
	    net_listen(t.net, "test", &protocol, NULL, "127.0.0.1", 0, &t.port, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	return t;
}

void t_net_stop(struct t_net *t)
{
	net_stop_accepting(t->net);
	net_drain(t->net, 2000);
	pthread_mutex_lock(&t->provider->lock);
	append(&t->provider->due, t->provider->held);
	t->provider->held = NULL;
	t->provider->stop = true;
	pthread_cond_signal(&t->provider->wake);
	pthread_mutex_unlock(&t->provider->lock);
	pthread_join(t->provider->thread, NULL);
	net_free(t->net);
	pthread_mutex_destroy(&t->provider->lock);
	pthread_cond_destroy(&t->provider->wake);
	free(t->provider);
}

/* ---- clients ---- */

int t_connect(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { .tv_sec = 10 };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
		perror("connect");
		abort();
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

void t_send_bytes(int fd, const void *data, size_t size)
{
	for (const char *at = data; size > 0;) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* what is read next tells */
		at += n;
		size -= (size_t)n;
	}
}

void t_send(int fd, const char *text)
{
	t_send_bytes(fd, text, strlen(text));
}

const char *t_expect(int fd, const char *expected)
{
	static _Thread_local char got[4096];
	size_t size = strlen(expected), at = 0;
	assert(size < sizeof(got));
	while (at < size) {
		ssize_t n = recv(fd, got + at, size - at, 0);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	got[at] = '\0';
	return strcmp(got, expected) == 0 ? NULL : got;
}

long t_read_to_end(int fd)
{
	static _Thread_local char buffer[65536];
	long total = 0;
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		if (n < 0)
			return -1;
		if (n == 0)
			return total;
		total += n;
	}
}
