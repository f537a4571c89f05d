/* SPDX-License-Identifier: MIT */
/*
 * The calls of a wake-up. Parsing fills the batch, over all connections that have something to say; then every call is
 * prefetched, then every call is run. By the time the first one runs, the memory that the last one needs is on its way:
 * that is worth more than any choice of event loop. A full batch is run before parsing goes on.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static struct arg_block *arg_block_new(size_t capacity, struct arg_block *next)
{
	struct arg_block *block = malloc(sizeof(*block) + capacity * sizeof(block->items[0]));
	if (block)
		*block = (struct arg_block){ .next = next, .capacity = capacity };
	return block;
}

int batch_init(struct batch *batch, struct error *err)
{
	batch->arena = malloc(ARENA_BYTES);
	batch->args = arg_block_new(ARG_BLOCK_ITEMS, NULL);
	if (!batch->arena || !batch->args)
		return error_set(err, ERROR_NO_MEMORY, "out of memory for a worker's buffers");
	return 0;
}

/* Leaves the oldest block, which has the usual size. */
static void args_reset(struct batch *batch)
{
	while (batch->args->next) {
		struct arg_block *block = batch->args;
		batch->args = block->next;
		free(block);
	}
	batch->args->used = 0;
}

static void free_spent(struct batch *batch)
{
	while (batch->spent) {
		struct aside *aside = batch->spent;
		batch->spent = aside->next;
		free(aside);
	}
}

void batch_done(struct batch *batch)
{
	free_spent(batch);
	if (batch->args)
		args_reset(batch);
	free(batch->args);
	free(batch->arena);
	batch->args = NULL;
	batch->arena = NULL;
}

static bool args_grow(struct batch *batch, uint32_t count)
{
	struct arg_block *block = arg_block_new(count > ARG_BLOCK_ITEMS ? count : ARG_BLOCK_ITEMS, batch->args);
	if (block)
		batch->args = block;
	return block != NULL;
}

static inline const struct kvrel_slice *args_copy(struct batch *batch, const struct kvrel_slice *args, uint32_t count)
{
	if (count > batch->args->capacity - batch->args->used && !args_grow(batch, count))
		return NULL;
	struct arg_block *block = batch->args;
	struct kvrel_slice *copy = block->items + block->used;
	for (uint32_t i = 0; i < count; i++)
		copy[i] = args[i];
	block->used += count;
	return copy;
}

size_t batch_args_size(const struct kvrel_slice *args, uint32_t arg_count)
{
	size_t size = arg_count * sizeof(args[0]);
	for (uint32_t i = 0; i < arg_count; i++)
		size += args[i].size;
	return size;
}

void batch_copy_args(struct kvrel_slice *to, const struct kvrel_slice *args, uint32_t arg_count)
{
	char *bytes = (char *)&to[arg_count];
	for (uint32_t i = 0; i < arg_count; i++) {
		if (args[i].size > 0)
			memcpy(bytes, args[i].data, args[i].size);
		to[i] = (struct kvrel_slice){ bytes, args[i].size };
		bytes += args[i].size;
	}
}

static bool refuse(struct kvrel_conn *conn)
{
	conn->refused = true;
	return false;
}

static bool give_up(struct kvrel_conn *conn)
{
	conn->failed = true;
	return refuse(conn);
}

/* Known at once: NULL for encode() when there is nothing to say, else the bytes in args[0]. */
__attribute__((noinline)) static bool answer_now(struct kvrel_conn *conn, const struct kvrel_slice *args,
						 uint32_t arg_count, uint32_t tag)
{
	struct kvrel_result result = { .kind = KVREL_BYTES, .bytes = arg_count ? args[0] : (struct kvrel_slice){ 0 } };
	if (!conn_has_room(conn))
		return refuse(conn);
	if (conn->first) {
		struct slot *slot = slot_new(conn, NULL, tag);
		if (!slot)
			return give_up(conn);
		slot_answer(slot, arg_count ? &result : NULL);
	} else {
		conn->protocol->encode(conn, conn->state, tag, arg_count ? &result : NULL, &conn->out.bytes);
		worker_touch(conn);
	}
	counter_add(&conn->worker->counters.requests, 1);
	return true;
}

static bool takes(const struct kvrel_op *op, uint32_t arg_count)
{
	return arg_count >= op->min_args && (op->max_args == UINT16_MAX || arg_count <= op->max_args);
}

static void add_call(struct batch *batch, struct slot *slot, const struct kvrel_slice *args, uint32_t arg_count)
{
	slot->call.args = args;
	slot->call.arg_count = arg_count;
	if (!takes(slot->call.op, arg_count))
		slot->state = SLOT_WRONG_ARGS;
	batch->calls[batch->count++] = slot;
}

/* Of the limits on output only those answers can reach one that are encoded here; others wait for the batch. */
bool batch_request(struct kvrel_conn *conn, const struct kvrel_op_ref *ref, const struct kvrel_slice *args,
		   uint32_t arg_count, uint32_t tag)
{
	struct batch *batch = &conn->worker->batch;
	if (batch->count == BATCH_CALLS_MAX || conn->closing || conn->failed || conn->slot_count == CONN_SLOTS_MAX)
		return refuse(conn);
	if (!ref)
		return answer_now(conn, args, arg_count, tag);
	const struct kvrel_slice *copy = args_copy(batch, args, arg_count);
	struct slot *slot = copy ? slot_new(conn, (const struct net_op *)(const void *)ref, tag) : NULL;
	if (!slot)
		return give_up(conn);
	add_call(batch, slot, copy, arg_count);
	return true;
}

/* ---- outside the order ---- */

static struct aside *aside_new(const struct net_op *op, const struct kvrel_slice *args, uint32_t arg_count)
{
	struct aside *aside = malloc(sizeof(*aside) + batch_args_size(args, arg_count));
	if (!aside)
		return NULL;
	*aside = (struct aside){ .op = op, .arg_count = arg_count };
	batch_copy_args(aside->args, args, arg_count);
	return aside;
}

bool batch_request_aside(struct kvrel_conn *conn, const struct kvrel_op_ref *ref, const struct kvrel_slice *args,
			 uint32_t arg_count, uint32_t tag)
{
	if (conn->aside_count == KVREL_ASIDES_MAX || conn->failed)
		return false;
	struct aside *aside = aside_new((const struct net_op *)(const void *)ref, args, arg_count);
	if (!aside)
		return false;
	aside->tag = tag;
	if (conn->last_aside)
		conn->last_aside->next = aside;
	else
		conn->asides = aside;
	conn->last_aside = aside;
	conn->aside_count++;
	worker_ready(conn);
	return true;
}

static struct aside *first_aside(struct kvrel_conn *conn)
{
	struct aside *aside = conn->asides;
	conn->asides = aside->next;
	if (!conn->asides)
		conn->last_aside = NULL;
	return aside;
}

void batch_take_asides(struct kvrel_conn *conn)
{
	struct batch *batch = &conn->worker->batch;
	while (conn->asides && batch->count < BATCH_CALLS_MAX) {
		struct slot *slot = slot_new_aside(conn, conn->asides);
		if (!slot) {
			conn->failed = true;
			worker_touch(conn);
			return;
		}
		const struct aside *aside = first_aside(conn);
		conn->asides_running++;
		add_call(batch, slot, aside->args, aside->arg_count);
	}
}

void batch_end_aside(struct kvrel_conn *conn, struct aside *aside)
{
	struct batch *batch = &conn->worker->batch;
	conn->asides_running--;
	conn->aside_count--;
	aside->next = batch->spent;
	batch->spent = aside;
}

void batch_drop_asides(struct kvrel_conn *conn)
{
	while (conn->asides) {
		free(first_aside(conn));
		conn->aside_count--;
	}
}

/* ---- running ---- */

static inline void prefetch(struct slot *slot)
{
	const struct kvrel_op_ref *ref = &slot->op->ref;
	if (ref->op->prefetch && slot->state == SLOT_RUNNING)
		ref->op->prefetch(ref->state, &slot->call);
}

void batch_note(struct worker *worker, const struct net_op *op)
{
	worker->providers |= UINT64_C(1) << op->provider;
	worker->ran |= UINT64_C(1) << op->provider;
	worker->provider_ops[op->provider] = op;
}

static inline void run(struct slot *slot)
{
	const struct kvrel_op_ref *ref = &slot->op->ref;
	if (slot->state == SLOT_WRONG_ARGS) {
		slot->state = SLOT_RUNNING;
		slot_answer(slot, &(struct kvrel_result){ .status = KVREL_WRONG_ARGS });
	} else {
		ref->op->run(ref->state, &slot->call);
	}
}

void batch_run_call(struct worker *worker, struct slot *slot)
{
	batch_note(worker, slot->op);
	prefetch(slot);
	run(slot);
}

void batch_run(struct worker *worker)
{
	struct batch *batch = &worker->batch;
	const struct net_op *last = NULL;
	struct net *net = worker->net;
	for (unsigned i = 0; i < batch->count; i++)
		prefetch(batch->calls[i]);
	for (unsigned i = 0; i < batch->count; i++) {
		struct slot *slot = batch->calls[i];
		if (slot->op != last)
			batch_note(worker, last = slot->op);
		size_t look_closer = atomic_load_explicit(&net->look_closer, memory_order_relaxed);
		if (!call_may_wait(slot->conn, look_closer) || !postpone(slot))
			run(slot);
	}
	counter_add(&worker->counters.requests, batch->count);
	batch->count = 0;
	args_reset(batch);
	free_spent(batch);
}

void batch_ran_providers(struct worker *worker)
{
	while (worker->ran) {
		unsigned provider = (unsigned)__builtin_ctzll(worker->ran);
		const struct net_op *op = worker->provider_ops[provider];
		worker->ran &= worker->ran - 1;
		if (op->batch_ran)
			op->batch_ran(op->ref.state, worker->index);
	}
}

void batch_end_providers(struct worker *worker)
{
	while (worker->providers) {
		unsigned provider = (unsigned)__builtin_ctzll(worker->providers);
		const struct net_op *op = worker->provider_ops[provider];
		worker->providers &= worker->providers - 1;
		if (op->batch_end)
			op->batch_end(op->ref.state, worker->index);
	}
}
