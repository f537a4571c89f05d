/* SPDX-License-Identifier: MIT */
/*
 * Another node as the links' thread sees it: who it is, its link, when to try again after a failure. What waits for it
 * is in waiting.c.
 */
#include "node/dist/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_AGAIN_MS = 60 * 1000, SHRINK_BYTES = 1 << 20 };

/* ---- the table of peers ---- */

static unsigned bucket_of(struct slice name)
{
	uint64_t hash = name.size;
	for (uint64_t part; name.size > 0; name.data += sizeof(part), name.size -= sizeof(part)) {
		part = 0;
		if (name.size < sizeof(part)) {
			memcpy(&part, name.data, name.size);
			name.size = sizeof(part);
		} else {
			memcpy(&part, name.data, sizeof(part));
		}
		hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return hash % PEER_BUCKETS;
}

struct peer *peer_find(struct dist *dist, struct slice name)
{
	struct peer *peer = atomic_load_explicit(&dist->peers[bucket_of(name)], memory_order_acquire);
	while (peer != NULL && (peer->name_size != name.size || memcmp(peer->name, name.data, name.size) != 0))
		peer = peer->next;
	return peer;
}

static struct peer *peer_new(struct dist *dist, const char *name)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->name = strdup(name);
	if (peer->name == NULL) {
		free(peer);
		return NULL;
	}
	peer->name_size = strlen(name);
	peer->dist = dist;
	return peer;
}

struct peer *peer_get(struct dist *dist, const char *name)
{
	struct peer *peer = peer_find(dist, slice_of(name));
	if (peer != NULL)
		return peer;
	pthread_mutex_lock(&dist->lock);
	peer = peer_find(dist, slice_of(name));
	if (peer == NULL && !dist->closed && dist->peer_count < PEERS_MAX && (peer = peer_new(dist, name)) != NULL) {
		_Atomic(struct peer *) *bucket = &dist->peers[bucket_of(slice_of(name))];
		peer->next = atomic_load_explicit(bucket, memory_order_relaxed);
		atomic_store_explicit(bucket, peer, memory_order_release);
		dist->peer_count++;
	}
	pthread_mutex_unlock(&dist->lock);
	return peer;
}

void peer_free(struct peer *peer)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		lane_free(atomic_load_explicit(&peer->lanes[i], memory_order_relaxed));
	free(peer->name);
	free(peer);
}

/* ---- its link; the links' thread ---- */

/* With the lane's lock held. */
static void take_outbox(struct lane *lane, struct link *link)
{
	if (lane->stale)
		lane_drop_given_up(lane);
	lane->taken = lane->order;
	lane->open = link->replies = (struct frame_open){ 0 };
	if (link->out.size == 0) {
		struct buf empty = link->out;
		link->out = lane->outbox;
		lane->outbox = empty;
	} else {
		buf_append_slice(&link->out, buf_slice(&lane->outbox));
		link->out.failed |= lane->outbox.failed;
		buf_clear(&lane->outbox);
	}
	if (lane->outbox.capacity > SHRINK_BYTES)
		buf_done(&lane->outbox);
	link_touch(link);
}

/* Of a link that has just come about. The lane may be in dist.work, and then stays there: it is `queued` until then. */
static void send_outbox(struct lane *lane, void *context)
{
	pthread_mutex_lock(&lane->lock);
	take_outbox(lane, context);
	pthread_mutex_unlock(&lane->lock);
}

void peer_work(struct lane *lane, int64_t now)
{
	struct peer *peer = lane->peer;
	dist_hurry(peer->dist);
	pthread_mutex_lock(&lane->lock);
	bool urgent = lane->urgent;
	lane->queued = lane->urgent = false;
	if (peer->link != NULL && peer->link->state == LINK_UP)
		take_outbox(lane, peer->link);
	pthread_mutex_unlock(&lane->lock);
	if (peer->link != NULL)
		peer_check_patience(peer, now);
	else if (urgent || now >= peer->retry_at_ms)
		link_open(peer);
	else if (!peer->held_off)
		peer_fail_waiting(peer, peer->reason);
}

/* A node that hangs, or whose host is gone, would hold each request for as long as an attempt takes. */
void peer_check_patience(struct peer *peer, int64_t now)
{
	if (peer->link->state < LINK_UP && peer->failures > 0 && now - peer->opened_ms >= PATIENCE_MS)
		peer_fail_impatient(peer, peer->reason);
}

void peer_up(struct peer *peer, struct link *link)
{
	peer->link = link;
	peer->failures = 0;
	peer->wanted = true;
	peer->told_ms = 0;
	atomic_store_explicit(&peer->up, true, memory_order_relaxed);
	log_info("dist", LOG_FIELDS(LOG_S("peer", link->address), LOG_S("opened_by", link->ours ? "us" : "it")),
		 "linked to %s", peer->name);
	lane_for_all(peer, send_outbox, link);
}

/* Doubled each time up to a limit, and never the same for two nodes that lost each other at once. */
static int64_t retry_delay(const struct peer *peer)
{
	struct dist *dist = peer->dist;
	int64_t delay = RETRY_FIRST_MS;
	for (unsigned i = 1; i < peer->failures && delay < RETRY_MOST_MS; i++)
		delay *= 2;
	delay = delay < RETRY_MOST_MS ? delay : RETRY_MOST_MS;
	dist->jitter = dist->jitter * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
	return delay / 2 + (int64_t)((dist->jitter >> 33) % (uint64_t)delay);
}

void peer_lost(struct peer *peer, bool was_up, const char *reason)
{
	int64_t now = dist_now_ms();
	peer->link = NULL;
	peer->held_off = false;
	peer->failures++;
	peer->retry_at_ms = now + retry_delay(peer);
	snprintf(peer->reason, sizeof(peer->reason), "%s", reason);
	atomic_store_explicit(&peer->up, false, memory_order_relaxed);
	if (was_up && peer->dist->stopping)
		log_debug("dist", LOG_NONE, "the link to %s is closed", peer->name);
	else if (was_up)
		log_warn("dist", LOG_FIELDS(LOG_S("reason", reason)), "the link to %s is lost", peer->name);
	else if (peer->told_ms == 0 || now - peer->told_ms >= TOLD_AGAIN_MS)
		log_warn("dist", LOG_FIELDS(LOG_S("reason", reason)), "node %s is unreachable", peer->name);
	if (!was_up)
		peer->told_ms = peer->told_ms == 0 || now - peer->told_ms >= TOLD_AGAIN_MS ? now : peer->told_ms;
	if (peer->failures > RETRY_TIMES)
		peer->wanted = false;
	peer_fail_waiting(peer, reason);
}

static void close_lane(struct lane *lane, void *context)
{
	(void)context;
	pthread_mutex_lock(&lane->lock);
	lane->closed = true;
	pthread_mutex_unlock(&lane->lock);
}

/* No lane is made any more: the dist is closed. */
void peer_close(struct peer *peer)
{
	lane_for_all(peer, close_lane, NULL);
	peer_fail_waiting(peer, "this node is stopping");
}
