/* SPDX-License-Identifier: MIT */
#include "memtable.h"

#include "array.h"
#include "mapped.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_INDEX_SLOTS = 1024, MAPPED_INDEX_SLOTS = 1 << 15, PAGE_BYTES = 4096 };

static size_t index_bytes(uint64_t slots)
{
	return sizeof(struct memtable_index) + slots * sizeof(_Atomic uint64_t);
}

/* Large ones are mapped, so that they leave no hole in the heap. */
static struct memtable_index *index_new(uint32_t slots, struct memtable_index *older)
{
	struct memtable_index *index;

	if (slots < MAPPED_INDEX_SLOTS)
		index = calloc(1, index_bytes(slots));
	else
		index = mapped_new(index_bytes(slots), MAPPED_WHOLE);
	if (index != NULL) {
		index->mask = slots - 1;
		index->older = older;
	}
	return index;
}

static void index_free(struct memtable_index *index)
{
	if (index->mask < MAPPED_INDEX_SLOTS - 1)
		free(index);
	else
		mapped_free(index, index_bytes((uint64_t)index->mask + 1));
}

static uint32_t entry_max(size_t size)
{
	return (uint32_t)(size / sizeof(struct record)); /* so many records fit, of empty keys and values */
}

/* The chain from this one on. */
static void indexes_free(struct memtable_index *index)
{
	for (struct memtable_index *older; index != NULL; index = older) {
		older = index->older;
		index_free(index);
	}
}

struct memtable_memory memtable_take_memory(struct memtable *memtable)
{
	struct memtable_index *index = atomic_load(&memtable->index);
	struct memtable_memory memory = { memtable->buffer, memtable->entries, memtable->size, index };

	memtable->buffer = NULL;
	memtable->entries = NULL;
	atomic_store(&memtable->index, NULL);
	indexes_free(index->older);
	index->older = NULL;
	memset((void *)index->slots, 0, ((size_t)index->mask + 1) * sizeof(index->slots[0]));
	return memory;
}

void memtable_memory_done(struct memtable_memory *memory)
{
	mapped_free(memory->buffer, memory->size);
	mapped_free(memory->entries, entry_max(memory->size) * sizeof(struct entry));
	indexes_free(memory->index);
	*memory = (struct memtable_memory){ 0 };
}

/* But for the first page, where headers are. */
static void forget(void *memory, size_t size)
{
	madvise((char *)memory + PAGE_BYTES, size - PAGE_BYTES, MADV_DONTNEED);
}

void memtable_forget(struct memtable *memtable)
{
	struct memtable_index *index = atomic_load(&memtable->index);

	forget(memtable->buffer, memtable->size);
	forget(memtable->entries, memtable->entry_max * sizeof(struct entry));
	if (index->mask >= MAPPED_INDEX_SLOTS - 1)
		forget(index, index_bytes((uint64_t)index->mask + 1));
}

/*
 * Its memory is in small pages: a writer meets each first, and a large one, which the kernel clears at once, keeps it
 * for hundreds of microseconds, on a virtual machine for milliseconds. Later the same memory is used again and again.
 */
struct memtable *memtable_new(uint64_t id, uint64_t number, uint64_t base, size_t size, int fd,
			      struct memtable_memory *memory)
{
	struct memtable *memtable = calloc(1, sizeof(*memtable));

	if (memtable == NULL)
		return NULL;
	memtable->id = id;
	memtable->number = number;
	memtable->base = base;
	memtable->size = size;
	memtable->fd = -1;
	atomic_init(&memtable->used, sizeof(struct segment_header));
	memtable->entry_max = entry_max(size);
	memtable->keys_max = MEMTABLE_KEYS;
	if (memory != NULL && memory->size == size) {
		memtable->buffer = memory->buffer;
		memtable->entries = memory->entries;
		atomic_init(&memtable->index, memory->index);
		*memory = (struct memtable_memory){ 0 };
	} else {
		memtable->buffer = mapped_new(size, MAPPED_AS_USED);
		memtable->entries = mapped_new(memtable->entry_max * sizeof(struct entry), MAPPED_AS_USED);
		atomic_init(&memtable->index, index_new(FIRST_INDEX_SLOTS, NULL));
	}
	if (memtable->buffer == NULL || memtable->entries == NULL || atomic_load(&memtable->index) == NULL) {
		memtable_free(memtable);
		return NULL;
	}
	memtable->fd = fd;
	return memtable;
}

void memtable_free(struct memtable *memtable)
{
	struct memtable_memory memory;

	if (memtable == NULL)
		return;
	if (memtable->fd >= 0)
		close(memtable->fd);
	memory = (struct memtable_memory){ memtable->buffer, memtable->entries, memtable->size,
					   atomic_load(&memtable->index) };
	memtable_memory_done(&memory);
	free(memtable->made.items);
	free(memtable->gone.items);
	free(memtable);
}

static void index_copy(struct memtable_index *to, const struct memtable_index *from)
{
	for (uint32_t at = 0; at <= from->mask; at++) {
		uint64_t slot = atomic_load_explicit(&from->slots[at], memory_order_relaxed);
		uint32_t i = (uint32_t)(slot >> 32) & to->mask;

		if (slot == 0)
			continue;
		while (atomic_load_explicit(&to->slots[i], memory_order_relaxed) != 0)
			i = (i + 1) & to->mask;
		atomic_store_explicit(&to->slots[i], slot, memory_order_relaxed);
	}
}

static bool list_reserve(struct bucket_list *list)
{
	struct bucket **grown = array_grow(list->items, list->count, &list->capacity, sizeof(struct bucket *));

	if (grown == NULL)
		return false;
	list->items = grown;
	return true;
}

void bucket_list_add(struct bucket_list *list, struct bucket *bucket)
{
	list->items[list->count++] = bucket;
}

bool memtable_reserve(struct memtable *memtable, uint32_t count)
{
	struct memtable_index *index = atomic_load(&memtable->index), *larger;
	uint32_t have = atomic_load(&memtable->entry_count);
	uint64_t needed = ((uint64_t)have + count) * 2, slots = (uint64_t)index->mask + 1;

	if (have + (uint64_t)count > memtable->entry_max || !list_reserve(&memtable->made) ||
	    !list_reserve(&memtable->gone))
		return false;
	if (needed <= slots)
		return true;
	while (slots < needed)
		slots *= 2;
	larger = index_new((uint32_t)slots, index);
	if (larger == NULL)
		return false;
	index_copy(larger, index);
	atomic_store_explicit(&memtable->index, larger, memory_order_release);
	return true;
}

void memtable_add_entry(struct memtable *memtable, struct bucket *bucket, uint32_t hash, const struct record *record,
			bool existed)
{
	uint32_t at = atomic_load_explicit(&memtable->entry_count, memory_order_relaxed);

	memtable->entries[at] = (struct entry){ .first = record,
						.bucket = bucket,
						.next = atomic_load_explicit(&bucket->chain, memory_order_relaxed),
						.hash = hash,
						.existed = existed };
	atomic_store_explicit(&memtable->entry_count, at + 1, memory_order_release);
	atomic_store_explicit(&bucket->chain, memtable->id << 32 | (at + 1), memory_order_release);
}
