/* SPDX-License-Identifier: MIT */
/*
 * Keys that the pages are known to hold. A write has to say whether its key was there; with more keys than memtables
 * hold, finding that in the tree costs more than the rest of the request. Where a key lies changes with every commit;
 * that it is there, only with a commit that takes keys out. So a table of hashes, which all workers share, answers for
 * hot keys, until such a commit makes it begin anew.
 *
 * A hash stands for its key: 64 bits, mixed with the bucket's id and with a random seed that nobody is told. Two keys
 * of a store that share one are not to be met with: with a million keys marked, one new key in 18 million million is
 * taken for one of them. The worst would be a count that is off by one.
 *
 * A key has two lines to be in. It goes into its first; what that pushes out goes into its own other one. So the table
 * can be nearly full and still lose next to nothing.
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

/* A key's first line, and its other one. */
static inline size_t presence_first(const struct presence *presence, uint64_t hash)
{
	return hash & presence->mask;
}

static inline size_t presence_other(const struct presence *presence, uint64_t hash)
{
	return (hash >> 27 ^ hash) & presence->mask;
}

static inline bool presence_has(const struct presence *presence, size_t line, uint64_t mark)
{
	for (unsigned way = 0; way < PRESENCE_WAYS; way++)
		if (atomic_load_explicit(&presence->lines[line][way], memory_order_relaxed) == mark)
			return true;
	return false;
}

/* `hash`: hash_in_bucket(), all of it. */
static inline bool presence_knows(const struct presence *presence, uint64_t hash)
{
	uint64_t mark = presence_mark(presence_generation(presence), hash);

	return presence->lines != NULL && (presence_has(presence, presence_first(presence, hash), mark) ||
					   presence_has(presence, presence_other(presence, hash), mark));
}

/* Notes what the pages hold; `generation` is of before that was seen. */
void presence_note(struct presence *presence, uint64_t generation, uint64_t hash);

/* Inlined by force: GCC takes the call of a function that only prefetches for one that does nothing, and leaves it out.
 */
static inline __attribute__((always_inline)) void presence_prefetch(const struct presence *presence, uint64_t hash)
{
	if (presence->lines == NULL)
		return;
	__builtin_prefetch((const void *)presence->lines[presence_first(presence, hash)]);
	__builtin_prefetch((const void *)presence->lines[presence_other(presence, hash)]);
}

/* Keys were taken out, and it is committed; before anybody can miss the write that did. */
static inline void presence_begin_anew(struct presence *presence)
{
	atomic_fetch_add_explicit(&presence->generation, 1, memory_order_release);
}

#endif
