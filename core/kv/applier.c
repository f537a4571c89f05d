/* SPDX-License-Identifier: MIT */
/*
 * The applying thread: decides when a memtable is frozen, brings frozen ones into the pages, and puts away what is done
 * with: memory when no reader can see it any more, the segment's file as the next segment.
 *
 * What the pages refuse (a full disk, a full map) is tried again every second. Meanwhile the log goes on up to its
 * limit, and reads are not affected.
 */
#include "apply.h"
#include "thread.h"

#include <stdlib.h>
#include <unistd.h>

enum { RETRY_MS = 1000 };

void applier_nudge(struct durable *store)
{
	struct applier *applier = &store->applier;

	pthread_mutex_lock(&applier->lock);
	applier->nudged = true;
	pthread_mutex_unlock(&applier->lock);
	pthread_cond_signal(&applier->wake);
}

/* Sleeps until nudged or until the time is over. */
static void doze(struct applier *applier, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&applier->lock);
	if (!applier->nudged && !applier->stopping)
		pthread_cond_timedwait(&applier->wake, &applier->lock, &until);
	applier->nudged = false;
	pthread_mutex_unlock(&applier->lock);
}

static bool is_stopping(struct applier *applier)
{
	bool stopping;

	pthread_mutex_lock(&applier->lock);
	stopping = applier->stopping;
	pthread_mutex_unlock(&applier->lock);
	return stopping;
}

/* ---- putting away ------------------------------------------------------------------------------------------- */

/* Buckets that are gone for good: nobody can find them in the pages any more. */
static void take_out_gone(struct durable *store, struct memtable *memtable)
{
	uint64_t end = memtable_end(memtable);
	size_t kept = 0;

	pthread_mutex_lock(&store->write_lock);
	for (size_t i = 0; i < memtable->gone.count; i++) {
		struct bucket *bucket = memtable->gone.items[i];

		if (bucket_is(bucket, BUCKET_EXISTS | BUCKET_LEAVING) || bucket->died >= end)
			continue;
		bucket_table_remove(&store->buckets, bucket);
		atomic_fetch_or(&bucket->state, BUCKET_LEAVING);
		memtable->gone.items[kept++] = bucket;
	}
	memtable->gone.count = kept;
	pthread_mutex_unlock(&store->write_lock);
}

static void recycle(struct durable *store, struct memtable *memtable)
{
	struct log *log = &store->log;
	bool wanted;
	uint64_t number;

	pthread_mutex_lock(&store->write_lock);
	wanted = store->spares.file_count < SPARES_MAX && memtable->size == store->options.segment_size;
	number = wanted ? log->next_number++ : 0;
	pthread_mutex_unlock(&store->write_lock);
	if (!wanted || segment_rename(log->dir_fd, memtable->number, number) != 0) {
		segment_remove(log->dir_fd, memtable->number);
		return;
	}
	pthread_mutex_lock(&store->write_lock);
	if (spares_add_file(&store->spares, memtable->fd, number))
		memtable->fd = -1;
	pthread_mutex_unlock(&store->write_lock);
	if (memtable->fd >= 0)
		segment_remove(log->dir_fd, number);
}

static void keep_memory(struct durable *store, struct memtable *memtable)
{
	pthread_mutex_lock(&store->write_lock);
	if (memtable->size == store->options.segment_size)
		spares_add_memory(&store->spares, memtable);
	pthread_mutex_unlock(&store->write_lock);
}

/* When nothing has been written since the last checkpoint. */
static void give_memory_back(struct durable *store)
{
	struct spares none = { 0 };

	pthread_mutex_lock(&store->write_lock);
	if (atomic_load(&store->newest)->began_ms == 0) {
		none = store->spares;
		store->spares.memory_count = 0;
	}
	pthread_mutex_unlock(&store->write_lock);
	while (none.memory_count > 0)
		memtable_memory_done(&none.memory[--none.memory_count]);
}

static void retire(struct durable *store, struct memtable *memtable)
{
	struct applier *applier = &store->applier;

	pthread_mutex_lock(&applier->lock);
	store->oldest = atomic_load(&memtable->newer);
	atomic_store(&applier->progress, 0);
	atomic_store(&store->retired, memtable->id);
	atomic_store(&applier->stuck, false);
	applier->applying = false;
	snapshots_take(store);
	pthread_mutex_unlock(&applier->lock);
	pthread_cond_broadcast(&applier->applied);
	epoch_wait(&store->epoch, store->readers, store->slot_count);
	if (memtable->gone.count > 0) {
		take_out_gone(store, memtable);
		epoch_wait(&store->epoch, store->readers, store->slot_count);
		for (size_t i = 0; i < memtable->gone.count; i++)
			free(memtable->gone.items[i]);
	}
	recycle(store, memtable);
	keep_memory(store, memtable);
	pages_forget(&store->pages); /* all that was read and is no longer used */
	memtable_free(memtable);
}

/* A file for the next memtable, before a writer has to make one. */
static void prepare_spare(struct durable *store)
{
	struct memtable *newest;
	uint64_t number;
	bool wanted;
	int fd;

	pthread_mutex_lock(&store->write_lock);
	newest = atomic_load(&store->newest);
	wanted = store->spares.file_count == 0 && newest->half_full;
	number = wanted ? store->log.next_number++ : 0;
	pthread_mutex_unlock(&store->write_lock);
	if (!wanted)
		return;
	fd = segment_create(store->log.dir_fd, number, store->options.segment_size);
	if (fd < 0)
		return; /* the writer that needs it will be told */
	pthread_mutex_lock(&store->write_lock);
	if (spares_add_file(&store->spares, fd, number))
		fd = -1;
	pthread_mutex_unlock(&store->write_lock);
	if (fd >= 0) {
		close(fd);
		segment_remove(store->log.dir_fd, number);
	}
}

/* ---- applying ------------------------------------------------------------------------------------------------ */

static void tell_stuck(struct durable *store, int code, const char *damage)
{
	const struct engine_host *host = &store->options.host;
	struct applier *applier = &store->applier;
	struct kv_error err;
	bool news;

	if (damage != NULL && damage[0] != '\0')
		kv_fail(&err, "%s", damage);
	else
		pages_fail(&err, "cannot apply the log", pages_write_error(store->pages.file, code));
	pthread_mutex_lock(&applier->lock);
	news = !atomic_load(&applier->stuck);
	memcpy(applier->reason, err.message, sizeof(applier->reason));
	atomic_store(&applier->stuck, true);
	pthread_mutex_unlock(&applier->lock);
	pthread_cond_broadcast(&applier->applied);
	if (news)
		host->log(host->context, KVREL_WARN, err.message);
}

/* The last commit is durable, so that the log may let go of what it holds. False: given up because of stopping. */
static bool sync_pages(struct durable *store)
{
	bool again = false;
	int code;

	while ((code = pages_sync(&store->pages, again)) != 0) {
		again = true;
		tell_stuck(store, code, NULL);
		if (is_stopping(&store->applier))
			return false;
		doze(&store->applier, RETRY_MS);
	}
	return true;
}

/* False: given up because of stopping, or because the log is broken. */
static bool apply_memtable(struct durable *store, struct memtable *memtable)
{
	struct applier *applier = &store->applier;
	struct apply apply;
	bool finished = false;
	int code;

	if (log_sync(&store->log) != 0) /* what is in the pages has to be in the log, or a replay ends elsewhere */
		return false;
	pthread_mutex_lock(&applier->lock);
	applier->applying = true;
	pthread_mutex_unlock(&applier->lock);
	while ((code = apply_init(&apply, store, memtable)) != 0) {
		tell_stuck(store, code, NULL);
		if (is_stopping(applier))
			return false;
		doze(applier, RETRY_MS);
	}
	while (!finished) {
		code = apply_step(&apply, &finished);
		if (code == 0)
			continue;
		finished = false;
		tell_stuck(store, code, apply.guard.damage.message);
		if (is_stopping(applier))
			break;
		doze(applier, RETRY_MS);
	}
	apply_done(&apply);
	if (!finished || !sync_pages(store))
		return false;
	retire(store, memtable);
	return true;
}

/* Freezes the newest memtable when its time has come. How long it may wait, in milliseconds; 0: frozen. */
static int64_t freeze_if_due(struct durable *store, bool stopping)
{
	struct applier *applier = &store->applier;
	int64_t wait = (int64_t)store->options.checkpoint_ms, age;
	struct kv_error err;
	struct memtable *newest;
	uint64_t wanted;

	pthread_mutex_lock(&applier->lock);
	wanted = applier->freeze_up_to;
	pthread_mutex_unlock(&applier->lock);
	pthread_mutex_lock(&store->write_lock);
	newest = atomic_load(&store->newest);
	if (newest->began_ms != 0) {
		age = now_ms() - newest->began_ms;
		if (age >= wait || stopping || wanted >= newest->id)
			wait = rotate(store, &err) == 0 ? 0 : RETRY_MS;
		else
			wait -= age;
	}
	pthread_mutex_unlock(&store->write_lock);
	return wait;
}

static void applier_main(void *argument)
{
	struct durable *store = argument;
	struct applier *applier = &store->applier;
	bool garbage = true;

	pace_prepare_thread();
	for (;;) {
		bool stopping = is_stopping(applier);
		int64_t wait;

		prepare_spare(store);
		if (store->oldest != atomic_load(&store->newest)) {
			if (!apply_memtable(store, store->oldest) && (stopping || is_stopping(applier)))
				return;
			if (log_broken(&store->log)) {
				pthread_cond_broadcast(&applier->applied);
				doze(applier, RETRY_MS);
			}
			garbage = true;
			continue;
		}
		wait = freeze_if_due(store, stopping);
		if (wait == 0)
			continue;
		if (stopping)
			return;
		if (garbage) {
			garbage = clear_garbage(&store->pages, &garbage) == 0 && garbage;
		} else {
			give_memory_back(store);
			doze(applier, wait);
		}
	}
}

/* ---- from outside -------------------------------------------------------------------------------------------- */

int applier_start(struct durable *store, struct kv_error *err)
{
	struct applier *applier = &store->applier;
	int code;

	code = thread_start(&applier->thread, &store->options.host, "kv-apply", applier_main, store);
	if (code != 0)
		return kv_fail(err, "kv store: cannot start its thread: %s", strerror(code));
	applier->started = true;
	return 0;
}

void applier_stop(struct durable *store)
{
	struct applier *applier = &store->applier;

	if (!applier->started)
		return;
	pthread_mutex_lock(&applier->lock);
	applier->stopping = true;
	pthread_mutex_unlock(&applier->lock);
	pthread_cond_signal(&applier->wake);
	pthread_cond_broadcast(&applier->applied);
	pthread_join(applier->thread, NULL);
	applier->started = false;
}
