/* SPDX-License-Identifier: MIT */
/*
 * The store as it was at one moment. The pages are not that most of the time: a memtable goes into them in order of
 * keys, by several transactions, and between two of them a request of two keys may be half done and a later one whole.
 * Only between memtables they hold all writes up to one, and none after it. That is when the applying thread takes
 * snapshots for those who wish for one.
 */
#include "durable.h"

/* Under the applier's lock. */
static void fulfil(struct durable *store, struct snapshot_wish *wish)
{
	wish->code = pages_begin(&store->pages, &wish->txn, &wish->meta, &wish->err);
	wish->done = true;
}

void snapshots_take(struct durable *store)
{
	struct snapshot_wish **at = &store->applier.wishes;

	while (*at != NULL) {
		struct snapshot_wish *wish = *at;

		if (wish->wanted > atomic_load(&store->retired)) {
			at = &wish->next;
			continue;
		}
		*at = wish->next;
		fulfil(store, wish);
	}
}

static void withdraw(struct applier *applier, const struct snapshot_wish *wish)
{
	struct snapshot_wish **at = &applier->wishes;

	while (*at != wish)
		at = &(*at)->next;
	*at = wish->next;
}

/* What has to be applied, so that everything written so far is. Under the write lock. */
static uint64_t last_written(const struct durable *store)
{
	const struct memtable *newest = atomic_load(&store->newest);

	return newest->began_ms != 0 ? newest->id : newest->id - 1;
}

int snapshot_begin(struct durable *store, struct snapshot_wish *wish, struct kv_error *err)
{
	struct applier *applier = &store->applier;
	int code = 0;

	/* both locks: before the memtable that the wish is for is applied, the applying thread knows of it */
	pthread_mutex_lock(&store->write_lock);
	*wish = (struct snapshot_wish){ .wanted = last_written(store) };
	pthread_mutex_lock(&applier->lock);
	pthread_mutex_unlock(&store->write_lock);
	if (applier->freeze_up_to < wish->wanted)
		applier->freeze_up_to = wish->wanted;
	if (!applier->applying && atomic_load(&store->retired) >= wish->wanted) {
		fulfil(store, wish);
	} else {
		wish->next = applier->wishes;
		applier->wishes = wish;
		applier->nudged = true;
		pthread_cond_signal(&applier->wake);
	}
	while (code == 0 && !wish->done) {
		if (atomic_load(&applier->stuck))
			code = kv_fail(err, "%s", applier->reason);
		else if (log_broken(&store->log))
			code = kv_fail(err, "%s", store->log.reason);
		else if (applier->stopping)
			code = kv_fail(err, "the store is stopping");
		else
			pthread_cond_wait(&applier->applied, &applier->lock);
	}
	if (!wish->done)
		withdraw(applier, wish);
	else if (wish->code != 0)
		code = kv_fail(err, "%s", wish->err.message);
	pthread_mutex_unlock(&applier->lock);
	return code;
}

void snapshot_end(struct snapshot_wish *wish)
{
	if (wish->txn != NULL)
		mdb_txn_abort(wish->txn);
	wish->txn = NULL;
}
