/* SPDX-License-Identifier: MIT */
/*
 * A lane: the requests that the threads of one worker have made of one node, as bytes that have not left yet and as
 * calls that wait. A call leaves the table exactly once: by its reply, its deadline, or the loss of the link. The id in
 * a reply names lane, place and generation, so that a reply that comes too late finds nothing.
 *
 * What may be on its way is bounded for each node and for all of them. A lane takes of these bounds in pieces that are
 * larger than one request, so that workers meet there now and then only.
 */
#include "node/dist/internal.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST = 8 };

_Static_assert((size_t)LANES_MAX << LANE_SHIFT <= (size_t)1 << 32, "a lane fits into an id");
_Static_assert(WAITING_MAX <= 1 << LANE_SHIFT, "a place fits into an id");

/* ---- lanes of a peer ---- */

static struct lane *lane_new(struct peer *peer, uint32_t index)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	if (lane == NULL)
		return NULL;
	lane->peer = peer;
	lane->index = index;
	lane->first_free = NO_PLACE;
	lane->next_deadline_ms = INT64_MAX;
	pthread_mutex_init(&lane->lock, NULL);
	return lane;
}

void lane_free(struct lane *lane)
{
	if (lane == NULL)
		return;
	buf_done(&lane->outbox);
	free(lane->waiting);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

struct lane *lane_get(struct peer *peer, uint32_t worker)
{
	uint32_t index = worker == KVREL_NO_WORKER ? 0 : 1 + worker % (LANES_MAX - 1);
	struct lane *lane = atomic_load_explicit(&peer->lanes[index], memory_order_acquire);
	if (lane != NULL)
		return lane;
	pthread_mutex_lock(&peer->dist->lock);
	lane = atomic_load_explicit(&peer->lanes[index], memory_order_relaxed);
	if (lane == NULL && !peer->dist->closed && (lane = lane_new(peer, index)) != NULL)
		atomic_store_explicit(&peer->lanes[index], lane, memory_order_release);
	pthread_mutex_unlock(&peer->dist->lock);
	return lane;
}

void lane_for_all(struct peer *peer, void (*function)(struct lane *lane, void *context), void *context)
{
	for (unsigned i = 0; i < LANES_MAX; i++) {
		struct lane *lane = atomic_load_explicit(&peer->lanes[i], memory_order_acquire);
		if (lane != NULL)
			function(lane, context);
	}
}

/* ---- how much may be on its way ---- */

/* `size` of a bound; false when it is used up. The one that reaches it may pass it. */
static bool take_of(_Atomic size_t *used, size_t size, size_t most)
{
	if (atomic_fetch_add_explicit(used, size, memory_order_relaxed) < most)
		return true;
	atomic_fetch_sub_explicit(used, size, memory_order_relaxed);
	return false;
}

const char *lane_take_credit(struct lane *lane, size_t size)
{
	struct peer *peer = lane->peer;
	size_t needed = lane->in_flight + size;
	if (needed > lane->credit) {
		size_t more = needed - lane->credit > CREDIT_BYTES ? needed - lane->credit : CREDIT_BYTES;
		if (!take_of(&peer->credit, more, WINDOW_BYTES))
			return "too much is on its way there already";
		if (!take_of(&peer->dist->credit, more, peer->dist->memory_bytes / 2)) {
			atomic_fetch_sub_explicit(&peer->credit, more, memory_order_relaxed);
			return "too much is on its way to other nodes already (--dist-memory)";
		}
		lane->credit += more;
	}
	lane->in_flight = needed;
	return NULL;
}

/* What is far more than enough goes back; all of it when nothing is on its way. */
static void give_credit(struct lane *lane, size_t size)
{
	lane->in_flight -= size;
	size_t kept = lane->in_flight > 0 ? lane->in_flight + CREDIT_BYTES : 0;
	if (lane->credit <= kept + CREDIT_BYTES && kept > 0)
		return;
	atomic_fetch_sub_explicit(&lane->peer->credit, lane->credit - kept, memory_order_relaxed);
	atomic_fetch_sub_explicit(&lane->peer->dist->credit, lane->credit - kept, memory_order_relaxed);
	lane->credit = kept;
}

/* ---- the table ---- */

static bool grow_table(struct lane *lane)
{
	uint32_t capacity = lane->waiting_capacity == 0 ? TABLE_FIRST : lane->waiting_capacity * 2;
	struct waiting *grown = realloc(lane->waiting, capacity * sizeof(*grown));
	if (grown == NULL)
		return false;
	lane->waiting = grown;
	lane->waiting_capacity = capacity;
	return true;
}

uint32_t lane_take_place(struct lane *lane, uint32_t size)
{
	uint32_t place = lane->first_free;
	if (place != NO_PLACE) {
		lane->first_free = lane->waiting[place].next_free;
	} else if (lane->waiting_count < lane->waiting_capacity || grow_table(lane)) {
		place = lane->waiting_count++;
		lane->waiting[place] = (struct waiting){ 0 };
	} else {
		give_credit(lane, size);
		return NO_PLACE;
	}
	lane->waiting[place].size = size;
	lane->waiting_now++;
	return place;
}

struct kvrel_call *lane_free_place(struct lane *lane, uint32_t place)
{
	struct waiting *waiting = &lane->waiting[place];
	struct kvrel_call *call = waiting->call;
	waiting->call = NULL;
	waiting->generation++;
	waiting->next_free = lane->first_free;
	lane->first_free = place;
	lane->waiting_now--;
	give_credit(lane, waiting->size);
	return call;
}

static bool waits(const struct lane *lane, uint64_t id)
{
	uint32_t place = (uint32_t)id & ((1U << LANE_SHIFT) - 1);
	return place < lane->waiting_count && lane->waiting[place].call != NULL && lane_id(lane, place) == id;
}

struct kvrel_call *lane_answered(struct lane *lane, uint64_t id)
{
	return waits(lane, id) ? lane_free_place(lane, (uint32_t)id & ((1U << LANE_SHIFT) - 1)) : NULL;
}

static struct kvrel_call *take_out(struct lane *lane, int64_t now, int64_t patient_until_ms)
{
	struct kvrel_call *list = NULL;
	int64_t next = INT64_MAX;
	for (uint32_t i = 0; i < lane->waiting_count && lane->waiting_now > 0; i++) {
		const struct waiting *waiting = &lane->waiting[i];
		if (waiting->call == NULL)
			continue;
		if (waiting->deadline_ms > (waiting->patient ? patient_until_ms : now)) {
			next = waiting->deadline_ms < next ? waiting->deadline_ms : next;
			continue;
		}
		bool sent = waiting->order <= lane->taken;
		bool writes = waiting->writes;
		struct kvrel_call *call = lane_free_place(lane, i);
		call->scratch[0] = sent;
		call->scratch[1] = writes;
		call->next = list;
		list = call;
		lane->stale |= !sent;
	}
	lane->next_deadline_ms = next;
	return list;
}

struct kvrel_call *lane_take_out(struct lane *lane, int64_t now)
{
	return now < lane->next_deadline_ms ? NULL : take_out(lane, now, now);
}

struct kvrel_call *lane_take_impatient(struct lane *lane)
{
	return lane->waiting_now > 0 ? take_out(lane, INT64_MAX, 0) : NULL;
}

/* ---- what is not sent after all ---- */

/* Those of one frame that are still waited for, written anew. False: there is no memory for it. */
static bool copy_wanted(const struct lane *lane, struct slice payload, struct buf *out, struct frame_open *open)
{
	struct frame_request request;
	struct slice rest;
	bool whole = frame_get_shared(payload, &request, &rest);
	for (; whole && rest.size > 0; request.trace++) {
		whole = frame_get_request(&rest, &request);
		struct kvrel_slice *args = malloc((request.arg_count + 1) * sizeof(*args));
		if (args == NULL)
			return false;
		request.args = args;
		whole = whole && frame_get_args(&rest, args, request.arg_count) &&
			(!waits(lane, request.id) || frame_add_request(out, open, &request));
		free(args);
	}
	return whole;
}

void lane_drop_given_up(struct lane *lane)
{
	struct slice rest = buf_slice(&lane->outbox);
	struct buf kept = { 0 };
	struct frame_open open = { 0 };
	struct slice payload;
	size_t consumed;
	char type;
	bool whole = true;
	for (; whole && frame_next(rest, FRAME_MAX, &type, &payload, &consumed) == 1;
	     rest.data += consumed, rest.size -= consumed)
		whole = copy_wanted(lane, payload, &kept, &open);
	buf_done(&lane->outbox);
	lane->outbox = kept;
	lane->open = open;
	lane->outbox.failed |= !whole; /* the link then closes: better than to do what was given up */
	lane->stale = false;
}
