/* SPDX-License-Identifier: MIT */
/*
 * The order in which a memtable goes into the pages: LMDB's own, so that it touches each page once. Comparing keys
 * where they lie would cost a cache miss or two each time; so every item carries the eight bytes in which its bucket's
 * keys begin to differ, and the items are sorted by these, byte by byte from the last one on, without any comparison.
 * What they leave equal is compared.
 */
#include "apply.h"
#include "mapped.h"

#include <endian.h>
#include <stdlib.h>

enum {
	COMMON_MAX = 256, /* well within what the pages keep of a long key */
	RECORDS_AHEAD = 16,
	RADIX = 256,
	ITEMS_A_PIECE = 512, /* between two looks at the clock */
};

void sort_memory_done(struct sort_memory *memory)
{
	mapped_free(memory->items, memory->capacity * sizeof(struct item));
	mapped_free(memory->other, memory->capacity * sizeof(struct item));
	*memory = (struct sort_memory){ 0 };
}

static bool sort_memory_reserve(struct sort_memory *memory, size_t count)
{
	if (memory->capacity >= count)
		return true;
	sort_memory_done(memory);
	memory->items = mapped_new(count * sizeof(struct item), MAPPED_WHOLE);
	memory->other = mapped_new(count * sizeof(struct item), MAPPED_WHOLE);
	memory->capacity = count;
	if (memory->items != NULL && memory->other != NULL)
		return true;
	sort_memory_done(memory);
	return false;
}

/* ---- what is to be sorted ----------------------------------------------------------------------------------- */

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

/* Bytes of a value that could stay where it is. */
static uint32_t far_bytes(const struct record *record)
{
	return record_has_value(record) && record->value_size >= FAR_VALUE_MIN ? record->value_size : 0;
}

/* What finding the newest records of the next entries will touch, in the memtable or in the one after it. */
static void fetch_ahead(const struct memtable *entries_of, const struct memtable *memtable, uint32_t at, uint32_t count)
{
	const struct entry *entry = &entries_of->entries[at];
	const struct record *record;

	if (at + 2 * RECORDS_AHEAD < count) {
		memtable_prefetch(memtable, entry[2 * RECORDS_AHEAD].hash);
		__builtin_prefetch(entry[2 * RECORDS_AHEAD].first);
	}
	if (at + RECORDS_AHEAD < count && (record = memtable_peek(memtable, entry[RECORDS_AHEAD].hash)) != NULL)
		__builtin_prefetch(record);
}

static void collect(struct apply *apply, uint32_t count)
{
	const struct memtable *memtable = apply->memtable;
	uint64_t far = 0, overtaken = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct entry *entry = &memtable->entries[i];
		const struct record *record;

		if (i % ITEMS_A_PIECE == 0)
			pace_rest(&apply->pace, 0, count);
		fetch_ahead(memtable, apply->next != NULL ? apply->next : memtable, i, count);
		if (died_here(apply, entry->bucket))
			continue;
		if (apply->next != NULL && is_overtaken(memtable, apply->next, entry)) {
			overtaken++;
			continue;
		}
		record = memtable_newest(memtable, entry);
		apply->items[apply->count++] = (struct item){ .bucket = entry->bucket->id,
							      .entry = i,
							      .existed = entry->existed,
							      .record = (uint32_t)memtable_slot(memtable, 0, record) };
		note_common(entry->bucket, record, memtable->id);
		apply->directory_count += entry->bucket->id == 0;
		far += far_bytes(record);
	}
	apply->far = far >= memtable->size / FAR_SEGMENT_PART;
	atomic_fetch_add(&apply->store->applier.overtaken, overtaken);
}

static void set_orders(struct apply *apply)
{
	const struct memtable *memtable = apply->memtable;
	struct item *items = apply->items;

	for (size_t i = 0; i < apply->count; i++) {
		if (i % ITEMS_A_PIECE == 0)
			pace_rest(&apply->pace, 0, apply->count);
		if (i + RECORDS_AHEAD < apply->count)
			__builtin_prefetch(memtable_record(memtable, items[i + RECORDS_AHEAD].record));
		items[i].order =
			order_of(memtable->entries[items[i].entry].bucket, memtable_record(memtable, items[i].record));
	}
}

/* ---- sorting ------------------------------------------------------------------------------------------------ */

/* Byte `byte` of bucket (8 to 15) or order (0 to 7), counted from the lowest. */
static inline uint8_t digit(const struct item *item, unsigned byte)
{
	return (uint8_t)((byte < 8 ? item->order : item->bucket) >> (byte % 8 * 8));
}

/* By one byte, from `items` to `sorted`, equal ones as they were. */
static void sort_by_byte(struct apply *apply, const struct item *items, struct item *sorted, unsigned byte)
{
	size_t starts[RADIX] = { 0 }, start = 0;

	for (size_t i = 0; i < apply->count; i++)
		starts[digit(&items[i], byte)]++;
	for (unsigned i = 0; i < RADIX; i++) {
		size_t count = starts[i];

		starts[i] = start;
		start += count;
	}
	for (size_t i = 0; i < apply->count; i++) {
		if (i % ITEMS_A_PIECE == 0)
			pace_rest(&apply->pace, 0, apply->count);
		sorted[starts[digit(&items[i], byte)]++] = items[i];
	}
}

static int item_compare(const void *a, const void *b, void *context)
{
	const struct apply *apply = context;
	const struct item *left = a, *right = b;

	return page_key_compare(&apply->store->pages, record_key(memtable_record(apply->memtable, left->record)),
				record_key(memtable_record(apply->memtable, right->record)));
}

/* Those that `order` does not tell apart. */
static void sort_equal(struct apply *apply)
{
	for (size_t i = 0, end; i < apply->count; i = end) {
		const struct item *first = &apply->items[i];

		for (end = i + 1; end < apply->count; end++)
			if (apply->items[end].bucket != first->bucket || apply->items[end].order != first->order)
				break;
		if (end - i > 1)
			qsort_r(&apply->items[i], end - i, sizeof(struct item), item_compare, apply);
	}
}

static void sort_items(struct apply *apply, struct item *other)
{
	struct item *items = apply->items;
	uint64_t orders = 0, buckets = 0;

	for (size_t i = 0; i < apply->count; i++) {
		orders |= items[i].order ^ items[0].order;
		buckets |= items[i].bucket ^ items[0].bucket;
	}
	for (unsigned byte = 0; byte < 16; byte++) {
		if (((byte < 8 ? orders : buckets) >> (byte % 8 * 8) & 0xff) == 0)
			continue;
		sort_by_byte(apply, items, other, byte);
		apply->items = other;
		other = items;
		items = apply->items;
	}
	sort_equal(apply);
}

static int bucket_compare(const void *a, const void *b)
{
	const struct bucket *left = *(struct bucket *const *)a, *right = *(struct bucket *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

static bool keep_segment(const struct apply *apply)
{
	const struct memtable *memtable = apply->memtable;
	const struct value_row row = { .base = memtable->base, .size = memtable->size, .used = memtable->used };

	return values_add(apply->store->pages.values, memtable->number, &row);
}

int apply_init(struct apply *apply, struct durable *store, struct memtable *memtable, const struct memtable *next)
{
	struct sort_memory *memory = &store->applier.sorting;
	uint32_t count = atomic_load(&memtable->entry_count);

	*apply = (struct apply){ .store = store, .memtable = memtable, .next = next, .state = store->pages.state };
	pace_begin(&apply->pace, store, memtable);
	if (!sort_memory_reserve(memory, (size_t)count + 1))
		return ENOMEM;
	apply->items = memory->items;
	collect(apply, count);
	set_orders(apply);
	sort_items(apply, memory->other);
	if (apply->far && !keep_segment(apply))
		return ENOMEM;
	if (memtable->made.count > 0)
		qsort(memtable->made.items, memtable->made.count, sizeof(struct bucket *), bucket_compare);
	return 0;
}

void apply_done(struct apply *apply)
{
	free(apply->undo);
	apply->undo = NULL;
}
