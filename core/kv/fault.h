/* SPDX-License-Identifier: MIT */
/*
 * Reading files that are mapped. Where the disk fails, or the file was cut short while it is in use, the system answers
 * with SIGBUS, which ends the process. Who reads within a watch gets zeros instead, which nothing that we check passes
 * as, and is told. From then on nothing is changed in the store, and nothing is taken for good without its checksum.
 *
 * LMDB must not go on with zeros. Where it meets a fault while it changes something, the thread that had it do so
 * leaves it as it is and ends (fault_run): LMDB holds no lock of the C library's while it reads its map, and nothing
 * but memory was changed, which is lost. Its transaction stays begun, with its lock held, so there never is another one
 * in this process, which `lost` sees to; to read needs no such lock. Were it at the commit's last write, the commit may
 * have come about: the log still has what was applied, and a start applies that again, as after any kill.
 *
 * A fault outside of all that, or anywhere but in the store's files, is a crash as it ever was: nor may what was
 * checked before be sent as such.
 *
 * While LMDB opens what pages_inspect() just read, it does not tell where its maps are. A fault then ends the opening
 * as it ends a change, whatever the file; what LMDB had begun is left as it is, and so is its memory.
 */
#ifndef KV_FAULT_H
#define KV_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>

struct pages;
struct values;

enum fault_state { FAULT_UNWATCHED, FAULT_WATCHED, FAULT_SEEN };

/* The store whose pages this thread has LMDB change, once it does. */
extern _Thread_local struct pages *fault_changing __attribute__((tls_model("initial-exec")));

/* Runs a thread. A fault while it changes pages ends main() in the middle, and their lost() is called. */
void fault_run(void (*main)(void *argument), void *argument);

/* Runs open(). True: a fault ended it in the middle. */
bool fault_ends(void (*open)(void *argument), void *argument);

struct fault_watch {
	struct pages *pages;         /* its map is watched, and */
	const struct values *values; /* the files of far values */
	struct fault_watch *outer;   /* what this thread watched before */
	volatile int state;
};

/* For all stores of the process; as often as one likes, each with its end. */
void faults_begin(void);
void faults_end(void);

/* The innermost one of the thread. A handler of signals reads it: it must not have to be made for that. */
extern _Thread_local struct fault_watch *fault_watched __attribute__((tls_model("initial-exec")));

/* For who reads often: the watch is known from enter to leave, while nothing is watched but from on to off. */
static inline void fault_enter(struct fault_watch *watch)
{
	watch->outer = fault_watched;
	fault_watched = watch;
}

static inline void fault_leave(const struct fault_watch *watch)
{
	fault_watched = watch->outer;
}

static inline void fault_on(struct fault_watch *watch)
{
	watch->state = FAULT_WATCHED;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Whether something could not be read. */
static inline bool fault_off(struct fault_watch *watch)
{
	atomic_signal_fence(memory_order_seq_cst);
	bool seen = watch->state == FAULT_SEEN;

	watch->state = FAULT_UNWATCHED;
	return __builtin_expect(seen, false);
}

/* And for all others. `watch` stays in place until fault_end(), which says whether something could not be read. */
static inline void fault_begin(struct fault_watch *watch)
{
	fault_enter(watch);
	fault_on(watch);
}

static inline bool fault_end(struct fault_watch *watch)
{
	fault_leave(watch);
	return fault_off(watch);
}

#endif
