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
	log_warn(conn->owner->name, LOG_FIELDS(LOG_I("held_bytes", (int64_t)atomic_load(&worker->net->input_held))),
		 "a client is cut off: all clients together have sent too much of requests that are not whole");
}

/* A single one may be as long as its protocol takes. */
static bool may_hold(const struct net *net, size_t before, size_t after)
{
	size_t others = atomic_load_explicit(&net->input_held, memory_order_relaxed) - before;
	return after <= before || others == 0 || others + after <= net->input_max_bytes;
}

/* What the connection holds from now on. */
static void account(struct kvrel_conn *conn, size_t own_capacity, size_t copied)
{
	struct input *input = &conn->input;
	size_t before = counted(input->own_capacity + input->copied), after = counted(own_capacity + copied);
	if (after != before)
		atomic_fetch_add_explicit(&conn->worker->net->input_held, after - before, memory_order_relaxed);
	input->own_capacity = own_capacity;
	input->copied = copied;
}

static bool may_have(struct kvrel_conn *conn, size_t own_capacity, size_t copied)
{
	const struct input *input = &conn->input;
	size_t before = counted(input->own_capacity + input->copied), after = counted(own_capacity + copied);
	if (may_hold(conn->worker->net, before, after))
		return true;
	tell(conn);
	return false;
}

static bool resize(struct kvrel_conn *conn, size_t capacity)
{
	struct input *input = &conn->input;
	if (!may_have(conn, capacity, input->copied))
		return false;
	char *own = realloc(input->own, capacity);
	if (!own)
		return false;
	input->own = own;
	account(conn, capacity, input->copied);
	return true;
}

void input_free(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	account(conn, 0, input->copied);
	free(input->own);
	*input = (struct input){ .copied = input->copied };
}

void *input_copy_new(struct kvrel_conn *conn, size_t size)
{
	struct input *input = &conn->input;
	void *copy = may_have(conn, input->own_capacity, input->copied + size) ? malloc(size) : NULL;
	if (copy)
		account(conn, input->own_capacity, input->copied + size);
	return copy;
}

void input_copy_free(struct kvrel_conn *conn, void *copy, size_t size)
{
	account(conn, conn->input.own_capacity, conn->input.copied - size);
	free(copy);
}

static void move_to_front(struct input *input, const char *rest, size_t size)
{
	if (rest != input->own) /* the rest of a long request stays where it is */
		memmove(input->own, rest, size);
	input->data = input->own;
	input->size = size;
	input->used = input->skipped = 0;
}

bool input_grow(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	size_t extra = input->size > READ_BYTES ? input->size : READ_BYTES;
	if (!resize(conn, input->skipped + input->size + extra))
		return false;
	input->data = input->own + input->skipped;
	return true;
}

/*
 * The batch has run: nobody looks at the consumed bytes any more. What is left is moved over them once they are more
 * than it: a long pipeline is consumed in many steps, and to move all of its rest at each would take the square of its
 * length.
 */
void conn_tidy_input(struct kvrel_conn *conn)
{
	struct input *input = &conn->input;
	const char *rest = input->data + input->used;
	size_t size = input->size - input->used;
	if (size == 0) {
		input_free(conn);
		return;
	}
	if (input->used > 0 || !input->own) /* it is another one than before */
		conn->rest_ms = uv_now(&conn->worker->loop);
	if (input_is_own(input) && input->skipped + input->used < size) {
		input->skipped += input->used;
		input->data = rest;
		input->size = size;
		input->used = 0;
		return;
	}
	if (!input_is_own(input) && size > input->own_capacity && !resize(conn, size)) {
		conn->failed = true;
		worker_touch(conn);
		input->size = input->used = 0;
		return;
	}
	move_to_front(input, rest, size);
}
