/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kvrel_api api;
static struct net_op ops[T_OPS];
static _Atomic bool writes_held;

enum { ARGS_MAX = 64 };

/* ---- the marked connection ---- */

static pthread_mutex_t mark_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kvrel_conn *marked;

static void mark(struct kvrel_conn *conn)
{
	pthread_mutex_lock(&mark_lock);
	marked = conn;
	pthread_mutex_unlock(&mark_lock);
}

static void closed(struct kvrel_conn *conn, void *conn_state)
{
	(void)conn_state;
	pthread_mutex_lock(&mark_lock);
	if (marked == conn)
		marked = NULL;
	pthread_mutex_unlock(&mark_lock);
}

bool t_cut_marked(void)
{
	pthread_mutex_lock(&mark_lock);
	bool there = marked != NULL;
	if (there)
		api.conn_cut(marked);
	pthread_mutex_unlock(&mark_lock);
	return there;
}

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
	if (word_is(words[0], "mark"))
		mark(conn);
	if (word_is(words[0], "say") || word_is(words[0], "mark"))
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
		return api.request_aside(conn, &ops[T_OP_HELD].ref, words + 1, count - 1, TAG_RESULT) ||
		       api.request(conn, NULL, &refused, 1, TAG_RESULT);
	}
	for (unsigned i = 0; i < T_OPS; i++) {
		if (word_is(words[0], t_provider_ops[i].name))
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
	.closed = closed,
	.refusal = { "full\n", 5 },
};

/* ---- net ---- */

size_t t_input_max;
int64_t t_write_timeout_ms, t_idle_timeout_ms;

uint16_t t_net_listen(struct t_net *t, const char *owner)
{
	struct error err = { 0 };
	uint16_t port = 0;
	if (net_listen(t->net, owner, &protocol, NULL, "127.0.0.1", 0, &port, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	net_accept(t->net, owner);
	return port;
}

struct t_net t_net_start(unsigned workers, unsigned max_connections, size_t output_max)
{
	struct t_net t = { .provider = t_provider_new() };
	struct error err = { 0 };
	assert(workers <= 8);
	net_fill_api(&api);
	for (unsigned i = 0; i < T_OPS; i++)
		ops[i] = (struct net_op){ .ref = { &t_provider_ops[i], t.provider },
					  .batch_end = t_provider_batch_end,
					  .provider = 3,
					  .writes_held = &writes_held };
	struct net_options options = { .workers = workers,
				       .max_connections = max_connections,
				       .output_max_bytes = output_max,
				       .input_max_bytes = t_input_max,
				       .idle_timeout_ms = t_idle_timeout_ms,
				       .write_timeout_ms = t_write_timeout_ms };
	if (net_new(&options, &t.net, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	t.port = t_net_listen(&t, "test");
	return t;
}

void t_hold_writes(struct t_net *t, bool hold)
{
	writes_held = hold;
	net_hold(t->net, hold);
}

void t_net_stop(struct t_net *t)
{
	net_stop_accepting(t->net);
	net_drain(t->net, 2000);
	t_provider_end(t->provider);
	net_free(t->net);
	t_provider_free(t->provider);
}
