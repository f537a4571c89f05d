/* SPDX-License-Identifier: MIT */
/*
 * Writes of buckets that are watched. Such a write goes to the engine as a call of our own, which stands in for the
 * client's: when the engine acknowledges it, the feed is told first and the client answered after that. So a watcher
 * hears of nothing that failed, and engines know nothing of watchers.
 */
#include "watch.h"

#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct write {
	struct kvrel_call call; /* first */
	struct kvrel_call *original;
	struct watches *watches;
	enum engine_kind kind;
	uint32_t flags;
	bool *removed;  /* of the items, which of them a delete or a drop found */
	uint32_t count; /* of slices: the bucket, then the items */
	struct kvrel_slice slices[];
};

static void tell_keys(const struct write *write, struct feed *feed, const struct kvrel_result *result)
{
	char number[24];
	struct kvrel_slice value = { 0 };
	uint64_t before = write->watches->number;
	uint32_t step = write->kind == ENGINE_PUT ? 2 : 1;

	if ((write->flags & ENGINE_IF_NEW) != 0 && result->kind == KVREL_INT && result->integer == 0)
		return; /* nothing was changed */
	for (uint32_t i = 1; i + step <= write->count; i += step) {
		if (write->kind == ENGINE_DELETE && !write->removed[i - 1])
			continue;
		if (write->kind == ENGINE_PUT)
			value = write->slices[i + 1];
		if (write->kind == ENGINE_INCREMENT)
			value = (struct kvrel_slice){ number, (size_t)snprintf(number, sizeof(number), "%lld",
									       (long long)result->integer) };
		feed_add(write->watches, feed, write->slices[i], value, write->kind == ENGINE_DELETE);
	}
	if (write->watches->number != before)
		feed_answer(feed);
}

static void tell_dropped(const struct write *write)
{
	for (uint32_t i = 1; i < write->count; i++) {
		struct feed *feed = write->removed[i - 1] ? feed_find(write->watches, write->slices[i]) : NULL;

		if (feed != NULL)
			feed_drop(write->watches, feed);
	}
}

static void on_written(struct kvrel_call *call, const struct kvrel_result *result)
{
	struct write *write = (struct write *)call;
	struct watches *watches = write->watches;

	if (result->status == KVREL_OK) {
		pthread_mutex_lock(&watches->lock);
		struct feed *feed = feed_find(watches, write->slices[0]);
		if (write->kind == ENGINE_DROP)
			tell_dropped(write);
		else if (feed != NULL)
			tell_keys(write, feed, result);
		pthread_mutex_unlock(&watches->lock);
	}
	write->original->complete(write->original, result);
	free(write);
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
static struct write *write_new(struct watches *watches, const struct engine_request *request)
{
	uint32_t count = 1 + request->item_count;
	size_t bytes = request->bucket.size;
	struct write *write;
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
	struct write *write;

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
	engine->type->submit(engine, &copy);
}
