/* SPDX-License-Identifier: MIT */
/*
 * Requests of other nodes: run like those of a worker's connections. All that came in one read are parsed, then
 * prefetched, then run, and the providers learn once a wake-up that it ends. A reply that is known at once is written
 * straight to the link; one that another thread makes is encoded there and handed over.
 */
#include "node/dist/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 4096, ARGS_FIRST = 1024 };

static void incoming_free(struct dist *dist, struct incoming *incoming)
{
	buf_done(&incoming->reply);
	if (dist->pool_count >= POOL_MAX) {
		free(incoming);
		return;
	}
	incoming->next = dist->pool;
	dist->pool = incoming;
	dist->pool_count++;
}

static struct incoming *incoming_new(struct dist *dist)
{
	struct incoming *incoming = dist->pool;
	if (incoming == NULL)
		return calloc(1, sizeof(*incoming));
	dist->pool = incoming->next;
	dist->pool_count--;
	*incoming = (struct incoming){ 0 };
	return incoming;
}

static void write_reply(struct buf *out, uint64_t id, const struct kvrel_result *result)
{
	static const char too_large[] = "the result is too large for a link between nodes; ask for parts of it";
	const struct kvrel_result instead = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { too_large, sizeof(too_large) - 1 },
	};
	if (!frame_put_reply(out, id, result))
		frame_put_reply(out, id, &instead);
}

static void refuse(struct link *link, uint64_t id, const char *reason)
{
	const struct kvrel_result result = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { reason, strlen(reason) },
	};
	write_reply(&link->out, id, &result);
	link_touch(link);
}

/* It may never be answered: nobody waits for it when the node stops. */
static bool incoming_waits(const struct incoming *incoming)
{
	return (incoming->op.op->flags & KVREL_OP_WAITS) != 0;
}

/* The links' thread. `result` is NULL when the reply is encoded already. */
static void finish(struct incoming *incoming, const struct kvrel_result *result)
{
	struct link *link = incoming->link;
	struct dist *dist = link->dist;
	if (link->state == LINK_UP && result != NULL)
		write_reply(&link->out, incoming->id, result);
	else if (link->state == LINK_UP)
		buf_append_slice(&link->out, buf_slice(&incoming->reply));
	if (link->state == LINK_UP)
		link_touch(link);
	dist->running_calls -= incoming_waits(incoming) ? 0 : 1;
	link->running--;
	link_unref(link);
	incoming_free(dist, incoming);
}

static void complete(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct incoming *incoming = (struct incoming *)call;
	struct dist *dist = incoming->link->dist;
	if (current_dist == dist) {
		finish(incoming, result);
		return;
	}
	write_reply(&incoming->reply, incoming->id, result);
	incoming->next = NULL;
	pthread_mutex_lock(&dist->lock);
	bool ended = dist->ended;
	bool wake = dist->done == NULL;
	if (!ended) {
		*dist->done_tail = incoming;
		dist->done_tail = &incoming->next;
	}
	pthread_mutex_unlock(&dist->lock);
	if (ended) { /* nobody is there to hear it; its link goes with the dist */
		buf_done(&incoming->reply);
		free(incoming);
	} else if (wake) {
		dist_wake(dist);
	}
}

void serve_collect(struct dist *dist)
{
	pthread_mutex_lock(&dist->lock);
	struct incoming *incoming = dist->done;
	dist->done = NULL;
	dist->done_tail = &dist->done;
	pthread_mutex_unlock(&dist->lock);
	while (incoming != NULL) {
		struct incoming *next = incoming->next;
		finish(incoming, NULL);
		incoming = next;
	}
}

/* ---- one request ---- */

static bool reserve_args(struct dist *dist, uint32_t count)
{
	size_t wanted = dist->args_used + count;
	if (wanted <= dist->args_capacity)
		return true;
	size_t capacity = dist->args_capacity > 0 ? dist->args_capacity : ARGS_FIRST;
	while (capacity < wanted)
		capacity *= 2;
	struct kvrel_slice *grown = realloc(dist->args, capacity * sizeof(*grown));
	if (grown == NULL)
		return false;
	dist->args = grown;
	dist->args_capacity = capacity;
	return true;
}

static bool takes(const struct kvrel_op *op, uint32_t count)
{
	return count >= op->min_args && (op->max_args == UINT16_MAX || count <= op->max_args);
}

static void trace(const struct link *link, const struct frame_request *request)
{
	if (log_level() == LOG_LEVEL_DEBUG)
		log_debug("dist",
			  LOG_FIELDS(LOG_S("from", link->peer->name), LOG_B("op", request->op),
				     LOG_I("hops", request->seen_count)),
			  "trace %016" PRIx64 ": received", request->trace);
}

/* NULL and the request is answered, or it has to be run. */
static struct incoming *accept_request(struct link *link, const struct frame_request *request)
{
	struct dist *dist = link->dist;
	struct dist_op op;
	struct error err;
	if (dist->stopping) {
		refuse(link, request->id, "the node is stopping");
		return NULL;
	}
	if (dist->host.enter(dist->host.context, request->op, &op, &err) != 0) {
		refuse(link, request->id, err.message);
		return NULL;
	}
	struct incoming *incoming = takes(op.op, request->arg_count) ? incoming_new(dist) : NULL;
	if (incoming == NULL) {
		const struct kvrel_result result = { .status = KVREL_WRONG_ARGS };
		write_reply(&link->out, request->id, &result);
		dist->host.leave(dist->host.context, &op);
		link_touch(link);
		return NULL;
	}
	incoming->call = (struct kvrel_call){
		.arg_count = request->arg_count, .worker = dist->worker, .complete = complete, .op = op.op
	};
	incoming->link = link;
	incoming->op = op;
	incoming->id = request->id;
	link->running++;
	dist->running_calls += incoming_waits(incoming) ? 0 : 1;
	return incoming;
}

void serve_request(struct link *link, struct slice payload)
{
	struct dist *dist = link->dist;
	struct batch_entry *entry = &dist->batch[dist->batch_count];
	struct slice args;
	if (!frame_get_request(payload, &entry->request, &args) || !reserve_args(dist, entry->request.arg_count) ||
	    !frame_get_args(args, dist->args + dist->args_used, entry->request.arg_count)) {
		link_close(link, "it sent a malformed request");
		return;
	}
	trace(link, &entry->request);
	if (entry->request.op.size == 0) { /* are you there? */
		const struct kvrel_result result = { .status = KVREL_OK };
		write_reply(&link->out, entry->request.id, &result);
		link_touch(link);
		return;
	}
	entry->incoming = accept_request(link, &entry->request);
	if (entry->incoming == NULL)
		return;
	entry->args_at = dist->args_used;
	dist->args_used += entry->request.arg_count;
	entry->route = (struct kvrel_route){
		.seen = entry->request.seen,
		.seen_count = entry->request.seen_count,
		.trace = entry->request.trace,
		.deadline_ms = dist_now_ms() + entry->request.timeout_ms,
	};
	entry->incoming->call.route = &entry->route;
	if (++dist->batch_count == BATCH_MAX)
		serve_run(dist);
}

/* ---- running ---- */

/*
 * The component was entered when the request was accepted; it may not stop before it knows that the wake-up ends. After
 * that its stop() completes what still waits.
 */
static void note_provider(struct dist *dist, const struct dist_op *op)
{
	for (unsigned i = 0; i < dist->provider_count; i++) {
		if (dist->providers[i].op.state == op->state) {
			dist->providers[i].entered++;
			return;
		}
	}
	if (dist->provider_count == BATCH_MAX)
		serve_end_batch(dist);
	dist->providers[dist->provider_count++] = (struct provider){ *op, 1 };
}

void serve_run(struct dist *dist)
{
	unsigned count = dist->batch_count;
	for (unsigned i = 0; i < count; i++) {
		struct kvrel_call *call = &dist->batch[i].incoming->call;
		const struct dist_op *op = &dist->batch[i].incoming->op;
		call->args = dist->args + dist->batch[i].args_at;
		if (op->op->prefetch != NULL)
			op->op->prefetch(op->state, call);
	}
	for (unsigned i = 0; i < count; i++) {
		struct incoming *incoming = dist->batch[i].incoming;
		const struct dist_op op = incoming->op; /* running it may complete and free it */
		note_provider(dist, &op);
		op.op->run(op.state, &incoming->call);
	}
	dist->batch_count = 0;
	dist->args_used = 0;
	if (dist->args_capacity > 64 * ARGS_FIRST) {
		free(dist->args);
		dist->args = NULL;
		dist->args_capacity = 0;
	}
}

void serve_end_batch(struct dist *dist)
{
	while (dist->provider_count > 0) {
		struct provider provider = dist->providers[--dist->provider_count];
		if (provider.op.batch_end != NULL)
			provider.op.batch_end(provider.op.state, dist->worker);
		while (provider.entered-- > 0)
			dist->host.leave(dist->host.context, &provider.op);
	}
}

void serve_done(struct dist *dist)
{
	while (dist->pool != NULL) {
		struct incoming *next = dist->pool->next;
		free(dist->pool);
		dist->pool = next;
	}
	free(dist->args);
}
