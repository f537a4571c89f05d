/* SPDX-License-Identifier: MIT */
/*
 * The order in which a memtable goes into the pages: LMDB's own, so that it touches each page once. Comparing keys
 * where they lie would cost a cache miss or two each time; so every item carries the eight bytes in which its bucket's
 * keys begin to differ, and mostly these decide.
 */
#include "apply.h"

#include <endian.h>
#include <stdlib.h>

enum { COMMON_MAX = 256 }; /* well within what the pages keep of a long key */

static int item_compare(const void *a, const void *b, void *pages)
{
	const struct item *left = a, *right = b;

	if (left->bucket != right->bucket)
		return left->bucket < right->bucket ? -1 : 1;
	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	return page_key_compare(pages, record_key(left->record), record_key(right->record));
}

static int bucket_compare(const void *a, const void *b)
{
	const struct bucket *left = *(struct bucket *const *)a, *right = *(struct bucket *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

static bool died_here(const struct apply *apply, const struct bucket *bucket)
{
	return bucket_is(bucket, BUCKET_DEAD) && bucket->died < memtable_end(apply->memtable);
}

/* Shortens what the bucket's keys are known to have in common. */
static void note_common(struct bucket *bucket, const struct record *record, uint64_t memtable)
{
	size_t size = record->key_size < COMMON_MAX ? record->key_size : COMMON_MAX;

	if (bucket->common.memtable != memtable) {
		bucket->common.memtable = memtable;
		bucket->common.key = record->bytes;
		bucket->common.size = size;
		return;
	}
	if (bucket->common.size < size)
		size = bucket->common.size;
	if (memcmp(bucket->common.key, record->bytes, size) != 0)
		for (size_t i = 0;; i++)
			if (bucket->common.key[i] != record->bytes[i]) {
				size = i;
				break;
			}
	bucket->common.size = size;
}

static uint64_t order_of(const struct bucket *bucket, const struct record *record)
{
	size_t left = record->key_size - bucket->common.size;
	uint64_t order = 0;

	memcpy(&order, record->bytes + bucket->common.size, left < sizeof(order) ? left : sizeof(order));
	return be64toh(order);
}

int apply_init(struct apply *apply, struct durable *store, struct memtable *memtable)
{
	uint32_t count = atomic_load(&memtable->entry_count);

	*apply = (struct apply){ .store = store, .memtable = memtable, .state = store->pages.state };
	apply->items = malloc(((size_t)count + 1) * sizeof(*apply->items));
	if (apply->items == NULL)
		return ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct entry *entry = &memtable->entries[i];
		const struct record *record = atomic_load(&entry->record);

		if (died_here(apply, entry->bucket))
			continue;
		apply->items[apply->count++] = (struct item){
			.bucket = entry->bucket->id, .record = record, .node = entry->bucket, .existed = entry->existed
		};
		note_common(entry->bucket, record, memtable->id);
		apply->directory_count += entry->bucket->id == 0;
	}
	for (size_t i = 0; i < apply->count; i++)
		apply->items[i].order = order_of(apply->items[i].node, apply->items[i].record);
	qsort_r(apply->items, apply->count, sizeof(*apply->items), item_compare, &store->pages);
	if (memtable->made.count > 0)
		qsort(memtable->made.items, memtable->made.count, sizeof(struct bucket *), bucket_compare);
	return 0;
}

void apply_done(struct apply *apply)
{
	free(apply->items);
	free(apply->undo);
}
