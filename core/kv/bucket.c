/* SPDX-License-Identifier: MIT */
/*
 * Open addressing over pointers. A full array, be it of buckets or of places where they were, is replaced by a new one
 * and left to whoever is reading it.
 */
#include "bucket.h"

#include <stdlib.h>
#include <string.h>

struct bucket_array {
	struct bucket_array *older;
	size_t mask;
	size_t used; /* slots that are not NULL, removed ones included */
	_Atomic(struct bucket *) slots[];
};

/* Where a node was: searches go on behind it. */
static struct bucket removed;

struct bucket *bucket_new(struct kvrel_slice name, uint64_t hash, uint64_t id)
{
	struct bucket *bucket = calloc(1, sizeof(*bucket) + name.size);

	if (bucket == NULL)
		return NULL;
	bucket->id = id;
	bucket->hash = hash;
	bucket->name_size = (uint32_t)name.size;
	if (name.size > 0)
		memcpy(bucket->name, name.data, name.size);
	return bucket;
}

static struct bucket_array *array_new(size_t size, struct bucket_array *older)
{
	struct bucket_array *array = calloc(1, sizeof(*array) + size * sizeof(array->slots[0]));

	if (array != NULL) {
		array->mask = size - 1;
		array->older = older;
	}
	return array;
}

int bucket_table_init(struct bucket_table *table)
{
	struct bucket_array *array = array_new(64, NULL);

	atomic_init(&table->array, array);
	return array != NULL ? 0 : -1;
}

void bucket_table_done(struct bucket_table *table)
{
	struct bucket_array *array = atomic_load(&table->array);

	for (size_t i = 0; array != NULL && i <= array->mask; i++) {
		struct bucket *bucket = atomic_load(&array->slots[i]);

		if (bucket != &removed)
			free(bucket);
	}
	bucket_arrays_free(array);
	atomic_store(&table->array, NULL);
}

void bucket_arrays_free(struct bucket_array *array)
{
	while (array != NULL) {
		struct bucket_array *older = array->older;

		free(array);
		array = older;
	}
}

struct bucket_array *bucket_table_take_old(struct bucket_table *table)
{
	struct bucket_array *array = atomic_load(&table->array), *old = array->older;

	array->older = NULL;
	return old;
}

static bool is_named(const struct bucket *bucket, struct kvrel_slice name, uint64_t hash)
{
	return bucket != &removed && bucket->hash == hash && bucket->name_size == name.size &&
	       (name.size == 0 || memcmp(bucket->name, name.data, name.size) == 0);
}

/* The slot of that name, or the empty one that ends the search. */
static size_t slot_of(const struct bucket_array *array, struct kvrel_slice name, uint64_t hash)
{
	size_t i = hash & array->mask;
	const struct bucket *bucket;

	while ((bucket = atomic_load_explicit(&array->slots[i], memory_order_acquire)) != NULL &&
	       !is_named(bucket, name, hash))
		i = (i + 1) & array->mask;
	return i;
}

struct bucket *bucket_table_find(const struct bucket_table *table, struct kvrel_slice name, uint64_t hash)
{
	const struct bucket_array *array = atomic_load_explicit(&table->array, memory_order_acquire);

	return atomic_load_explicit(&array->slots[slot_of(array, name, hash)], memory_order_acquire);
}

static struct bucket_array *grow(struct bucket_table *table)
{
	struct bucket_array *old = atomic_load(&table->array), *array;
	size_t live = 0;

	for (size_t i = 0; i <= old->mask; i++) {
		const struct bucket *bucket = atomic_load(&old->slots[i]);

		live += bucket != NULL && bucket != &removed;
	}
	array = array_new(live * 4 > old->mask ? (old->mask + 1) * 2 : old->mask + 1, old);
	for (size_t i = 0; array != NULL && i <= old->mask; i++) {
		struct bucket *bucket = atomic_load(&old->slots[i]);

		if (bucket == NULL || bucket == &removed)
			continue;
		atomic_store(&array->slots[slot_of(array, bucket_name(bucket), bucket->hash)], bucket);
		array->used++;
	}
	if (array != NULL)
		atomic_store_explicit(&table->array, array, memory_order_release);
	return array;
}

bool bucket_table_set(struct bucket_table *table, struct bucket *bucket)
{
	struct bucket_array *array = atomic_load(&table->array);
	size_t slot;

	if (array->used * 2 > array->mask && (array = grow(table)) == NULL)
		return false;
	slot = slot_of(array, bucket_name(bucket), bucket->hash);
	if (atomic_load(&array->slots[slot]) == NULL)
		array->used++;
	atomic_store_explicit(&array->slots[slot], bucket, memory_order_release);
	return true;
}

void bucket_table_remove(struct bucket_table *table, const struct bucket *bucket)
{
	struct bucket_array *array = atomic_load(&table->array);
	size_t slot = slot_of(array, bucket_name(bucket), bucket->hash);

	if (atomic_load(&array->slots[slot]) == bucket)
		atomic_store_explicit(&array->slots[slot], &removed, memory_order_release);
}
