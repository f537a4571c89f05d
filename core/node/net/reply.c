/* SPDX-License-Identifier: MIT */
/*
 * Reply slots: who answers, when, and in which order it goes out.
 *
 * A provider may complete a call inside run(), or a commit later from its own thread, or never while the node lives on.
 * The slot hides the difference: on the worker's own thread the head of a connection's queue is encoded straight from
 * the result it was given; everything else is copied into the slot. Another thread copies, pushes the slot on
 * worker.done and wakes the worker only when the stack was empty, so a burst of completions costs one wake-up. A thread
 * that is a worker itself gives them at the end of its own wake-up, or when it has many.
 *
 * A closed connection lives on as a dead one until its last call has come back.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct slot *slot_from_heap(struct worker *worker)
{
	struct slot *slot = malloc(sizeof(*slot));
	if (!slot)
		return NULL;
	slot->call = (struct kvrel_call){ .worker = worker->index, .complete = slot_complete };
	slot->block = NULL;
	slot->held = 0;
	slot->counted = false;
	return slot;
}

struct slot *slot_new_aside(struct kvrel_conn *conn, struct aside *aside)
{
	struct slot *slot = slot_make(conn, aside->op, aside->tag);
	if (slot)
		slot->aside = aside;
	return slot;
}

static void count_held(struct slot *slot)
{
	if (slot->counted)
		return;
	slot->counted = true;
	slot->conn->held_bytes += slot->held;
}

static void let_go(struct slot *slot)
{
	if (slot->counted)
		slot->conn->held_bytes -= slot->held;
	free(slot->block);
	slot->block = NULL;
	slot->held = 0;
	slot->counted = false;
}

static inline void slot_free(struct worker *worker, struct slot *slot)
{
	if (slot->held > 0)
		let_go(slot);
	if (worker->slot_pool_count >= SLOT_POOL_MAX) {
		free(slot);
		return;
	}
	slot->link = worker->slot_pool;
	worker->slot_pool = slot;
	worker->slot_pool_count++;
}

void slot_pool_done(struct worker *worker)
{
	for (struct slot *slot = worker->slot_pool, *link; slot; slot = link) {
		link = slot->link;
		free(slot);
	}
	worker->slot_pool = NULL;
	worker->slot_pool_count = 0;
}

/* ---- copies of results ---- */

struct extent {
	size_t items, bytes;
};

static void measure(const struct kvrel_result *result, struct extent *extent)
{
	extent->bytes += result->bytes.size;
	extent->items += result->count;
	for (size_t i = 0; i < result->count; i++)
		measure(&result->items[i], extent);
}

/* Fills *to from *from; `items` and `bytes` advance over the memory that measure() asked for. */
static void copy_into(struct kvrel_result *to, const struct kvrel_result *from, struct kvrel_result **items,
		      char **bytes)
{
	*to = *from;
	if (from->bytes.size > 0) {
		memcpy(*bytes, from->bytes.data, from->bytes.size);
		to->bytes.data = *bytes;
		*bytes += from->bytes.size;
	}
	if (from->count == 0)
		return;
	struct kvrel_result *mine = *items;
	*items += from->count;
	for (size_t i = 0; i < from->count; i++)
		copy_into(&mine[i], &from->items[i], items, bytes);
	to->items = mine;
}

static const struct kvrel_result out_of_memory = {
	.status = KVREL_ERROR,
	.kind = KVREL_BYTES,
	.bytes = { "out of memory", sizeof("out of memory") - 1 },
};

static void keep_result(struct slot *slot, const struct kvrel_result *result)
{
	slot->has_result = result != NULL;
	if (!result)
		return;
	if (result->count == 0 && result->bytes.size <= sizeof(slot->bytes)) {
		struct kvrel_result *no_items = NULL;
		char *bytes = slot->bytes;
		copy_into(&slot->result, result, &no_items, &bytes);
		return;
	}
	struct extent extent = { 0 };
	measure(result, &extent);
	size_t items_size = extent.items * sizeof(struct kvrel_result);
	slot->block = malloc(items_size + extent.bytes);
	if (!slot->block) {
		slot->result = out_of_memory;
		return;
	}
	if (!slot->counted)
		slot->held = items_size + extent.bytes;
	struct kvrel_result *items = slot->block;
	char *bytes = (char *)slot->block + items_size;
	copy_into(&slot->result, result, &items, &bytes);
}

/* ---- order ---- */

static inline void encode(struct kvrel_conn *conn, uint32_t tag, const struct kvrel_result *result)
{
	conn->protocol->encode(conn, conn->state, tag, result, &conn->out.bytes);
}

static inline void encode_head(struct kvrel_conn *conn, const struct kvrel_result *result)
{
	struct slot *slot = conn->first;
	if (!conn->dead)
		encode(conn, slot->tag, result);
	conn->first = slot->next;
	if (!conn->first)
		conn->last = NULL;
	conn->slot_count--;
	slot_free(conn->worker, slot);
}

static void encode_ready(struct kvrel_conn *conn)
{
	while (conn->first && conn->first->state == SLOT_READY) {
		struct slot *slot = conn->first;
		encode_head(conn, slot->has_result ? &slot->result : NULL);
	}
}

static void answer_aside(struct slot *slot, const struct kvrel_result *result)
{
	struct kvrel_conn *conn = slot->conn;
	batch_end_aside(conn, slot->aside);
	if (!conn->dead && !conn->closing)
		encode(conn, slot->tag, result);
	slot_free(conn->worker, slot);
	worker_touch(conn);
}

static void slot_ready(struct slot *slot)
{
	struct kvrel_conn *conn = slot->conn;
	if (slot->aside) {
		answer_aside(slot, slot->has_result ? &slot->result : NULL);
		return;
	}
	slot->state = SLOT_READY;
	if (slot->held > 0)
		count_held(slot);
	if (slot == conn->first) {
		encode_ready(conn);
		worker_touch(conn);
	}
}

void slot_answer(struct slot *slot, const struct kvrel_result *result)
{
	struct kvrel_conn *conn = slot->conn;
	if (slot->aside) {
		answer_aside(slot, result);
		return;
	}
	if (slot != conn->first) {
		keep_result(slot, result);
		slot_ready(slot);
		return;
	}
	encode_head(conn, result);
	if (conn->first && conn->first->state == SLOT_READY)
		encode_ready(conn);
	worker_touch(conn);
}

static void give_late(struct slot *slot)
{
	struct worker *worker = slot->conn->worker;
	struct slot *head = atomic_load_explicit(&worker->done, memory_order_relaxed);
	do
		slot->link = head;
	while (!atomic_compare_exchange_weak_explicit(&worker->done, &head, slot, memory_order_release,
						      memory_order_relaxed));
	if (!head)
		uv_async_send(&worker->wake);
}

void replies_give(struct worker *worker)
{
	struct slot *slot = worker->late;
	worker->late = worker->last_late = NULL;
	worker->late_count = 0;
	while (slot) {
		struct slot *next = slot->link; /* read first: it is another worker's as soon as it is given */
		give_late(slot);
		slot = next;
	}
}

/* Given one by one they would wake the other worker for each, as fast as it goes to sleep again. */
static void hold_late(struct worker *worker, struct slot *slot)
{
	slot->link = NULL;
	if (worker->last_late)
		worker->last_late->link = slot;
	else
		worker->late = slot;
	worker->last_late = slot;
	if (++worker->late_count == LATE_MAX)
		replies_give(worker);
}

/* Counted on the worker, before another thread can have the call; what is copied later is much the same. */
bool net_call_held(struct kvrel_call *call, size_t bytes)
{
	struct slot *slot = (struct slot *)call;
	if (call->complete != slot_complete)
		return false;
	if (slot->aside || slot->counted || bytes == 0)
		return true;
	slot->held = bytes;
	count_held(slot);
	return true;
}

void slot_complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct slot *slot = (struct slot *)call;
	struct worker *worker = slot->conn->worker;
	if (worker == current_worker) {
		slot_answer(slot, result);
		return;
	}
	keep_result(slot, result);
	if (current_worker)
		hold_late(current_worker, slot);
	else
		give_late(slot);
}

void replies_collect(struct worker *worker)
{
	struct slot *stack = atomic_exchange_explicit(&worker->done, NULL, memory_order_acquire);
	struct slot *oldest = NULL;
	while (stack) {
		struct slot *link = stack->link;
		stack->link = oldest;
		oldest = stack;
		stack = link;
	}
	while (oldest) {
		struct slot *slot = oldest;
		oldest = slot->link; /* read first: an answered slot goes back to the pool */
		slot_ready(slot);
	}
}
