/* SPDX-License-Identifier: MIT */
/*
 * Room for writes: memtables that nobody has applied yet are bounded, and clients may send more than is applied
 * meanwhile. Acknowledgements that come late slow down those that wait for them. For the others the host holds back
 * what would write while there is one memtable left, which what has begun may fill; reads go on.
 */
#include "durable.h"

enum { AWAIT_S = 10 };

/* While the applying thread gets on: else nothing comes of waiting, and writes are refused with the reason. */
static bool is_crowded(const struct durable *store)
{
	uint64_t in_use = atomic_load(&store->newest_id) - atomic_load(&store->retired);

	return in_use >= MEMTABLES_MAX - 1 && store->applier.started && !atomic_load(&store->applier.stopping) &&
	       !atomic_load(&store->applier.stuck) && !log_broken(&store->log);
}

void room_changed(struct durable *store)
{
	const struct engine_host *host = &store->options.host;
	struct applier *applier = &store->applier;
	bool crowded;

	pthread_mutex_lock(&applier->lock);
	crowded = is_crowded(store);
	if (atomic_exchange(&applier->crowded, crowded) != crowded && host->hold_writes != NULL)
		host->hold_writes(host->context, crowded); /* under the lock: in the order of the changes */
	pthread_mutex_unlock(&applier->lock);
	pthread_cond_broadcast(&applier->applied);
}

/* Others may be faster when there is some again, and what only reads should not have to wait for its turn. */
void room_await(struct durable *store)
{
	struct applier *applier = &store->applier;
	struct timespec until;
	int code = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += AWAIT_S;
	while (code == 0 && is_crowded(store)) {
		pthread_mutex_unlock(&store->no_worker_lock);
		pthread_mutex_lock(&applier->lock);
		while (code == 0 && is_crowded(store))
			code = pthread_cond_timedwait(&applier->applied, &applier->lock, &until);
		pthread_mutex_unlock(&applier->lock);
		pthread_mutex_lock(&store->no_worker_lock);
	}
}
