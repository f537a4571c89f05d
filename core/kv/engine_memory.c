/* SPDX-License-Identifier: MIT */
/*
 * The engine that forgets: hash tables under one lock, for caches and tests, and as the model that the durable engine's
 * answers are compared with. It does the obvious thing everywhere; speed is the other engine's business.
 */
#include "engine.h"

#include "glob.h"
#include "hash.h"
#include "listing.h"
#include "number.h"
#include "result.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct map {
	struct node **slots;
	size_t slot_count; /* a power of two, 0 at first */
	size_t count;
};

/* A bucket (keys, stays) or a key (value). */
struct node {
	struct node *next;
	uint64_t hash;
	struct map keys;
	bool stays;
	char *value;
	size_t value_size;
	size_t name_size;
	char name[];
};

struct memory {
	struct engine engine;
	pthread_mutex_t lock;
	struct map buckets;
	struct cursors *cursors;
	uint64_t list_max;
};

/* ---- the tables -------------------------------------------------------------------------------------------- */

static struct kvrel_slice name_of(const struct node *node)
{
	return (struct kvrel_slice){ node->name, node->name_size };
}

static struct kvrel_slice value_of(const struct node *node)
{
	return (struct kvrel_slice){ node->value, node->value_size };
}

static struct node **map_place(struct map *map, struct kvrel_slice name, uint64_t hash)
{
	struct node **place = &map->slots[hash & (map->slot_count - 1)];

	while (*place != NULL && ((*place)->hash != hash || (*place)->name_size != name.size ||
				  memcmp((*place)->name, name.data, name.size) != 0))
		place = &(*place)->next;
	return place;
}

static struct node *map_find(struct map *map, struct kvrel_slice name)
{
	return map->slot_count > 0 ? *map_place(map, name, hash_bytes(name.data, name.size, 0)) : NULL;
}

static bool map_grow(struct map *map)
{
	size_t slot_count = map->slot_count > 0 ? map->slot_count * 2 : 8;
	struct node **slots = calloc(slot_count, sizeof(struct node *));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < map->slot_count; i++) {
		while (map->slots[i] != NULL) {
			struct node *node = map->slots[i];

			map->slots[i] = node->next;
			node->next = slots[node->hash & (slot_count - 1)];
			slots[node->hash & (slot_count - 1)] = node;
		}
	}
	free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
	return true;
}

/* A node that was not there; NULL without memory. */
static struct node *map_add(struct map *map, struct kvrel_slice name)
{
	uint64_t hash = hash_bytes(name.data, name.size, 0);
	struct node *node;

	if (map->count >= map->slot_count && !map_grow(map))
		return NULL;
	node = calloc(1, sizeof(*node) + name.size);
	if (node == NULL)
		return NULL;
	node->hash = hash;
	node->name_size = name.size;
	memcpy(node->name, name.data, name.size);
	*map_place(map, name, hash) = node;
	map->count++;
	return node;
}

static void node_free(struct node *node);

static void map_done(struct map *map)
{
	for (size_t i = 0; i < map->slot_count; i++) {
		while (map->slots[i] != NULL) {
			struct node *node = map->slots[i];

			map->slots[i] = node->next;
			node_free(node);
		}
	}
	free(map->slots);
}

static void node_free(struct node *node)
{
	map_done(&node->keys);
	free(node->value);
	free(node);
}

static bool map_remove(struct map *map, struct kvrel_slice name)
{
	struct node **place, *node;

	if (map->slot_count == 0)
		return false;
	place = map_place(map, name, hash_bytes(name.data, name.size, 0));
	node = *place;
	if (node == NULL)
		return false;
	*place = node->next;
	map->count--;
	node_free(node);
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct node *left = *(struct node *const *)a, *right = *(struct node *const *)b;
	size_t shorter = left->name_size < right->name_size ? left->name_size : right->name_size;
	int order = memcmp(left->name, right->name, shorter);

	return order != 0 ? order : (left->name_size > right->name_size) - (left->name_size < right->name_size);
}

/* All nodes in order, for free(). */
static struct node **map_sorted(const struct map *map)
{
	struct node **sorted = malloc((map->count + 1) * sizeof(struct node *));
	size_t count = 0;

	for (size_t i = 0; sorted != NULL && i < map->slot_count; i++)
		for (struct node *node = map->slots[i]; node != NULL; node = node->next)
			sorted[count++] = node;
	if (sorted != NULL)
		qsort(sorted, count, sizeof(struct node *), by_name);
	return sorted;
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

static bool node_set(struct node *node, struct kvrel_slice value)
{
	char *copy = malloc(value.size + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, value.data, value.size);
	free(node->value);
	node->value = copy;
	node->value_size = value.size;
	return true;
}

static void leave_empty(struct memory *memory, struct node *bucket)
{
	if (!bucket->stays && bucket->keys.count == 0)
		map_remove(&memory->buckets, name_of(bucket));
}

/* The bucket to write to: NULL after the call was answered. */
static struct node *bucket_for_write(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = map_find(&memory->buckets, request->bucket);

	if (bucket == NULL && !(request->flags & ENGINE_MAKE)) {
		result_not_found(request->call);
	} else if (bucket == NULL) {
		bucket = map_add(&memory->buckets, request->bucket);
		if (bucket == NULL)
			result_error(request->call, "out of memory");
	}
	return bucket;
}

static void run_create(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = map_find(&memory->buckets, request->bucket);

	if (bucket == NULL)
		bucket = map_add(&memory->buckets, request->bucket);
	if (bucket == NULL) {
		result_error(request->call, "out of memory");
		return;
	}
	bucket->stays = true;
	result_nil(request->call);
}

static void run_put(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = bucket_for_write(memory, request);
	int64_t added = 0;

	if (bucket == NULL)
		return;
	for (uint32_t i = 0; i < request->item_count; i += 2) {
		struct node *node = map_find(&bucket->keys, request->items[i]);

		if (node != NULL && (request->flags & ENGINE_IF_NEW))
			continue;
		if (node == NULL) {
			node = map_add(&bucket->keys, request->items[i]);
			added++;
		}
		if (node == NULL || !node_set(node, request->items[i + 1])) {
			result_error(request->call, "out of memory");
			return;
		}
	}
	if (request->flags & ENGINE_COUNTED)
		result_int(request->call, added);
	else
		result_nil(request->call);
}

static void run_increment(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = bucket_for_write(memory, request), *node;
	char text[NUMBER_TEXT_MAX];
	int64_t number = 0;

	if (bucket == NULL)
		return;
	node = map_find(&bucket->keys, request->items[0]);
	if (node != NULL && !number_parse(value_of(node), &number)) {
		result_error(request->call, "hash value is not an integer");
	} else if (__builtin_add_overflow(number, request->delta, &number)) {
		result_error(request->call, "increment or decrement would overflow");
	} else {
		if (node == NULL)
			node = map_add(&bucket->keys, request->items[0]);
		if (node != NULL && node_set(node, (struct kvrel_slice){ text, number_print(number, text) }))
			result_int(request->call, number);
		else
			result_error(request->call, "out of memory");
	}
	leave_empty(memory, bucket);
}

static void run_delete(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = map_find(&memory->buckets, request->bucket);
	int64_t removed = 0;

	if (bucket == NULL && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	for (uint32_t i = 0; bucket != NULL && i < request->item_count; i++) {
		if (!map_remove(&bucket->keys, request->items[i]))
			continue;
		removed++;
		if (request->removed != NULL)
			request->removed[i] = true;
	}
	if (bucket != NULL)
		leave_empty(memory, bucket);
	if (request->flags & ENGINE_COUNTED)
		result_int(request->call, removed);
	else
		result_nil(request->call);
}

static void run_get_many(struct memory *memory, const struct engine_request *request, struct node *bucket)
{
	struct engine_scan scan = { .what = ENGINE_VALUES };
	struct listing listing;
	struct kvrel_result result;

	listing_init(&listing, memory->list_max);
	for (uint32_t i = 0; i < request->item_count; i++) {
		struct node *node = bucket != NULL ? map_find(&bucket->keys, request->items[i]) : NULL;

		if (node != NULL)
			listing_bytes(&listing, value_of(node));
		else
			listing_nil(&listing);
	}
	result = listing_result(&listing, &scan, 0, NULL);
	request->call->complete(request->call, &result);
	listing_done(&listing);
}

static void run_read(struct memory *memory, const struct engine_request *request)
{
	struct node *bucket = map_find(&memory->buckets, request->bucket), *node = NULL;

	if (bucket == NULL && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	if (request->kind == ENGINE_LENGTH) {
		result_int(request->call, bucket != NULL ? (int64_t)bucket->keys.count : 0);
		return;
	}
	if (request->kind == ENGINE_GET_MANY) {
		run_get_many(memory, request, bucket);
		return;
	}
	if (bucket != NULL)
		node = map_find(&bucket->keys, request->items[0]);
	if (request->kind == ENGINE_HAS)
		result_int(request->call, node != NULL);
	else if (request->kind == ENGINE_VALUE_SIZE)
		result_int(request->call, node != NULL ? (int64_t)node->value_size : 0);
	else if (node != NULL)
		result_bytes(request->call, value_of(node));
	else
		result_nil(request->call);
}

static bool comes_after(const struct node *node, struct kvrel_slice start)
{
	size_t shorter = node->name_size < start.size ? node->name_size : start.size;
	int order = start.data != NULL ? memcmp(node->name, start.data, shorter) : 1;

	return order > 0 || (order == 0 && node->name_size > start.size);
}

static uint64_t list_map(struct memory *memory, const struct map *map, const struct engine_scan *scan,
			 struct kvrel_slice start, struct listing *listing)
{
	struct node **sorted = map_sorted(map);
	uint64_t looked_at = 0, cursor = 0;

	listing->no_memory = sorted == NULL;
	for (size_t i = 0; sorted != NULL && i < map->count; i++) {
		if (!comes_after(sorted[i], start))
			continue;
		if (scan->match.data == NULL || glob_match(scan->match, name_of(sorted[i])))
			listing_entry(listing, scan->what, name_of(sorted[i]), value_of(sorted[i]));
		if (scan->stepwise && ++looked_at >= scan->count && i + 1 < map->count) {
			cursor = cursors_save(memory->cursors, name_of(sorted[i]));
			break;
		}
	}
	free(sorted);
	return cursor;
}

static void run_list(struct memory *memory, const struct engine_request *request)
{
	const struct engine_scan *scan = &request->scan;
	struct node *bucket = map_find(&memory->buckets, request->bucket);
	const struct map none = { 0 }, *map = scan->what == ENGINE_BUCKETS ? &memory->buckets
					      : bucket != NULL             ? &bucket->keys
									   : &none;
	struct kvrel_slice start = { NULL, 0 };
	struct listing listing;
	struct listing_step step;
	struct kvrel_result result;
	uint64_t cursor;

	if (map == &none && !(request->flags & ENGINE_LENIENT)) {
		result_not_found(request->call);
		return;
	}
	if (scan->cursor != 0) {
		start = cursors_find(memory->cursors, scan->cursor);
		if (start.data == NULL) {
			result_error(request->call, "invalid cursor");
			return;
		}
	}
	listing_init(&listing, memory->list_max);
	cursor = list_map(memory, map, scan, start, &listing);
	result = listing_result(&listing, scan, cursor, &step);
	request->call->complete(request->call, &result);
	listing_done(&listing);
	free((char *)start.data);
}

static void run_names(struct memory *memory, const struct engine_request *request)
{
	int64_t count = 0;

	for (uint32_t i = 0; i < request->item_count; i++)
		count += request->kind == ENGINE_DROP ? map_remove(&memory->buckets, request->items[i])
						      : map_find(&memory->buckets, request->items[i]) != NULL;
	result_int(request->call, count);
}

static void run_stats(struct memory *memory, const struct engine_request *request)
{
	struct engine_scan scan = { .what = ENGINE_PAIRS };
	char buckets[NUMBER_TEXT_MAX];
	struct listing listing;
	struct kvrel_result result;

	listing_init(&listing, UINT64_MAX);
	listing_entry(&listing, ENGINE_PAIRS, (struct kvrel_slice){ "engine", 6 }, (struct kvrel_slice){ "memory", 6 });
	listing_entry(&listing, ENGINE_PAIRS, (struct kvrel_slice){ "buckets", 7 },
		      (struct kvrel_slice){ buckets, number_print((int64_t)memory->buckets.count, buckets) });
	result = listing_result(&listing, &scan, 0, NULL);
	request->call->complete(request->call, &result);
	listing_done(&listing);
}

static void run_locked(struct memory *memory, const struct engine_request *request)
{
	switch (request->kind) {
	case ENGINE_CREATE:
		run_create(memory, request);
		break;
	case ENGINE_DROP:
	case ENGINE_EXISTS:
		run_names(memory, request);
		break;
	case ENGINE_PUT:
		run_put(memory, request);
		break;
	case ENGINE_INCREMENT:
		run_increment(memory, request);
		break;
	case ENGINE_DELETE:
		run_delete(memory, request);
		break;
	case ENGINE_GET:
	case ENGINE_GET_MANY:
	case ENGINE_HAS:
	case ENGINE_VALUE_SIZE:
	case ENGINE_LENGTH:
		run_read(memory, request);
		break;
	case ENGINE_LIST:
		run_list(memory, request);
		break;
	case ENGINE_COUNT:
		result_int(request->call, (int64_t)memory->buckets.count);
		break;
	case ENGINE_STATS:
		run_stats(memory, request);
		break;
	case ENGINE_SYNC:
	case ENGINE_BACKUP:
	case ENGINE_KIND_COUNT:
		result_error(request->call, "the memory engine keeps nothing on disk");
		break;
	}
}

static void memory_submit(struct engine *engine, const struct engine_request *request)
{
	struct memory *memory = (struct memory *)engine;

	pthread_mutex_lock(&memory->lock);
	run_locked(memory, request);
	pthread_mutex_unlock(&memory->lock);
}

static void memory_get(struct engine *engine, struct kvrel_call *call, uint32_t flags)
{
	memory_submit(engine, &(struct engine_request){ .kind = ENGINE_GET,
							.flags = flags,
							.call = call,
							.bucket = call->args[0],
							.items = call->args + 1,
							.item_count = 1 });
}

static void memory_prefetch(struct engine *engine, struct kvrel_call *call, struct kvrel_slice bucket,
			    struct kvrel_slice key)
{
	(void)engine, (void)call, (void)bucket, (void)key;
}

static void memory_batch_end(struct engine *engine, uint32_t worker)
{
	(void)engine, (void)worker;
}

static void memory_set_durability(struct engine *engine, enum engine_durability durability)
{
	(void)engine, (void)durability;
}

static void memory_close(struct engine *engine)
{
	struct memory *memory = (struct memory *)engine;

	map_done(&memory->buckets);
	cursors_free(memory->cursors);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static const struct engine_type memory_type = {
	.name = "memory",
	.prefetch = memory_prefetch,
	.submit = memory_submit,
	.get = memory_get,
	.batch_end = memory_batch_end,
	.set_durability = memory_set_durability,
	.close = memory_close,
};

int engine_memory_open(const struct engine_options *options, struct engine **out, struct kv_error *err)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return kv_fail(err, "out of memory");
	memory->cursors = cursors_new();
	if (memory->cursors == NULL) {
		free(memory);
		return kv_fail(err, "out of memory");
	}
	memory->engine.type = &memory_type;
	memory->list_max = options->list_max;
	pthread_mutex_init(&memory->lock, NULL);
	*out = &memory->engine;
	return 0;
}
