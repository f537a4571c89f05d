/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include "result.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CHANGES_MAX = 1024, /* of one feed */
	CHANGES_BYTES = 4 << 20,
	ALL_BYTES = 64 << 20,  /* of all feeds */
	CHANGES_AT_ONCE = 128, /* in one answer */
	FEEDS_MAX = 65536,
	FORGET_MS = 60 * 1000,
	LOOK_MS = 1000,
	WAIT_MS = 10 * 1000, /* a waiting call is answered after this when another one comes: its client may be gone */
};

struct change {
	struct change *next, *previous; /* of its feed */
	struct change *newer, *older;   /* of all feeds */
	struct feed *feed;
	uint64_t number;
	size_t key_size, value_size;
	bool deleted;
	char bytes[];
};

struct feed {
	struct feed *next;
	struct change *oldest, *newest;
	size_t count, bytes;
	uint64_t lost;              /* the last change that is not kept any more, or that came before the feed */
	struct kvrel_call *waiting; /* scratch: the number it has seen, and since when it waits */
	int64_t asked_ms;
	size_t bucket_size;
	char bucket[];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- feeds; with the lock held ---- */

static struct feed **place_of(struct watches *watches, struct kvrel_slice bucket)
{
	uint32_t hash = 0x811c9dc5u;
	struct feed **place;

	for (size_t i = 0; i < bucket.size; i++)
		hash = (hash ^ (unsigned char)bucket.data[i]) * 0x01000193u;
	place = &watches->feeds[hash % WATCH_BUCKETS];
	while (*place != NULL && ((*place)->bucket_size != bucket.size ||
				  (bucket.size > 0 && memcmp((*place)->bucket, bucket.data, bucket.size) != 0)))
		place = &(*place)->next;
	return place;
}

static size_t bytes_of(const struct change *change)
{
	return sizeof(*change) + change->key_size + change->value_size;
}

static void add_newest(struct watches *watches, struct feed *feed, struct change *change)
{
	change->feed = feed;
	change->previous = feed->newest;
	*(feed->newest != NULL ? &feed->newest->next : &feed->oldest) = change;
	feed->newest = change;
	change->older = watches->newest;
	*(watches->newest != NULL ? &watches->newest->newer : &watches->oldest) = change;
	watches->newest = change;
	feed->count++;
	feed->bytes += bytes_of(change);
	watches->bytes += bytes_of(change);
}

static void drop_oldest(struct watches *watches, struct feed *feed)
{
	struct change *change = feed->oldest;

	feed->oldest = change->next;
	*(change->next != NULL ? &change->next->previous : &feed->newest) = NULL;
	*(change->older != NULL ? &change->older->newer : &watches->oldest) = change->newer;
	*(change->newer != NULL ? &change->newer->older : &watches->newest) = change->older;
	feed->count--;
	feed->bytes -= bytes_of(change);
	watches->bytes -= bytes_of(change);
	feed->lost = change->number;
	free(change);
}

static void drop_all(struct watches *watches, struct feed *feed)
{
	while (feed->oldest != NULL)
		drop_oldest(watches, feed);
}

static void feed_free(struct watches *watches, struct feed **place)
{
	struct feed *feed = *place;

	*place = feed->next;
	drop_all(watches, feed);
	free(feed);
	atomic_fetch_sub_explicit(&watches->feed_count, 1, memory_order_relaxed);
}

static void forget_old_ones(struct watches *watches, int64_t now)
{
	if (now - watches->forgot_ms < LOOK_MS)
		return;
	watches->forgot_ms = now;
	for (size_t i = 0; i < WATCH_BUCKETS; i++) {
		for (struct feed **place = &watches->feeds[i]; *place != NULL;) {
			struct feed *feed = *place;
			bool quiet = now - feed->asked_ms > watches->forget_ms;

			if (quiet && feed->waiting == NULL) {
				feed_free(watches, place);
				continue;
			}
			if (quiet) { /* who is still there asks again */
				feed_answer(feed);
				feed->asked_ms = now;
			}
			place = &feed->next;
		}
	}
}

static struct feed *feed_get(struct watches *watches, struct kvrel_slice bucket)
{
	int64_t now = now_ms();
	struct feed **place = place_of(watches, bucket), *feed = *place;

	if (feed == NULL) {
		forget_old_ones(watches, now);
		if (atomic_load_explicit(&watches->feed_count, memory_order_relaxed) >= FEEDS_MAX)
			return NULL;
		feed = calloc(1, sizeof(*feed) + bucket.size);
		if (feed == NULL)
			return NULL;
		feed->lost = watches->number;
		feed->bucket_size = bucket.size;
		if (bucket.size > 0)
			memcpy(feed->bucket, bucket.data, bucket.size);
		place = place_of(watches, bucket); /* others may have moved */
		*place = feed;
		atomic_fetch_add_explicit(&watches->feed_count, 1, memory_order_relaxed);
	}
	feed->asked_ms = now;
	return feed;
}

struct feed *feed_find(struct watches *watches, struct kvrel_slice bucket)
{
	return *place_of(watches, bucket);
}

void feed_add(struct watches *watches, struct feed *feed, struct kvrel_slice key, struct kvrel_slice value,
	      bool deleted)
{
	struct change *change = malloc(sizeof(*change) + key.size + value.size);

	if (change == NULL) { /* then it is lost, and watchers are told so */
		drop_all(watches, feed);
		feed->lost = ++watches->number;
		return;
	}
	*change = (struct change){
		.number = ++watches->number, .key_size = key.size, .value_size = value.size, .deleted = deleted
	};
	if (key.size > 0)
		memcpy(change->bytes, key.data, key.size);
	if (value.size > 0)
		memcpy(change->bytes + key.size, value.data, value.size);
	add_newest(watches, feed, change);
	while (feed->count > CHANGES_MAX || (feed->bytes > CHANGES_BYTES && feed->count > 1))
		drop_oldest(watches, feed);
	while (watches->bytes > ALL_BYTES && watches->oldest != change)
		drop_oldest(watches, watches->oldest->feed);
}

/* ---- answering; with the lock held, which is fine: completing a call runs no operation ---- */

/* Who waits has seen nearly all: the look begins at the end. */
static const struct change *first_after(const struct feed *feed, uint64_t after)
{
	const struct change *first = NULL;

	for (const struct change *c = feed->newest; c != NULL && c->number > after; c = c->previous)
		first = c;
	return first;
}

/* What came after `after`, also when it is nothing. */
static void answer(struct kvrel_call *call, const struct feed *feed, uint64_t after)
{
	struct kvrel_result items[1 + 2 * CHANGES_AT_ONCE];
	size_t count = 1;
	uint64_t number = after;

	for (const struct change *c = first_after(feed, after);
	     c != NULL && count + 2 <= sizeof(items) / sizeof(items[0]); c = c->next) {
		number = c->number;
		items[count++] = (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { c->bytes, c->key_size } };
		items[count++] = c->deleted
					 ? (struct kvrel_result){ .kind = KVREL_NIL }
					 : (struct kvrel_result){ .kind = KVREL_BYTES,
								  .bytes = { c->bytes + c->key_size, c->value_size } };
	}
	items[0] = (struct kvrel_result){ .kind = KVREL_INT, .integer = (int64_t)number };
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_LIST, .items = items, .count = count });
}

void feed_answer(struct feed *feed)
{
	struct kvrel_call *call = feed->waiting;

	feed->waiting = NULL;
	while (call != NULL) {
		struct kvrel_call *next = call->next;

		answer(call, feed, call->scratch[0]);
		call = next;
	}
}

static void answer_long_waiting(struct feed *feed, int64_t now)
{
	for (struct kvrel_call **place = &feed->waiting; *place != NULL;) {
		struct kvrel_call *call = *place;

		if (now - (int64_t)call->scratch[1] < WAIT_MS) {
			place = &call->next;
			continue;
		}
		*place = call->next;
		answer(call, feed, call->scratch[0]);
	}
}

static void refuse_waiting(struct feed *feed, const char *reason)
{
	struct kvrel_call *call = feed->waiting;

	feed->waiting = NULL;
	while (call != NULL) {
		struct kvrel_call *next = call->next;

		result_error(call, reason);
		call = next;
	}
}

void feed_drop(struct watches *watches, struct feed *feed)
{
	drop_all(watches, feed);
	feed->lost = ++watches->number;
	refuse_waiting(feed, "the bucket was removed");
}

/* ---- the public part ---- */

void watches_init(struct watches *watches)
{
	struct timespec now;

	pthread_mutex_init(&watches->lock, NULL);
	watches->forget_ms = FORGET_MS;
	/* numbers of an earlier life of the store must not look like ours */
	clock_gettime(CLOCK_REALTIME, &now);
	watches->number = (uint64_t)now.tv_sec << 24;
}

void watches_close(struct watches *watches)
{
	pthread_mutex_lock(&watches->lock);
	watches->closed = true;
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		for (struct feed *feed = watches->feeds[i]; feed != NULL; feed = feed->next)
			refuse_waiting(feed, "the store is stopping");
	pthread_mutex_unlock(&watches->lock);
}

void watches_done(struct watches *watches)
{
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		while (watches->feeds[i] != NULL)
			feed_free(watches, &watches->feeds[i]);
	pthread_mutex_destroy(&watches->lock);
}

void watch_begin(struct watches *watches, struct kvrel_call *call, struct kvrel_slice bucket)
{
	struct feed *feed;
	int64_t number = 0;

	pthread_mutex_lock(&watches->lock);
	feed = watches->closed ? NULL : feed_get(watches, bucket);
	if (feed != NULL)
		number = (int64_t)(feed->newest != NULL ? feed->newest->number : feed->lost);
	pthread_mutex_unlock(&watches->lock);
	if (feed != NULL)
		result_int(call, number);
	else
		result_error(call, "too many buckets are watched");
}

void watch_next(struct watches *watches, struct kvrel_call *call, struct kvrel_slice bucket, uint64_t after)
{
	int64_t now = now_ms();
	const char *problem = NULL;
	struct feed *feed;

	pthread_mutex_lock(&watches->lock);
	feed = watches->closed ? NULL : feed_get(watches, bucket);
	if (feed == NULL) {
		problem = watches->closed ? "the store is stopping" : "too many buckets are watched";
	} else if (after < feed->lost) {
		problem = "the subscriber is too slow: changes were lost";
	} else if (feed->newest != NULL && feed->newest->number > after) {
		answer(call, feed, after);
	} else {
		answer_long_waiting(feed, now);
		call->scratch[0] = after;
		call->scratch[1] = (uint64_t)now;
		call->next = feed->waiting;
		feed->waiting = call;
	}
	pthread_mutex_unlock(&watches->lock);
	if (problem != NULL)
		result_error(call, problem);
}
