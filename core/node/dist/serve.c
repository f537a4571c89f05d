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

enum {
	POOL_MAX = 4096,
	ARGS_FIRST = 1024,
	ARGS_AT_ONCE = 64 * ARGS_FIRST, /* of a batch: a frame may hold millions */
	REPLIES_PART = 4,               /* of the memory of all links: more may not be unsent to one of them or kept */
};

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
	return incoming; /* its `reply` is empty; the rest is set by whoever takes it */
}

static void write_reply(struct buf *out, struct frame_open *open, uint64_t id, const struct kvrel_result *result)
{
	static const char too_large[] = "the result is too large for a link between nodes; ask for parts of it";
	const struct kvrel_result instead = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { too_large, sizeof(too_large) - 1 },
	};
	if (!frame_add_reply(out, open, id, result))
		frame_add_reply(out, open, id, &instead);
}

static void refuse(struct link *link, uint64_t id, const char *reason)
{
	const struct kvrel_result result = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { reason, strlen(reason) },
	};
	write_reply(&link->out, &link->replies, id, &result);
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
		write_reply(&link->out, &link->replies, incoming->id, result);
	else if (link->state == LINK_UP)
		buf_append_slice(&link->out, buf_slice(&incoming->reply));
	if (link->state == LINK_UP)
		link_touch(link);
	dist->running_calls -= incoming_waits(incoming) ? 0 : 1;
	dist->abandoned -= link->state == LINK_CLOSED ? 1 : 0;
	link->held -= incoming->held;
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
	write_reply(&incoming->reply, &(struct frame_open){ 0 }, incoming->id, result);
	pthread_mutex_lock(&dist->lock);
	bool ended = dist->ended;
	incoming->next = atomic_load_explicit(&dist->done, memory_order_relaxed);
	bool wake = incoming->next == NULL;
	if (!ended)
		atomic_store_explicit(&dist->done, incoming, memory_order_relaxed);
	pthread_mutex_unlock(&dist->lock);
	if (ended) { /* nobody is there to hear it; its link goes with the dist */
		buf_done(&incoming->reply);
		free(incoming);
	} else if (wake) {
		dist_wake(dist);
	}
}

/* On the links' thread, which runs those of other nodes. */
void dist_call_held(struct kvrel_call *call, size_t bytes)
{
	struct incoming *incoming = (struct incoming *)call;
	if (call->complete != complete)
		return;
	incoming->held += bytes;
	incoming->link->held += bytes;
}

void serve_collect(struct dist *dist)
{
	if (atomic_load_explicit(&dist->done, memory_order_relaxed) == NULL)
		return;
	pthread_mutex_lock(&dist->lock);
	struct incoming *incoming = dist->done;
	atomic_store_explicit(&dist->done, NULL, memory_order_relaxed);
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

/* What the wake-up has looked up already; else looked up now. NULL: there is no such operation, and `err` says why. */
static const struct dist_op *find_op(struct dist *dist, struct slice name, struct error *err)
{
	for (unsigned i = dist->found_count; i-- > 0;) {
		const struct found_op *found = &dist->found[i];
		if (found->size == name.size && memcmp(found->name, name.data, name.size) == 0)
			return &found->op;
	}
	if (dist->found_count == FOUND_MAX) {
		serve_run(dist);
		serve_end_batch(dist);
	}
	struct found_op *found = &dist->found[dist->found_count];
	if (dist->host.enter(dist->host.context, name, &found->op, err) != 0)
		return NULL;
	memcpy(found->name, name.data, name.size);
	found->size = name.size;
	dist->found_count++;
	return &found->op;
}

/* The nodes that a frame's requests have seen, for as long as the batch lives. */
static const struct slice *keep_seen(struct dist *dist, const struct frame_request *request)
{
	struct slice *seen = dist->seen + dist->seen_used;
	for (uint32_t i = 0; i < request->seen_count; i++)
		seen[i] = request->seen[i];
	dist->seen_used += request->seen_count;
	return seen;
}

static void add_to_batch(struct link *link, const struct frame_request *request, const struct dist_op *op,
			 const struct slice *seen)
{
	struct dist *dist = link->dist;
	struct incoming *incoming = incoming_new(dist);
	if (incoming == NULL) {
		refuse(link, request->id, "out of memory");
		return;
	}
	incoming->call = (struct kvrel_call){
		.arg_count = request->arg_count, .worker = dist->worker, .complete = complete, .op = op->op
	};
	incoming->link = link;
	incoming->op = *op;
	incoming->id = request->id;
	incoming->held = 0;
	link->running++;
	dist->running_calls += incoming_waits(incoming) ? 0 : 1;
	struct batch_entry *entry = &dist->batch[dist->batch_count++];
	entry->incoming = incoming;
	entry->args_at = dist->args_used;
	dist->args_used += request->arg_count;
	entry->route = (struct kvrel_route){
		.seen = seen,
		.seen_count = request->seen_count,
		.trace = request->trace,
		.deadline_ms = link->heard_ms + request->timeout_ms,
	};
}

static void answer(struct link *link, uint64_t id, enum kvrel_status status)
{
	const struct kvrel_result result = { .status = status };
	write_reply(&link->out, &link->replies, id, &result);
	link_touch(link);
}

/* Those that wait for ever and that nobody waits for any more are bounded here; others are answered before long. */
static bool may_wait(const struct link *link, const struct kvrel_op *op)
{
	return (op->flags & KVREL_OP_WAITS) == 0 || link->dist->abandoned < ABANDONED_MAX;
}

/* What serves the requests of one frame. */
struct serving {
	const struct dist_op *op; /* NULL: none, and `reason` says why */
	const char *reason;
	const struct slice *seen; /* in dist.seen; NULL: not yet */
};

/* Neither is there room to answer too much, nor for writes that their provider cannot take now. */
static bool has_to_wait(const struct link *link, const struct dist_op *op)
{
	if (link_unsent(link) >= OUT_FULL_BYTES)
		return true;
	return op != NULL && op->writes_held != NULL && (op->op->flags & KVREL_OP_WRITE) &&
	       atomic_load(op->writes_held);
}

/* True when it is answered or among those that run next. */
static void serve_one(struct link *link, const struct frame_request *request, struct serving *serving)
{
	struct dist *dist = link->dist;
	trace(link, request);
	if (request->op.size == 0) { /* are you there? */
		answer(link, request->id, KVREL_OK);
	} else if (serving->op == NULL) {
		refuse(link, request->id, serving->reason);
	} else if (!takes(serving->op->op, request->arg_count)) {
		answer(link, request->id, KVREL_WRONG_ARGS);
	} else if (may_wait(link, serving->op->op)) {
		if (serving->seen == NULL || dist->batch_count == 0) /* a batch that has run takes them with it */
			serving->seen = keep_seen(dist, request);
		add_to_batch(link, request, serving->op, serving->seen);
	} else {
		refuse(link, request->id, "requests of links that are gone still wait here, as many as may");
	}
	if (dist->batch_count == BATCH_MAX || dist->args_used >= ARGS_AT_ONCE)
		serve_run(dist);
}

/* Reads one request and its arguments; why not, or NULL. */
static const char *read_one(struct link *link, struct slice *rest, struct frame_request *request)
{
	struct dist *dist = link->dist;
	if (!frame_get_request(rest, request) || !reserve_args(dist, request->arg_count) ||
	    !frame_get_args(rest, dist->args + dist->args_used, request->arg_count))
		return "it sent a malformed request";
	return link->running >= WAITING_MAX ? "it asked for more than it may before it is answered" : NULL;
}

/* The operation is found before any arguments are read, which running what came before would throw away. */
size_t serve_requests(struct link *link, struct slice whole)
{
	struct dist *dist = link->dist;
	struct frame_request request;
	struct error err;
	struct slice rest;
	struct serving serving = { .reason = dist->stopping ? "the node is stopping" : err.message };
	const char *problem = NULL;
	struct slice payload = { whole.data + FRAME_HEADER_BYTES, whole.size - FRAME_HEADER_BYTES };
	if (!frame_get_shared(payload, &request, &rest)) {
		serve_run(dist);
		link_close(link, "it sent a malformed request");
		return whole.size;
	}
	if (request.op.size > 0 && !dist->stopping)
		serving.op = find_op(dist, request.op, &err);
	for (; rest.size > 0; request.trace++) {
		if (has_to_wait(link, serving.op)) {
			serve_run(dist); /* what is in the batch may lie where the frame is cut */
			return whole.size - frame_cut(whole, rest, request.trace).size;
		}
		problem = read_one(link, &rest, &request);
		if (problem != NULL)
			break;
		serve_one(link, &request, &serving);
	}
	if (problem != NULL) {
		serve_run(dist); /* the arguments of what is in the batch go with the link */
		link_close(link, problem);
	}
	return whole.size;
}

/* ---- running ---- */

/* What came before in its batch was answered with so much that the links would have to be closed. */
static void refuse_unread(struct incoming *incoming)
{
	static const char reason[] = "too many large answers are asked for at once (--dist-memory); nothing was done";
	const struct kvrel_result result = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { reason, sizeof(reason) - 1 },
	};
	finish(incoming, &result);
}

void serve_run(struct dist *dist)
{
	unsigned count = dist->batch_count;
	for (unsigned i = 0; i < count; i++) {
		struct batch_entry *entry = &dist->batch[i];
		struct kvrel_call *call = &entry->incoming->call;
		const struct dist_op *op = &entry->incoming->op;
		call->args = dist->args + entry->args_at;
		call->route = &entry->route;
		if (op->op->prefetch != NULL)
			op->op->prefetch(op->state, call);
	}
	for (unsigned i = 0; i < count; i++) {
		struct incoming *incoming = dist->batch[i].incoming;
		if (link_unsent(incoming->link) + incoming->link->held < dist->memory_bytes / REPLIES_PART)
			incoming->op.op->run(incoming->op.state, &incoming->call);
		else
			refuse_unread(incoming);
	}
	dist->batch_count = 0;
	dist->args_used = 0;
	dist->seen_used = 0;
	if (dist->args_capacity > ARGS_AT_ONCE) {
		free(dist->args);
		dist->args = NULL;
		dist->args_capacity = 0;
	}
}

static bool ended_already(const struct dist *dist, unsigned count, const void *state)
{
	while (count-- > 0) {
		if (dist->found[count].op.state == state)
			return true;
	}
	return false;
}

/*
 * The components were entered when the operations were looked up; none may stop before it knows that the wake-up ends.
 * After that its stop() completes what still waits.
 */
void serve_end_batch(struct dist *dist)
{
	unsigned count = dist->found_count;
	for (unsigned i = 0; i < count; i++) {
		const struct dist_op *op = &dist->found[i].op;
		if (op->batch_end != NULL && !ended_already(dist, i, op->state))
			op->batch_end(op->state, dist->worker);
	}
	for (unsigned i = 0; i < count; i++)
		dist->host.leave(dist->host.context, &dist->found[i].op);
	dist->found_count = 0;
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
