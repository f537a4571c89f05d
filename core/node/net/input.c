/* SPDX-License-Identifier: MIT */
/*
 * What a connection has read of a request that is not whole yet, in a buffer of its own.
 *
 * One client may send a request as long as its protocol takes, but not ten thousand of them at once: what all
 * connections hold together is bounded. Over the bound one that wants to hold more than a little is cut off.
 */
#include "internal.h"

#include "base/log.h"

#include <stdlib.h>

enum { TELL_EVERY_MS = 1000 };

/* Small ones are not counted: there are as many as connections, and they come and go with every read. */
static size_t counted(size_t capacity)
{
	return capacity > INPUT_UNCOUNTED ? capacity : 0;
}

static void tell(struct kvrel_conn *conn)
{
	struct worker *worker = conn->worker;
	uint64_t now_ms = uv_now(&worker->loop);
	if (worker->input_told_ms != 0 && now_ms - worker->input_told_ms < TELL_EVERY_MS)
		return;
	worker->input_told_ms = now_ms;
	log_warn(conn->owner, LOG_FIELDS(LOG_I("held_bytes", (int64_t)atomic_load(&worker->net->input_held))),
		 "a client is cut off: all clients together have sent too much of requests that are not whole");
}

/* A single one may be as long as its protocol takes. */
static bool may_hold(const struct net *net, size_t before, size_t after)
{
	size_t others = atomic_load_explicit(&net->input_held, memory_order_relaxed) - before;
	return after <= before || others == 0 || others + after <= net->input_max_bytes;
}

static bool resize(struct kvrel_conn *conn, size_t capacity)
{
	struct input *input = &conn->input;
	struct net *net = conn->worker->net;
	size_t before = counted(input->own_capacity), after = counted(capacity);
	if (!may_hold(net, before, after)) {
		tell(conn);
		return false;
	}
	char *own = realloc(input->own, capacity);
	if (!own)
		return false;
	if (after != before)
		atomic_fetch_add_explicit(&net->input_held, after - before, memory_order_relaxed);
	input->own = own;
	input->own_capacity = capacity;
	return true;
}

void input_free(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	size_t held = counted(input->own_capacity);
	if (held > 0)
		atomic_fetch_sub_explicit(&conn->worker->net->input_held, held, memory_order_relaxed);
	free(input->own);
	*input = (struct input){ 0 };
}

bool input_grow(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	size_t extra = input->size > READ_BYTES ? input->size : READ_BYTES;
	if (!resize(conn, input->size + extra))
		return false;
	input->data = input->own;
	return true;
}

/* The batch has run: nobody looks at the consumed bytes any more. */
void conn_tidy_input(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	const char *rest = input->data + input->used;
	size_t size = input->size - input->used;
	if (size == 0) {
		input_free(conn);
		return;
	}
	if (input->data != input->own && size > input->own_capacity && !resize(conn, size)) {
		conn->failed = true;
		worker_touch(conn);
		input->size = input->used = 0;
		return;
	}
	if (rest != input->own) /* the rest of a long request stays where it is */
		memmove(input->own, rest, size);
	input->data = input->own;
	input->size = size;
	input->used = 0;
}
