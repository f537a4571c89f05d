/* SPDX-License-Identifier: MIT */
/*
 * One segment of the log in memory, with an index: the writes that the store does not hold yet.
 *
 * The buffer is the segment file's image. The index leads from a key of a bucket to the record written last; an entry,
 * of which each key has one, tells all keys, and those of a bucket, in the order in which they came. Writers hold the
 * store's write lock. Readers take no lock: records and entries never change once they can be found, both and the
 * index's slots are published with release stores, an index that grew is replaced as a whole, and nothing is freed
 * before the epoch allows it.
 *
 * Entries and buffer are reserved at their largest and take memory as they are used.
 */
#ifndef KV_MEMTABLE_H
#define KV_MEMTABLE_H

#include "bucket.h"
#include "bytes.h"
#include "record.h"

struct entry {
	const struct record *first; /* of this memtable: it has the key; memtable_newest() has the rest */
	struct bucket *bucket;
	uint64_t next; /* of the same bucket, older: as bucket->chain */
	uint32_t hash;
	uint32_t existed; /* the key was there before this memtable began */
};

/* A slot is hash << 32 | where in the buffer the record is, in units of RECORD_ALIGN; 0 is empty. Never more than half
 * full. */
struct memtable_index {
	struct memtable_index *older;
	uint32_t mask;
	_Atomic uint64_t slots[];
};

/* Where a key is, or would go. Good as long as the index does not grow and, the latter, no other key takes the place.
 */
struct memtable_place {
	const struct record *record; /* NULL: it is not there */
	struct memtable_index *index;
	uint32_t at;
};

struct bucket_list {
	struct bucket **items;
	size_t count, capacity;
};

struct memtable {
	uint64_t id;     /* 1, 2, 3 … since the start */
	uint64_t number; /* of the segment */
	uint64_t base;   /* position of the first frame */
	char *buffer;
	size_t size;         /* of buffer and file */
	_Atomic size_t used; /* grows under the write lock; final once frozen */
	int fd;              /* -1: it has no file, and stays empty (rotate_first) */
	size_t written;      /* under the log's write_out lock */
	size_t synced;       /* under its sync lock; after a start: what marks prove */
	size_t flushed;      /* handed to the disk; under the sync lock */
	_Atomic bool frozen;
	bool replayed;    /* after a start: the entries' `existed` is of the log, not of the pages */
	int64_t began_ms; /* time of the first write; 0: none */
	bool half_full;   /* the applying thread knows */
	bool deleted;     /* a key was, in here */

	struct entry *entries;
	uint32_t entry_max;
	uint32_t keys_max; /* so many make it full */
	_Atomic uint32_t entry_count;
	_Atomic(struct memtable_index *) index;

	_Atomic(struct memtable *) older; /* followed down to the first that the store does not hold only */
	_Atomic(struct memtable *) newer;

	struct bucket_list made; /* buckets that began to exist in this segment */
	struct bucket_list gone; /* that vanished or were dropped in it */
};

/*
 * So many keys at least make a memtable full, whatever room is left in its segment: an entry and its place in the index
 * cost more memory than a small record. Writes to keys that it knows already go on to the segment's end. A large store
 * allows more, in proportion to its pages, each of which is to be written for many keys and not for one; but only so
 * many, since a start reads two memtables or three. And about as many as an index has room for: a few more would double
 * it.
 */
enum {
	MEMTABLE_KEYS = 100 << 10,
	MEMTABLE_KEYS_LARGE = 128 << 10,
	MEMTABLE_KEYS_MOST = 400 << 10,
	MEMTABLE_KEYS_A_PAGE = 20,
	MEMTABLE_FULL = 1024
};

/* Of a store of so many pages. */
static inline uint32_t memtable_keys_for(uint64_t leaf_pages)
{
	uint64_t wanted = leaf_pages * MEMTABLE_KEYS_A_PAGE, keys = MEMTABLE_KEYS_LARGE;

	if (wanted <= MEMTABLE_KEYS)
		return MEMTABLE_KEYS;
	while (keys < MEMTABLE_KEYS_MOST && wanted >= keys + keys / 2)
		keys *= 2;
	return keys < MEMTABLE_KEYS_MOST ? (uint32_t)keys : MEMTABLE_KEYS_MOST;
}

static inline bool memtable_is_large(const struct memtable *memtable)
{
	return memtable->keys_max > MEMTABLE_KEYS;
}

/*
 * Buffer, entries and index of a memtable that is gone, for the next one: the kernel need not find and clear them
 * again, which costs a writer more than what it writes there. Zeroed: none.
 */
struct memtable_memory {
	char *buffer;
	struct entry *entries;
	size_t size;
	struct memtable_index *index; /* empty */
};

/*
 * With an empty buffer behind room for the header. NULL without memory. Takes over fd, and `memory` if it is of the
 * right size (may be NULL).
 */
struct memtable *memtable_new(uint64_t id, uint64_t number, uint64_t base, size_t size, int fd,
			      struct memtable_memory *memory);
void memtable_free(struct memtable *memtable);
/* Takes the memory out of a memtable that is about to be freed, and that nobody else can see. */
struct memtable_memory memtable_take_memory(struct memtable *memtable);
void memtable_memory_done(struct memtable_memory *memory);
/* Gives back what an empty one has of earlier ones; under the write lock. */
void memtable_forget(struct memtable *memtable);

/* Lets `count` further entries be set, and one bucket be made and gone, without failing. */
bool memtable_reserve(struct memtable *memtable, uint32_t count);
/* Of a key that it does not have yet. */
void memtable_add_entry(struct memtable *memtable, struct bucket *bucket, uint32_t hash, const struct record *record,
			bool existed);
void bucket_list_add(struct bucket_list *list, struct bucket *bucket);

/* How full it is, by bytes or by keys, of MEMTABLE_FULL. */
static inline unsigned memtable_fill(const struct memtable *memtable)
{
	uint64_t bytes = (uint64_t)memtable->used * MEMTABLE_FULL / memtable->size,
		 keys = (uint64_t)atomic_load_explicit(&memtable->entry_count, memory_order_relaxed) * MEMTABLE_FULL /
			memtable->keys_max;

	return (unsigned)(bytes > keys ? bytes : keys);
}

static inline uint64_t memtable_position(const struct memtable *memtable, const void *in_buffer)
{
	return memtable->base + (uint64_t)((const char *)in_buffer - memtable->buffer) - sizeof(struct segment_header);
}

static inline uint64_t memtable_end(const struct memtable *memtable)
{
	return memtable->base + memtable->used - sizeof(struct segment_header);
}

/* ---- looking up: here, since every request does it ---- */

static inline uint64_t memtable_slot(const struct memtable *memtable, uint32_t hash, const struct record *record)
{
	return (uint64_t)hash << 32 | (uint64_t)((const char *)record - memtable->buffer) / RECORD_ALIGN;
}

static inline const struct record *memtable_record(const struct memtable *memtable, uint64_t slot)
{
	return (const struct record *)(const void *)(memtable->buffer + (size_t)(uint32_t)slot * RECORD_ALIGN);
}

/* What memtable_find() finds, and where it looked. */
static inline struct memtable_place memtable_locate(const struct memtable *memtable, const struct bucket *bucket,
						    uint32_t hash, struct kvrel_slice key)
{
	struct memtable_index *index = atomic_load_explicit(&memtable->index, memory_order_acquire);
	uint32_t mask = index->mask, i = hash & mask;
	uint64_t slot;

	for (; (slot = atomic_load_explicit(&index->slots[i], memory_order_acquire)) != 0; i = (i + 1) & mask) {
		const struct record *record = memtable_record(memtable, slot);

		if (slot >> 32 == hash && record->key_size == key.size && record_owner(record) == bucket->id &&
		    same_bytes(record->bytes, key.data, key.size))
			return (struct memtable_place){ record, index, i };
	}
	return (struct memtable_place){ NULL, index, i };
}

/* `record` is the key's newest from now on; `place` is what memtable_locate() said, under the write lock. */
static inline void memtable_set(struct memtable *memtable, const struct memtable_place *place, struct bucket *bucket,
				uint32_t hash, const struct record *record, bool existed)
{
	atomic_store_explicit(&place->index->slots[place->at], memtable_slot(memtable, hash, record),
			      memory_order_release);
	if (place->record == NULL)
		memtable_add_entry(memtable, bucket, hash, record, existed);
}

/* Brings up to date what memtable_locate() said before the write lock was taken. */
static inline void memtable_relocate(const struct memtable *memtable, struct memtable_place *place,
				     const struct bucket *bucket, uint32_t hash, struct kvrel_slice key)
{
	uint64_t slot = atomic_load_explicit(&place->index->slots[place->at], memory_order_relaxed);
	bool grown = place->index != atomic_load_explicit(&memtable->index, memory_order_relaxed);

	if (grown || (place->record == NULL && slot != 0))
		*place = memtable_locate(memtable, bucket, hash, key);
	else if (place->record != NULL)
		place->record = memtable_record(memtable, slot);
}

/* The newest record of the key, NULL: it is not there. */
static inline const struct record *memtable_find(const struct memtable *memtable, const struct bucket *bucket,
						 uint32_t hash, struct kvrel_slice key)
{
	return memtable_locate(memtable, bucket, hash, key).record;
}

static inline const struct record *memtable_newest(const struct memtable *memtable, const struct entry *entry)
{
	return memtable_find(memtable, entry->bucket, entry->hash, record_key(entry->first));
}

/* Touches what memtable_find() will look at first. */
static inline void memtable_prefetch(const struct memtable *memtable, uint32_t hash)
{
	const struct memtable_index *index = atomic_load_explicit(&memtable->index, memory_order_acquire);

	__builtin_prefetch(&index->slots[hash & index->mask]);
}

/* The record that memtable_find() will probably find, from the index alone. */
static inline const struct record *memtable_peek(const struct memtable *memtable, uint32_t hash)
{
	const struct memtable_index *index = atomic_load_explicit(&memtable->index, memory_order_acquire);
	uint32_t mask = index->mask;
	uint64_t slot;

	for (uint32_t i = hash & mask; (slot = atomic_load_explicit(&index->slots[i], memory_order_acquire)) != 0;
	     i = (i + 1) & mask)
		if (slot >> 32 == hash)
			return memtable_record(memtable, slot);
	return NULL;
}

#endif
