/* SPDX-License-Identifier: MIT */
/*
 * Buckets in memory: those that were touched since the start. A node is one life of a bucket: dropping a bucket that
 * holds keys ends it, and the next bucket of that name is another node with another id, so that the old keys are out of
 * reach at once and can be cleared away later.
 *
 * Names are found without a lock, added and taken out under the store's write lock. A bucket that exists never leaves
 * the table; one that is gone leaves it when the store no longer holds it and no reader can see an older store
 * (apply.c).
 */
#ifndef KV_BUCKET_H
#define KV_BUCKET_H

#include "kvrel/component.h"

#include <stdatomic.h>

enum bucket_state {
	BUCKET_EXISTS = 1,
	BUCKET_STAYS = 2,   /* made by create: not gone with its last key */
	BUCKET_DEAD = 4,    /* dropped with keys */
	BUCKET_LEAVING = 8, /* taken out of the table: look the name up again */
	BUCKET_GHOST = 16,  /* replay only: a life that the store already knows is over */
};

struct bucket {
	uint64_t id;
	uint64_t hash; /* of the name */
	_Atomic uint32_t state;
	_Atomic uint32_t several; /* odd while a request of several keys is being written */
	_Atomic int64_t count;    /* keys */
	_Atomic uint64_t changed; /* position in or behind its last write; 0: none since the start */
	_Atomic uint64_t began;   /* position in what made it: that a key is missing rests on it; 0: before the start */
	_Atomic uint64_t chain;   /* newest memtable entry of this bucket: memtable id << 32 | entry + 1 */
	uint64_t announced;       /* id of the memtable whose segment knows the name; under the write lock */
	uint64_t died;            /* position of the drop */
	struct {                  /* what the store holds; the applying thread's */
		bool there;
		uint8_t stays;
		int64_t count;
		uint64_t touched; /* the transaction that has its undo record */
	} stored;
	struct { /* what keys to be applied begin with; the applying thread's */
		uint64_t memtable;
		const char *key;
		size_t size;
	} common;
	uint32_t name_size;
	char name[];
};

static inline struct kvrel_slice bucket_name(const struct bucket *bucket)
{
	return (struct kvrel_slice){ bucket->name, bucket->name_size };
}

static inline bool bucket_is(const struct bucket *bucket, uint32_t state)
{
	return (atomic_load_explicit(&bucket->state, memory_order_acquire) & state) != 0;
}

/* Its name leads to it, whether it exists or not. */
static inline bool bucket_is_current(const struct bucket *bucket)
{
	return !bucket_is(bucket, BUCKET_DEAD | BUCKET_LEAVING);
}

static inline bool bucket_exists(const struct bucket *bucket)
{
	return bucket != NULL && bucket_is(bucket, BUCKET_EXISTS);
}

/*
 * A request of several keys is to be seen as a whole. Its writer says when it begins and when it has ended, under the
 * store's write lock; who reads several keys asks before and after (read_whole() does).
 */
static inline void bucket_several(struct bucket *bucket)
{
	atomic_fetch_add_explicit(&bucket->several, 1, memory_order_acq_rel);
}

static inline uint32_t bucket_several_before(const struct bucket *bucket)
{
	return atomic_load_explicit(&bucket->several, memory_order_acquire);
}

/* Whether no such request was being written since. Whatever was read in between was read by acquiring loads. */
static inline bool bucket_was_whole(const struct bucket *bucket, uint32_t before)
{
	return before % 2 == 0 && atomic_load_explicit(&bucket->several, memory_order_acquire) == before;
}

/* NULL without memory. */
struct bucket *bucket_new(struct kvrel_slice name, uint64_t hash, uint64_t id);

struct bucket_array;
struct bucket_table {
	_Atomic(struct bucket_array *) array;
};

int bucket_table_init(struct bucket_table *table);
/* Frees the nodes that are in it. */
void bucket_table_done(struct bucket_table *table);
struct bucket *bucket_table_find(const struct bucket_table *table, struct kvrel_slice name, uint64_t hash);
/* Puts it in, in place of a node of the same name. The old one is the caller's. False without memory. */
bool bucket_table_set(struct bucket_table *table, struct bucket *bucket);
/* Takes it out if it is what its name leads to. */
void bucket_table_remove(struct bucket_table *table, const struct bucket *bucket);
/*
 * What larger or fresher arrays have replaced, for bucket_arrays_free() when every reader that is inside has left.
 * NULL: nothing.
 */
struct bucket_array *bucket_table_take_old(struct bucket_table *table);
void bucket_arrays_free(struct bucket_array *array);

#endif
