/* SPDX-License-Identifier: MIT */
/* What is done with: memory when no reader can see it any more, files as the next segments, buckets that are gone. */
#include "apply.h"

#include <stdlib.h>
#include <unistd.h>

/* Buckets that are gone for good: nobody can find them in the pages any more. */
static void take_out_gone(struct durable *store, struct memtable *memtable)
{
	const uint64_t end = memtable_end(memtable);
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

static void free_gone(const struct memtable *memtable)
{
	for (size_t i = 0; i < memtable->gone.count; i++)
		free(memtable->gone.items[i]);
}

void drop_memtable(struct durable *store, struct memtable *memtable)
{
	take_out_gone(store, memtable);
	free_gone(memtable);
	memtable_free(memtable);
}

/* One more for so many that hold values, where cleaning may find the next ones. */
enum { VALUE_FILES_A_SPARE = 4 };

static unsigned spare_files_wanted(const struct durable *store)
{
	const struct value_set *set = atomic_load_explicit(&store->pages.values->set, memory_order_acquire);
	size_t wanted = SPARES_USUAL + (set != NULL ? set->count / VALUE_FILES_A_SPARE : 0);

	return wanted < SPARE_FILES_MAX ? (unsigned)wanted : SPARE_FILES_MAX;
}

void recycle(struct durable *store, uint64_t old_number, uint64_t size, int fd)
{
	struct log *log = &store->log;
	bool wanted;
	uint64_t number;

	pthread_mutex_lock(&store->write_lock);
	wanted = fd >= 0 && store->spares.file_count < spare_files_wanted(store) && size == store->options.segment_size;
	number = wanted ? log->next_number++ : 0;
	pthread_mutex_unlock(&store->write_lock);
	if (wanted && segment_reuse(log->dir_fd, fd, size, old_number, number) == 0) {
		pthread_mutex_lock(&store->write_lock);
		if (spares_add_file(&store->spares, fd, number))
			fd = -1;
		pthread_mutex_unlock(&store->write_lock);
		if (fd < 0)
			return;
	}
	segment_remove(log->dir_fd, old_number);
	if (wanted)
		segment_remove(log->dir_fd, number);
	if (fd >= 0)
		close(fd);
}

/* The segment of a memtable whose values are not to stay there. */
static void recycle_segment(struct durable *store, struct memtable *memtable)
{
	if (memtable->fd < 0 || values_find(store->pages.values, memtable->number) != NULL)
		return;
	recycle(store, memtable->number, memtable->size, memtable->fd);
	memtable->fd = -1;
}

/* Of large ones no more than two: the newest, and what is applied meanwhile or kept for the next. */
static bool has_memory_enough(struct durable *store, const struct memtable *memtable)
{
	return memtable_is_large(memtable) && atomic_load(&store->newest_id) > memtable->id + 1;
}

static void keep_memory(struct durable *store, struct memtable *memtable)
{
	struct memtable_memory memory;
	bool kept;

	if (memtable->size != store->options.segment_size || has_memory_enough(store, memtable))
		return;
	memory = memtable_take_memory(memtable);
	pthread_mutex_lock(&store->write_lock);
	kept = spares_add_memory(&store->spares, &memory);
	pthread_mutex_unlock(&store->write_lock);
	if (!kept)
		memtable_memory_done(&memory);
}

void give_memory_back(struct durable *store)
{
	struct spares *spares = &store->spares, unused = { 0 };
	struct memtable *newest;
	bool idle;

	pthread_mutex_lock(&store->write_lock);
	newest = atomic_load(&store->newest);
	idle = newest->began_ms == 0;
	if (idle) {
		unused = *spares;
		spares->memory_count = 0;
		memtable_forget(newest);
	}
	pthread_mutex_unlock(&store->write_lock);
	while (unused.memory_count > 0)
		memtable_memory_done(&unused.memory[--unused.memory_count]);
	if (idle)
		sort_memory_done(&store->applier.sorting);
}

void give_files_back(struct durable *store)
{
	for (;;) {
		uint64_t number = 0;
		bool idle;
		int fd = -1;

		pthread_mutex_lock(&store->write_lock);
		idle = atomic_load(&store->newest)->began_ms == 0;
		if (idle && store->spares.file_count > SPARES_USUAL)
			fd = spares_take_file(&store->spares, &number);
		pthread_mutex_unlock(&store->write_lock);
		if (fd < 0)
			return;
		segment_remove(store->log.dir_fd, number);
		close(fd);
	}
}

void retire(struct durable *store, struct memtable *memtable)
{
	struct applier *applier = &store->applier;
	struct bucket_array *old;

	pthread_mutex_lock(&applier->lock);
	store->oldest = atomic_load(&memtable->newer);
	atomic_store(&store->retired, memtable->id);
	admission_finished(store);
	applier->applying = false;
	snapshots_take(store);
	pthread_mutex_unlock(&applier->lock);
	room_changed(store);
	pthread_mutex_lock(&store->write_lock);
	old = bucket_table_take_old(&store->buckets);
	pthread_mutex_unlock(&store->write_lock);
	epoch_wait(&store->epoch, store->readers, store->slot_count);
	bucket_arrays_free(old);
	if (memtable->gone.count > 0) {
		take_out_gone(store, memtable);
		epoch_wait(&store->epoch, store->readers, store->slot_count);
		free_gone(memtable);
	}
	values_forget_sets(store->pages.values);
	recycle_segment(store, memtable);
	keep_memory(store, memtable);
	pages_forget(&store->pages); /* all that was read and is no longer used */
	memtable_free(memtable);
}

void prepare_spare(struct durable *store)
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
