/* SPDX-License-Identifier: MIT */
/*
 * When memory that readers walk without locks may go: readers say when they begin and when they hold nothing any more
 * (once a wake-up each), and whoever takes something out of reach waits until everybody who might still see it has said
 * so.
 */
#ifndef KV_EPOCH_H
#define KV_EPOCH_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct epoch_reader {
	_Alignas(64) _Atomic uint64_t entered; /* the epoch it began in, 0 outside */
	_Atomic uint64_t turns;                /* how often it began */
};

struct epoch {
	_Atomic uint64_t now; /* begins at 1 */
};

static inline void epoch_enter(struct epoch *epoch, struct epoch_reader *reader)
{
	uint64_t turns = atomic_load_explicit(&reader->turns, memory_order_relaxed);

	atomic_store_explicit(&reader->turns, turns + 1, memory_order_relaxed);
	atomic_store(&reader->entered, atomic_load_explicit(&epoch->now, memory_order_relaxed));
	atomic_thread_fence(memory_order_seq_cst);
}

static inline void epoch_leave(struct epoch_reader *reader)
{
	atomic_store_explicit(&reader->entered, 0, memory_order_release);
}

/* Grows whenever a reader begins. */
static inline uint64_t epoch_turns(struct epoch_reader **readers, unsigned count)
{
	uint64_t turns = 0;

	for (unsigned i = 0; i < count; i++)
		turns += atomic_load_explicit(&readers[i]->turns, memory_order_relaxed);
	return turns;
}

/* Returns when every reader that is inside began after this call did. Not from a reader. */
static inline void epoch_wait(struct epoch *epoch, struct epoch_reader **readers, unsigned count)
{
	uint64_t target = atomic_fetch_add(&epoch->now, 1) + 1;
	const struct timespec pause = { .tv_nsec = 200000 };

	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < count; i++) {
		uint64_t entered;

		while ((entered = atomic_load(&readers[i]->entered)) != 0 && entered < target)
			nanosleep(&pause, NULL);
	}
}

#endif
