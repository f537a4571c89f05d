/* SPDX-License-Identifier: MIT */
/*
 * How far writers may get ahead of the applying thread. Acknowledgements that come late slow down those that wait for
 * them. They are not held until the thread gets on, which it does by transactions of milliseconds each, but let through
 * along a line: so that the newest memtable will be full when the oldest is applied, by how long that takes of late and
 * how far it is. The line is drawn anew after every transaction, from what may be told by then.
 */
#ifndef KV_ADMISSION_H
#define KV_ADMISSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct durable;
struct memtable;

struct admission {
	pthread_mutex_t lock;
	bool holds;              /* there is a line */
	uint64_t from, to;       /* positions in the log */
	int64_t from_us, for_us; /* when it began, how long it takes */

	bool early;          /* there is one already in the second memtable, from its first quarter on */
	int64_t taken_up_us; /* the oldest memtable, by the applying thread */
	int64_t first_us;    /* its first transaction began */
	int64_t usual_us;    /* from taking one up to its end */
	unsigned done;       /* of the oldest, of MEMTABLE_FULL */
};

void admission_init(struct admission *admission);
void admission_destroy(struct admission *admission);

/* The applying thread takes up the oldest memtable; begins to change pages; changed so much of MEMTABLE_FULL; is done.
 */
void admission_taken_up(struct durable *store, const struct memtable *memtable);
void admission_begun(struct durable *store);
void admission_progress(struct durable *store, unsigned done);
void admission_finished(struct durable *store);
/* There is another newest one. Under the write lock. */
void admission_rotated(struct durable *store);

/* What may be told as far as the applying thread is concerned: everything before it. Any thread. */
uint64_t admitted(struct durable *store);
/* Whether there are writers that wait for it. */
bool admission_is_awaited(struct durable *store);

#endif
