/* SPDX-License-Identifier: MIT */
/*
 * Requests that leave for another node, and what comes back. Any thread adds to the outbox of its lane, in the very
 * form in which it is sent, and to the lane's table of waiting calls; the links' thread takes the whole outbox at its
 * next wake-up. So a burst of requests of all workers costs one wake-up, one copy and one write. Replies are taken as
 * they come, in pieces: a lane is locked once for all of one piece that are for it.
 */
#include "node/dist/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRACES_AT_ONCE = 1024, ARG_BYTES = 5 /* what says how long one is, at most */ };

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

/* Of a request that begins here: one for all the nodes that it passes. Those of one thread follow each other. */
static uint64_t next_trace(struct dist *dist)
{
	static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
		uint64_t instance, next, end;
	} mine;
	if (mine.next == mine.end || mine.instance != dist->instance) {
		mine.instance = dist->instance;
		mine.next = atomic_fetch_add_explicit(&dist->traces, TRACES_AT_ONCE, memory_order_relaxed);
		mine.end = mine.next + TRACES_AT_ONCE;
	}
	return (dist->instance << 32) + mine.next++;
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
		out->seen[out->seen_count++] = (struct slice){ dist->name, dist->name_size };
	out->timeout_ms = request->timeout_ms;
	if (route != NULL) {
		int64_t left = route->deadline_ms - dist_now_ms();
		out->trace = route->trace;
		if (left < (int64_t)out->timeout_ms)
			out->timeout_ms = left > 0 ? (uint32_t)left : 0;
	} else {
		out->trace = next_trace(dist);
	}
	out->op = (struct slice){ op, 0 };
	if (request->component != NULL)
		out->op.size = join_name(op, request->component, request->op->name);
}

/* Of the bounds on what may be on its way. */
static uint32_t cost(const struct kvrel_call *call)
{
	size_t cost = WAITING_BYTES;
	for (uint32_t i = 0; i < call->arg_count && cost < FRAME_MAX; i++)
		cost += ARG_BYTES + call->args[i].size;
	return cost < FRAME_MAX ? (uint32_t)cost : FRAME_MAX;
}

/* NULL when it was added to what waits; else why not. */
static const char *add(struct lane *lane, struct kvrel_call *call, const struct dist_request *what,
		       struct frame_request *request, bool *wake)
{
	uint32_t size = cost(call);
	const char *problem = lane->closed ? "this node is stopping" : lane_take_credit(lane, size);
	if (problem != NULL)
		return problem;
	uint32_t place = lane_take_place(lane, size);
	if (place == NO_PLACE)
		return "out of memory";
	struct waiting *waiting = &lane->waiting[place];
	request->id = lane_id(lane, place);
	if (!frame_add_request(&lane->outbox, &lane->open, request)) {
		lane_free_place(lane, place);
		lane->outbox.failed = false;
		return "the request is too large for a link between nodes";
	}
	waiting->call = call;
	waiting->deadline_ms = dist_now_ms() + request->timeout_ms;
	waiting->order = ++lane->order;
	waiting->patient = what->direct || what->component == NULL;
	lane->urgent |= waiting->patient;
	waiting->writes = what->op != NULL && (what->op->flags & KVREL_OP_WRITE) != 0;
	if (waiting->deadline_ms < lane->next_deadline_ms)
		lane->next_deadline_ms = waiting->deadline_ms;
	*wake = !lane->queued;
	lane->queued = true;
	return NULL;
}

static void queue_work(struct lane *lane)
{
	struct dist *dist = lane->peer->dist;
	struct lane *head = atomic_load_explicit(&dist->work, memory_order_relaxed);
	do
		lane->next_work = head;
	while (!atomic_compare_exchange_weak_explicit(&dist->work, &head, lane, memory_order_release,
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
	const char *problem = "this node is stopping";
	struct lane *lane = lane_get(peer, call->worker);
	if (lane != NULL) {
		pthread_mutex_lock(&lane->lock);
		problem = add(lane, call, what, &request, &wake);
		pthread_mutex_unlock(&lane->lock);
	}
	if (problem != NULL)
		call_error(call, "node '%s' was not asked: %s", peer->name, problem);
	else if (wake)
		queue_work(lane);
}

/* ---- answering ---- */

void answers_give(struct dist *dist)
{
	struct answers *answers = &dist->answers;
	unsigned count = answers->count;
	if (answers->lane == NULL)
		return;
	pthread_mutex_unlock(&answers->lane->lock);
	answers->lane = NULL;
	answers->count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct kvrel_call *call = answers->items[i].call;
		call->complete(call, &answers->items[i].result);
	}
}

void answers_add(struct peer *peer, uint64_t id, const struct kvrel_result *result)
{
	struct answers *answers = &peer->dist->answers;
	uint32_t index = (uint32_t)id >> LANE_SHIFT;
	struct lane *lane = atomic_load_explicit(&peer->lanes[index], memory_order_acquire);
	if (lane == NULL)
		return;
	if (lane != answers->lane) {
		answers_give(peer->dist);
		pthread_mutex_lock(&lane->lock);
		answers->lane = lane;
	}
	struct kvrel_call *call = lane_answered(lane, id);
	if (call == NULL)
		return;
	answers->items[answers->count].call = call;
	answers->items[answers->count++].result = *result;
	if (answers->count == ANSWERS_MAX || result->count > 0) /* the next one's items take the place of these */
		answers_give(peer->dist);
}

static void fail_calls(struct kvrel_call *list, const char *name, const char *reason)
{
	while (list != NULL) {
		struct kvrel_call *call = list;
		list = call->next;
		if (call->scratch[0] == 0)
			call_error(call, "node '%s' is unreachable: %s", name, reason);
		else if (call->scratch[1] != 0)
			call_error(call, "the link to node '%s' was lost before it answered: the outcome is unknown",
				   name);
		else
			call_error(call, "the link to node '%s' was lost before it answered: %s", name, reason);
	}
}

static void fail_lane(struct lane *lane, void *context)
{
	pthread_mutex_lock(&lane->lock);
	struct kvrel_call *list = lane_take_out(lane, INT64_MAX);
	buf_clear(&lane->outbox);
	lane->open = (struct frame_open){ 0 };
	lane->stale = false;
	pthread_mutex_unlock(&lane->lock);
	fail_calls(list, lane->peer->name, context);
}

static void fail_impatient(struct lane *lane, void *context)
{
	pthread_mutex_lock(&lane->lock);
	struct kvrel_call *list = lane_take_impatient(lane);
	pthread_mutex_unlock(&lane->lock);
	fail_calls(list, lane->peer->name, context);
}

static void fail_lanes(struct peer *peer, void (*fail)(struct lane *lane, void *context), const char *reason)
{
	char kept[REASON_BYTES]; /* who is told may bring about another one */
	snprintf(kept, sizeof(kept), "%s", reason);
	lane_for_all(peer, fail, kept);
}

void peer_fail_waiting(struct peer *peer, const char *reason)
{
	fail_lanes(peer, fail_lane, reason);
}

void peer_fail_impatient(struct peer *peer, const char *reason)
{
	fail_lanes(peer, fail_impatient, reason);
}

struct expiry {
	int64_t now, next_ms;
	bool waits;
};

static void tell_late(struct peer *peer, int64_t now)
{
	enum { AGAIN_MS = 60 * 1000 };
	if (peer->late_told_ms != 0 && now - peer->late_told_ms < AGAIN_MS)
		return;
	peer->late_told_ms = now;
	log_warn("dist", LOG_NONE, "node %s does not answer requests before their deadline", peer->name);
}

static void expire_lane(struct lane *lane, void *context)
{
	struct expiry *expiry = context;
	const char *name = lane->peer->name;
	pthread_mutex_lock(&lane->lock);
	expiry->waits |= lane->waiting_now > 0;
	struct kvrel_call *list = lane_take_out(lane, expiry->now);
	if (lane->next_deadline_ms < expiry->next_ms)
		expiry->next_ms = lane->next_deadline_ms;
	pthread_mutex_unlock(&lane->lock);
	if (list != NULL)
		tell_late(lane->peer, expiry->now);
	while (list != NULL) {
		struct kvrel_call *call = list;
		list = call->next;
		if (call->scratch[0] == 0)
			call_error(call, "node '%s' is unreachable: no link before the deadline", name);
		else
			call_error(call, "node '%s' did not answer before the deadline%s", name,
				   call->scratch[1] != 0 ? ": the outcome is unknown" : "");
	}
}

bool peer_expire(struct peer *peer, int64_t now, int64_t *next_ms)
{
	struct expiry expiry = { .now = now, .next_ms = INT64_MAX };
	lane_for_all(peer, expire_lane, &expiry);
	*next_ms = expiry.next_ms;
	return expiry.waits;
}
