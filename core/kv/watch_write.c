/* SPDX-License-Identifier: MIT */
/*
 * Writes of buckets that are watched. Such a write goes to the engine as a call of our own, which stands in for the
 * client's: when the engine acknowledges it, the feed is told first and the client answered after that, unless a write
 * that came before it, of another worker, is still to be acknowledged: then that one's tells of both. So a watcher
 * hears of nothing that failed, of all else in the order of the store, and engines know nothing of watchers.
 */
#include "watch.h"

#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watched_write {
	struct kvrel_call call; /* first */
	struct kvrel_call *original;
	struct watches *watches;
	enum engine_kind kind;
	uint32_t flags;
	bool *removed;              /* of the items, which of them a delete or a drop found */
	struct watched_write *next; /* that took its place after this one */
	bool placed, done;          /* placed: it is in the queue; done: the rest is known */
	enum kvrel_status status;
	int64_t integer; /* of the result */
	bool is_integer;
	uint32_t count; /* of slices: the bucket, then the items */
	struct kvrel_slice slices[];
};

static void tell_keys(const struct watched_write *write, struct feed *feed)
{
	char number[24];
	struct kvrel_slice value = { 0 };
	uint64_t before = write->watches->number;
	uint32_t step = write->kind == ENGINE_PUT ? 2 : 1;

	if ((write->flags & ENGINE_IF_NEW) != 0 && write->is_integer && write->integer == 0)
		return; /* nothing was changed */
	for (uint32_t i = 1; i + step <= write->count; i += step) {
		if (write->kind == ENGINE_DELETE && !write->removed[i - 1])
			continue;
		if (write->kind == ENGINE_PUT)
			value = write->slices[i + 1];
		if (write->kind == ENGINE_INCREMENT)
			value = (struct kvrel_slice){ number, (size_t)snprintf(number, sizeof(number), "%lld",
									       (long long)write->integer) };
		feed_add(write->watches, feed, write->slices[i], value, write->kind == ENGINE_DELETE);
	}
	if (write->watches->number != before)
		feed_answer(feed);
}

static void tell_dropped(const struct watched_write *write)
{
	for (uint32_t i = 1; i < write->count; i++) {
		struct feed *feed = write->removed[i - 1] ? feed_find(write->watches, write->slices[i]) : NULL;

		if (feed != NULL)
			feed_drop(write->watches, feed);
	}
}

static void tell(const struct watched_write *write)
{
	struct feed *feed = feed_find(write->watches, write->slices[0]);

	if (write->kind == ENGINE_DROP)
		tell_dropped(write); /* also where a later one could not be dropped */
	else if (feed != NULL && write->status == KVREL_OK)
		tell_keys(write, feed);
}

/* With the lock held: all that is known, up to the first write that is not. */
static void tell_placed(struct watches *watches)
{
	while (watches->first != NULL && watches->first->done) {
		struct watched_write *write = watches->first;

		watches->first = write->next;
		if (watches->first == NULL)
			watches->last = NULL;
		tell(write);
		free(write);
	}
}

static void on_placed(struct kvrel_call *call)
{
	struct watched_write *write = (struct watched_write *)call;
	struct watches *watches = write->watches;

	pthread_mutex_lock(&watches->lock);
	write->placed = true;
	*(watches->last != NULL ? &watches->last->next : &watches->first) = write;
	watches->last = write;
	pthread_mutex_unlock(&watches->lock);
}

static void on_written(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct watched_write *write = (struct watched_write *)call;
	struct watches *watches = write->watches;
	struct kvrel_call *original = write->original;

	pthread_mutex_lock(&watches->lock);
	write->status = result->status;
	write->is_integer = result->kind == KVREL_INT;
	write->integer = write->is_integer ? result->integer : 0;
	write->done = true;
	if (write->placed) {
		tell_placed(watches);
	} else {
		tell(write);
		free(write);
	}
	pthread_mutex_unlock(&watches->lock);
	original->complete(original, result);
}

static bool is_watched(struct watches *watches, const struct engine_request *request)
{
	bool found = request->kind == ENGINE_DROP;

	if (!found && request->kind != ENGINE_PUT && request->kind != ENGINE_DELETE &&
	    request->kind != ENGINE_INCREMENT)
		return false;
	pthread_mutex_lock(&watches->lock);
	found = found || feed_find(watches, request->bucket) != NULL;
	pthread_mutex_unlock(&watches->lock);
	return found;
}

/* Arguments are gone when the write is acknowledged: what will be told is copied. */
static struct watched_write *write_new(struct watches *watches, const struct engine_request *request)
{
	uint32_t count = 1 + request->item_count;
	size_t bytes = request->bucket.size;
	struct watched_write *write;
	char *to;

	for (uint32_t i = 0; i < request->item_count; i++)
		bytes += request->items[i].size;
	write = malloc(sizeof(*write) + count * sizeof(write->slices[0]) + bytes + request->item_count * sizeof(bool));
	if (write == NULL)
		return NULL;
	write->call = *request->call; /* with what prefetching found */
	write->call.complete = on_written;
	write->original = request->call;
	write->watches = watches;
	write->next = NULL;
	write->placed = write->done = false;
	write->kind = request->kind;
	write->flags = request->flags;
	write->count = count;
	to = (char *)&write->slices[count];
	for (uint32_t i = 0; i < count; i++) {
		struct kvrel_slice from = i == 0 ? request->bucket : request->items[i - 1];

		if (from.size > 0)
			memcpy(to, from.data, from.size);
		write->slices[i] = (struct kvrel_slice){ to, from.size };
		to += from.size;
	}
	write->removed = memset(to, 0, request->item_count * sizeof(bool));
	return write;
}

void watch_submit(struct watches *watches, struct engine *engine, const struct engine_request *request)
{
	struct engine_request copy = *request;
	struct watched_write *write;

	if (!is_watched(watches, request)) {
		engine->type->submit(engine, request);
		return;
	}
	write = write_new(watches, request);
	if (write == NULL) {
		result_error(request->call, "out of memory");
		return;
	}
	copy.call = &write->call;
	copy.removed = write->removed;
	copy.placed = on_placed;
	engine->type->submit(engine, &copy);
}
