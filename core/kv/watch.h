/* SPDX-License-Identifier: MIT */
/*
 * Changes of buckets, for whoever wants to hear of them.
 *
 * A bucket that somebody watches has a feed: its last changes, numbered, and the calls that wait for the next one. Who
 * has seen everything up to a number asks for what came after it; so a watcher holds nothing here but one waiting call,
 * and one that is too slow finds that the feed has gone on without him, and is told so. A feed that nobody has asked
 * for a minute is forgotten; calls that still wait are answered with nothing first, since their watchers may be gone.
 * All feeds together hold so much and no more: the oldest change of all of them goes first. Nobody watches: writes pay
 * one load.
 *
 * A change is told when its write is acknowledged, and so are those that came before it in the store: writes take their
 * place in a queue when they take it in the engine, and leave it in that order. A delete tells of the keys that were
 * there.
 */
#ifndef KV_WATCH_H
#define KV_WATCH_H

#include "engine.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WATCH_BUCKETS = 4096 };

struct feed;
struct change;
struct watched_write;

struct watches {
	pthread_mutex_t lock;
	_Atomic unsigned feed_count;
	struct feed *feeds[WATCH_BUCKETS];
	uint64_t number;                    /* of the last change of all feeds */
	struct change *oldest, *newest;     /* of all feeds */
	size_t bytes;                       /* that all changes hold */
	struct watched_write *first, *last; /* that took their place and are not told */
	int64_t forgot_ms;                  /* when feeds that nobody asks for were looked for */
	int64_t forget_ms;                  /* nobody has asked for so long */
	bool closed;
};

void watches_init(struct watches *watches);
/* Whoever waits is told that the store stops. */
void watches_close(struct watches *watches);
void watches_done(struct watches *watches);

/* Makes a feed when there is none, and answers with the number to begin with. */
void watch_begin(struct watches *watches, struct kvrel_call *call, struct kvrel_slice bucket);
/* LIST: the number to go on with, then keys and values, NIL for one that is deleted; at once or later. */
void watch_next(struct watches *watches, struct kvrel_call *call, struct kvrel_slice bucket, uint64_t after);
/* Submits a request whose bucket may be watched. */
void watch_submit(struct watches *watches, struct engine *engine, const struct engine_request *request);

/* What watch_write.c tells the feeds, with the lock held. */
struct feed *feed_find(struct watches *watches, struct kvrel_slice bucket); /* NULL: nobody watches it */
void feed_add(struct watches *watches, struct feed *feed, struct kvrel_slice key, struct kvrel_slice value,
	      bool deleted);
/* Whoever waits hears what was added. */
void feed_answer(struct feed *feed);
/* The bucket was removed: whoever waits is told so. */
void feed_drop(struct watches *watches, struct feed *feed);

static inline bool watch_any(const struct watches *watches)
{
	return atomic_load_explicit(&watches->feed_count, memory_order_relaxed) > 0;
}

#endif
