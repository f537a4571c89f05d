/* SPDX-License-Identifier: MIT */
/*
 * How the applying thread shares a processor with those who answer. It works in short bursts and sleeps between them,
 * so that a request never waits for as long as the scheduler would let a busy thread run. How long the bursts are
 * follows from how far it is behind: the memtable that is being applied is to be done when the newest is nearly full.
 */
#ifndef KV_PACE_H
#define KV_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct durable;
struct memtable;

struct pace {
	struct durable *store;
	const struct memtable *memtable; /* what is being applied */
	int64_t burst_began_ns;
	int64_t burst_ns;
	unsigned fill; /* of the newest memtable when this began or went on, in 1/1024 */
};

/* Once, by the applying thread. */
void pace_prepare_thread(void);
void pace_begin(struct pace *pace, struct durable *store, const struct memtable *memtable);
/* After a sync, which no hurry would have made shorter: what is to be done has the room that is left. */
void pace_go_on(struct pace *pace);
/* Somebody waits for the memtable to be applied, or so much has been written since that it has to go out of the way. */
bool pace_must_hurry(struct durable *store, const struct memtable *memtable);
/* Between two small pieces of work, of which `done` of `total` are done. */
void pace_rest(struct pace *pace, size_t done, size_t total);

#endif
