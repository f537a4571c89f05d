/* SPDX-License-Identifier: MIT */
/*
 * Keys that the pages are known to hold. A write has to say whether its key was there; with more keys than memtables
 * hold, finding that in the tree costs more than the rest of the request. Where a key lies changes with every commit;
 * that it is there, only with a commit that takes keys out. So a table of hashes, which all workers share, answers for
 * hot keys, until such a commit makes it begin anew.
 *
 * A hash stands for its key: 64 bits, mixed with the bucket's id and with a random seed that nobody is told. Two keys
 * of a store that share one are not to be met with: with a million keys marked and a million new ones a second, once in
 * half a million years. The worst would be a count that is off by one.
 */
#ifndef KV_PRESENCE_H
#define KV_PRESENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRESENCE_WAYS = 8 }; /* of a cache line */

struct presence {
	_Atomic uint64_t (*lines)[PRESENCE_WAYS]; /* NULL: none are kept */
	size_t mask;
	_Atomic uint64_t generation; /* what was marked in an earlier one counts no more */
};

/* Of so many bytes at most. Without memory it knows nothing, which is slower, but as right. */
void presence_init(struct presence *presence, uint64_t bytes);
void presence_done(struct presence *presence);

/* To be asked before the snapshot that shows a key: later it would vouch for what has been taken out since. */
static inline uint64_t presence_generation(const struct presence *presence)
{
	return atomic_load_explicit(&presence->generation, memory_order_acquire);
}

static inline uint64_t presence_mark(uint64_t generation, uint64_t hash)
{
	return hash ^ generation * 0x9e3779b97f4a7c15u;
}

/* `hash`: hash_in_bucket(), all of it. */
static inline bool presence_knows(const struct presence *presence, uint64_t hash)
{
	uint64_t mark = presence_mark(presence_generation(presence), hash);

	if (presence->lines == NULL)
		return false;
	for (unsigned way = 0; way < PRESENCE_WAYS; way++)
		if (atomic_load_explicit(&presence->lines[hash & presence->mask][way], memory_order_relaxed) == mark)
			return true;
	return false;
}

/* What was noted last comes first in its line, and what was noted least lately goes. Two that note at once may lose
 * one.
 */
static inline void presence_note(struct presence *presence, uint64_t generation, uint64_t hash)
{
	uint64_t mark = presence_mark(generation, hash), before;

	if (presence->lines == NULL)
		return;
	for (unsigned way = 0; way < PRESENCE_WAYS; way++) {
		_Atomic uint64_t *place = &presence->lines[hash & presence->mask][way];

		before = atomic_load_explicit(place, memory_order_relaxed);
		atomic_store_explicit(place, mark, memory_order_relaxed);
		mark = before;
	}
}

static inline void presence_prefetch(const struct presence *presence, uint64_t hash)
{
	if (presence->lines != NULL)
		__builtin_prefetch((const void *)presence->lines[hash & presence->mask]);
}

/* Keys were taken out, and it is committed; before anybody can miss the write that did. */
static inline void presence_begin_anew(struct presence *presence)
{
	atomic_fetch_add_explicit(&presence->generation, 1, memory_order_release);
}

#endif
