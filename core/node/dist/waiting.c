/* SPDX-License-Identifier: MIT */
/*
 * The calls that wait for another node. Any thread adds to the outbox, in the very form in which it is sent, and to the
 * table of waiting calls; the links' thread takes the whole outbox at its next wake-up. So a burst of requests of all
 * workers costs one wake-up, one copy and one write.
 *
 * A waiting call leaves the table exactly once: by its reply, its deadline, or the loss of the link. The id in a reply
 * names place and generation, so that a reply that comes too late finds nothing.
 */
#include "node/dist/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void call_error(struct kvrel_call *call, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t shown = size < 0 ? 0 : (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1;
	const struct kvrel_result result = { .status = KVREL_ERROR, .kind = KVREL_BYTES, .bytes = { text, shown } };
	call->complete(call, &result);
}

/* ---- the table of waiting calls; with the lock held ---- */

static bool grow_table(struct peer *peer)
{
	uint32_t capacity = peer->waiting_capacity == 0 ? 64 : peer->waiting_capacity * 2;
	struct waiting *grown = capacity <= WAITING_MAX ? realloc(peer->waiting, capacity * sizeof(*grown)) : NULL;
	if (grown == NULL)
		return false;
	peer->waiting = grown;
	peer->waiting_capacity = capacity;
	return true;
}

static uint32_t take_place(struct peer *peer)
{
	uint32_t place = peer->first_free;
	if (place != NO_PLACE) {
		peer->first_free = peer->waiting[place].next_free;
		return place;
	}
	if (peer->waiting_count == peer->waiting_capacity && !grow_table(peer))
		return NO_PLACE;
	peer->waiting[peer->waiting_count] = (struct waiting){ 0 };
	return peer->waiting_count++;
}

static struct kvrel_call *free_place(struct peer *peer, uint32_t place)
{
	struct waiting *waiting = &peer->waiting[place];
	struct kvrel_call *call = waiting->call;
	waiting->call = NULL;
	waiting->generation++;
	waiting->next_free = peer->first_free;
	peer->first_free = place;
	peer->waiting_now--;
	peer->in_flight -= waiting->size;
	return call;
}

/* ---- asking ---- */

/* "kv.put"; longer than FRAME_NAME_MAX: not written, and refused with the frame. */
static size_t join_name(char out[FRAME_NAME_MAX + 1], const char *component, const char *op)
{
	size_t head = strlen(component);
	size_t tail = strlen(op);
	if (head + 1 + tail > FRAME_NAME_MAX)
		return head + 1 + tail;
	memcpy(out, component, head);
	out[head] = '.';
	memcpy(out + head + 1, op, tail + 1);
	return head + 1 + tail;
}

static void fill_request(struct dist *dist, const struct kvrel_call *call, const struct dist_request *request,
			 char op[FRAME_NAME_MAX + 1], struct frame_request *out)
{
	const struct kvrel_route *route = call->route;
	out->args = call->args; /* field by field: its array of names is large */
	out->arg_count = call->arg_count;
	out->seen_count = 0;
	for (uint32_t i = 0; route != NULL && i < route->seen_count; i++)
		out->seen[out->seen_count++] = route->seen[i];
	if (!request->direct)
		out->seen[out->seen_count++] = slice_of(dist->name);
	out->timeout_ms = request->timeout_ms;
	if (route != NULL) {
		int64_t left = route->deadline_ms - dist_now_ms();
		out->trace = route->trace;
		if (left < (int64_t)out->timeout_ms)
			out->timeout_ms = left > 0 ? (uint32_t)left : 0;
	} else {
		uint64_t number = atomic_fetch_add_explicit(&dist->traces, 1, memory_order_relaxed);
		out->trace = (dist->instance << 32) + number;
	}
	out->op = (struct slice){ op, 0 };
	if (request->component != NULL)
		out->op.size = join_name(op, request->component, request->op->name);
}

/* NULL when it was added to what waits; else why not. */
static const char *add(struct peer *peer, struct kvrel_call *call, const struct dist_request *what,
		       struct frame_request *request, bool *wake)
{
	size_t before = peer->outbox.size;
	if (peer->closed)
		return "this node is stopping";
	if (peer->in_flight >= WINDOW_BYTES)
		return "too much is on its way there already";
	uint32_t place = take_place(peer);
	if (place == NO_PLACE)
		return "too many requests wait for it already";
	struct waiting *waiting = &peer->waiting[place];
	request->id = (uint64_t)waiting->generation << 32 | place;
	bool fits = frame_put_request(&peer->outbox, request);
	*waiting = (struct waiting){
		.call = call,
		.deadline_ms = dist_now_ms() + request->timeout_ms,
		.order = ++peer->order,
		.size = (uint32_t)(peer->outbox.size - before),
		.generation = waiting->generation,
		.writes = what->op != NULL && (what->op->flags & KVREL_OP_WRITE) != 0,
	};
	peer->waiting_now++;
	peer->in_flight += waiting->size;
	if (waiting->deadline_ms < peer->next_deadline_ms)
		peer->next_deadline_ms = waiting->deadline_ms;
	if (!fits) {
		free_place(peer, place);
		peer->outbox.failed = false;
		return "the request is too large for a link between nodes";
	}
	*wake = !peer->queued;
	peer->queued = true;
	return NULL;
}

static void queue_work(struct peer *peer)
{
	struct dist *dist = peer->dist;
	struct peer *head = atomic_load_explicit(&dist->work, memory_order_relaxed);
	do
		peer->next_work = head;
	while (!atomic_compare_exchange_weak_explicit(&dist->work, &head, peer, memory_order_release,
						      memory_order_relaxed));
	if (head == NULL)
		dist_wake_at_end(dist);
}

void peer_forward(struct peer *peer, struct kvrel_call *call, const struct dist_request *what)
{
	char op[FRAME_NAME_MAX + 1];
	op[0] = '\0';
	struct frame_request request;
	bool wake = false;
	fill_request(peer->dist, call, what, op, &request);
	if (request.timeout_ms == 0) {
		call_error(call, "node '%s' was not asked: the deadline has passed", peer->name);
		return;
	}
	if (log_level() == LOG_LEVEL_DEBUG)
		log_debug("dist",
			  LOG_FIELDS(LOG_S("to", peer->name), LOG_S("op", op), LOG_I("hops", request.seen_count)),
			  "trace %016" PRIx64 ": forwarding", request.trace);
	pthread_mutex_lock(&peer->lock);
	const char *problem = add(peer, call, what, &request, &wake);
	pthread_mutex_unlock(&peer->lock);
	if (problem != NULL)
		call_error(call, "node '%s' was not asked: %s", peer->name, problem);
	else if (wake)
		queue_work(peer);
}

/* ---- answering ---- */

void peer_reply(struct peer *peer, uint64_t id, const struct kvrel_result *result)
{
	uint32_t place = (uint32_t)id;
	struct kvrel_call *call = NULL;
	pthread_mutex_lock(&peer->lock);
	if (place < peer->waiting_count && peer->waiting[place].call != NULL &&
	    peer->waiting[place].generation == (uint32_t)(id >> 32))
		call = free_place(peer, place);
	pthread_mutex_unlock(&peer->lock);
	if (call != NULL)
		call->complete(call, result);
}

/*
 * With the lock held: takes out every call whose deadline is over by `now`, linked by their `next`. The calls are ours,
 * so their scratch is, too: it keeps what the table knew.
 */
static struct kvrel_call *take_out(struct peer *peer, int64_t now)
{
	struct kvrel_call *list = NULL;
	int64_t next = INT64_MAX;
	if (now < peer->next_deadline_ms)
		return NULL;
	for (uint32_t i = 0; i < peer->waiting_count && peer->waiting_now > 0; i++) {
		const struct waiting *waiting = &peer->waiting[i];
		if (waiting->call == NULL)
			continue;
		if (waiting->deadline_ms > now) {
			next = waiting->deadline_ms < next ? waiting->deadline_ms : next;
			continue;
		}
		bool sent = waiting->order <= peer->taken;
		bool writes = waiting->writes;
		struct kvrel_call *call = free_place(peer, i);
		call->scratch[0] = sent;
		call->scratch[1] = writes;
		call->next = list;
		list = call;
		peer->stale |= !sent;
	}
	peer->next_deadline_ms = next;
	return list;
}

void peer_fail_waiting(struct peer *peer, const char *reason)
{
	pthread_mutex_lock(&peer->lock);
	struct kvrel_call *list = take_out(peer, INT64_MAX);
	buf_clear(&peer->outbox);
	peer->stale = false;
	pthread_mutex_unlock(&peer->lock);
	while (list != NULL) {
		struct kvrel_call *call = list;
		list = call->next;
		if (call->scratch[0] == 0)
			call_error(call, "node '%s' is unreachable: %s", peer->name, reason);
		else if (call->scratch[1] != 0)
			call_error(call, "the link to node '%s' was lost before it answered: the outcome is unknown",
				   peer->name);
		else
			call_error(call, "the link to node '%s' was lost before it answered: %s", peer->name, reason);
	}
}

bool peer_expire(struct peer *peer, int64_t now, int64_t *next_ms)
{
	pthread_mutex_lock(&peer->lock);
	bool waits = peer->waiting_now > 0;
	struct kvrel_call *list = take_out(peer, now);
	*next_ms = peer->next_deadline_ms;
	pthread_mutex_unlock(&peer->lock);
	while (list != NULL) {
		struct kvrel_call *call = list;
		list = call->next;
		if (call->scratch[0] == 0)
			call_error(call, "node '%s' is unreachable: no link before the deadline", peer->name);
		else
			call_error(call, "node '%s' did not answer before the deadline%s", peer->name,
				   call->scratch[1] != 0 ? ": the outcome is unknown" : "");
	}
	return waits;
}

/* ---- sending: what the links' thread takes ---- */

void peer_drop_given_up(struct peer *peer)
{
	struct slice rest = buf_slice(&peer->outbox);
	struct slice payload;
	size_t kept = 0;
	size_t consumed;
	char type;
	for (; frame_next(rest, FRAME_MAX, &type, &payload, &consumed) == 1;
	     rest.data += consumed, rest.size -= consumed) {
		uint64_t id = frame_request_id(payload);
		const struct waiting *waiting = &peer->waiting[(uint32_t)id];
		if (waiting->call == NULL || waiting->generation != (uint32_t)(id >> 32))
			continue;
		memmove(peer->outbox.data + kept, rest.data, consumed);
		kept += consumed;
	}
	peer->outbox.size = kept;
	peer->stale = false;
}
