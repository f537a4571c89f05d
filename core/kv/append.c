/* SPDX-License-Identifier: MIT */
/*
 * Appending one frame: everything that changes memtables, buckets and their counts is here, under the write lock, so
 * that the log tells exactly what happened in memory.
 */
#include "durable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- room -------------------------------------------------------------------------------------------------- */

static int next_segment(struct durable *store, uint64_t *number)
{
	int fd = spares_take_file(&store->spares, number);

	if (fd >= 0)
		return fd;
	*number = store->log.next_number++;
	return segment_create(store->log.dir_fd, *number, store->options.segment_size);
}

static int refuse_backlog(struct durable *store, struct kv_error *err)
{
	struct applier *applier = &store->applier;

	if (!atomic_load(&applier->stuck))
		return kv_fail(err, "the store cannot take more at this moment: try again");
	pthread_mutex_lock(&applier->lock);
	kv_fail(err, "the store cannot take more: %.*s", (int)sizeof(err->message) - 64, applier->reason);
	pthread_mutex_unlock(&applier->lock);
	return -1;
}

static int refuse_room(int errnum, struct kv_error *err)
{
	return kv_fail(err, "cannot make room in the log: %s%s", strerror(errnum),
		       errnum == ENOSPC ? ": make room on the disk" : "");
}

/* Takes the segment over. */
static int begin_newest(struct durable *store, uint64_t number, int fd, struct kv_error *err)
{
	struct memtable *before = atomic_load(&store->newest), *memtable;
	struct memtable_memory memory = spares_take_memory(&store->spares);
	uint64_t base = before != NULL ? memtable_end(before) : store->pages.state.applied;

	memtable = memtable_new(before != NULL ? before->id + 1 : 1, number, base, store->options.segment_size, fd,
				&memory);
	if (memtable == NULL) {
		memtable_memory_done(&memory);
		if (fd >= 0) {
			close(fd);
			segment_remove(store->log.dir_fd, number);
		}
		return kv_fail(err, "out of memory");
	}
	/* An index of the size that the last one needed; without the memory it grows as it can. */
	if (before != NULL)
		memtable_reserve(memtable, atomic_load(&before->entry_count));
	memtable->keys_max = memtable_keys_for(atomic_load(&store->leaf_pages));
	segment_begin(memtable, store->pages.state.store);
	atomic_store(&memtable->older, before);
	if (before != NULL) {
		atomic_store(&before->newer, memtable);
		atomic_store(&before->frozen, true);
	}
	atomic_store(&store->newest_room, before != NULL ? base - before->base : 0);
	atomic_store(&store->newest_base, base);
	atomic_store(&store->newest_id, memtable->id);
	atomic_store_explicit(&store->newest, memtable, memory_order_release);
	if (before != NULL)
		applier_nudge(store);
	room_changed(store);
	return 0;
}

int rotate(struct durable *store, struct kv_error *err)
{
	uint64_t number;
	int fd = next_segment(store, &number);

	if (fd < 0)
		return refuse_room(errno, err);
	if (begin_newest(store, number, fd, err) != 0)
		return -1;
	admission_rotated(store);
	return 0;
}

int rotate_first(struct durable *store, struct kv_error *err)
{
	const struct engine_host *host = &store->options.host;
	char message[KV_ERROR_BYTES];
	uint64_t number;
	int fd = next_segment(store, &number);

	if (fd >= 0)
		return begin_newest(store, number, fd, err);
	if (errno != ENOSPC && errno != EDQUOT)
		return refuse_room(errno, err);
	snprintf(message, sizeof(message),
		 "kv log: '%.300s': there is no room for the next one of its files: reads are served, "
		 "writes are refused until there is: make room on the disk",
		 store->log.dir);
	host->log(host->context, KVREL_WARN, message);
	return begin_newest(store, 0, -1, err);
}

static int make_room(struct durable *store, const struct memtable *newest, struct kv_error *err)
{
	if (newest->id - atomic_load(&store->retired) >= MEMTABLES_MAX)
		return refuse_backlog(store, err);
	return rotate(store, err);
}

/* By keys; by bytes it depends on what comes. */
static bool has_keys_enough(const struct memtable *memtable, uint32_t more)
{
	uint32_t have = atomic_load_explicit(&memtable->entry_count, memory_order_relaxed);

	return have > 0 && (uint64_t)have + more > memtable->keys_max;
}

int append_begin(struct appender *appender, struct durable *store, size_t bytes, uint32_t entries, struct kv_error *err)
{
	size_t needed = frame_size(bytes), limit;

	pthread_mutex_lock(&store->write_lock);
	struct memtable *memtable = atomic_load(&store->newest);

	limit = memtable->size - MARK_FRAME_SIZE; /* the mark behind it has to fit as well */
	if (log_broken(&store->log)) {
		kv_fail(err, "%s", store->log.reason);
	} else if (needed > limit - sizeof(struct segment_header)) {
		kv_fail(err, "the request is larger than a segment of the log: raise kv.log_segment_size");
	} else if ((memtable->fd < 0 || memtable->used + needed > limit || has_keys_enough(memtable, entries)) &&
		   make_room(store, memtable, err) != 0) {
		/* said */
	} else if (!memtable_reserve(memtable = atomic_load(&store->newest), entries)) {
		kv_fail(err, "out of memory");
	} else {
		*appender = (struct appender){ .store = store,
					       .memtable = memtable,
					       .frame = memtable->buffer + memtable->used };
		appender->at = appender->frame + sizeof(struct frame);
		return 0;
	}
	pthread_mutex_unlock(&store->write_lock);
	return -1;
}

uint64_t append_position(const struct appender *appender)
{
	size_t size = (size_t)(appender->at - appender->frame) - sizeof(struct frame);

	return memtable_position(appender->memtable, appender->frame) + frame_size(size);
}

uint64_t append_end(struct appender *appender, struct bucket *bucket)
{
	struct memtable *memtable = appender->memtable;
	struct frame *frame = (struct frame *)(void *)appender->frame;
	uint64_t end = 0;
	size_t size = (size_t)(appender->at - appender->frame) - sizeof(*frame);

	if (size > 0) {
		frame->size = (uint32_t)size;
		frame->position = memtable_position(memtable, frame);
		frame->checksum = frame_checksum(frame, memtable->number);
		end = append_position(appender);
		atomic_store_explicit(&memtable->used,
				      atomic_load_explicit(&memtable->used, memory_order_relaxed) + frame_size(size),
				      memory_order_release);
		if (memtable->began_ms == 0)
			memtable->began_ms = now_ms();
		if (!memtable->half_full && memtable_fill(memtable) > MEMTABLE_FULL / 2) {
			memtable->half_full = true;
			applier_nudge(appender->store); /* the next segment will be needed soon */
		}
		if (bucket != NULL)
			atomic_store_explicit(&bucket->changed, end, memory_order_release);
	}
	pthread_mutex_unlock(&appender->store->write_lock);
	return end;
}

/* ---- records ----------------------------------------------------------------------------------------------- */

static const struct record *put_record(struct appender *appender, enum record_kind kind, uint64_t bucket,
				       struct kvrel_slice key, struct kvrel_slice value)
{
	const struct record *record = record_write(appender->at, kind, bucket, key, value);

	appender->at += record_size(key.size, value.size);
	return record;
}

bool append_record(struct appender *appender, const struct slot *slot, struct bucket *bucket, enum record_kind kind,
		   uint64_t hash, struct kvrel_slice key, struct kvrel_slice value, bool below)
{
	struct memtable *memtable = appender->memtable;
	struct memtable_place place = memtable_locate(memtable, bucket, (uint32_t)hash, key);
	const struct record *record;
	struct found found;
	bool existed = below, exists = kind != RECORD_DELETE;

	if (place.record != NULL)
		existed = record_has_value(place.record);
	else if (find_in_memory(appender->store, slot, bucket, hash, key, &found))
		existed = found.there;
	record = put_record(appender, exists && !existed ? RECORD_ADD : kind, bucket->id, key, value);
	/* before the count: whoever sees that has to wait for this */
	atomic_store_explicit(&bucket->changed, memtable_position(memtable, record) + 1, memory_order_release);
	memtable_set(memtable, &place, bucket, (uint32_t)hash, record, existed);
	memtable->deleted |= !exists;
	if (existed != exists)
		atomic_fetch_add_explicit(&bucket->count, existed ? -1 : 1, memory_order_release);
	return existed;
}

/* By the record alone: the pages may be ahead of it. */
void replay_key(struct memtable *memtable, struct bucket *bucket, uint64_t hash, const struct record *record)
{
	struct memtable_place place = memtable_locate(memtable, bucket, (uint32_t)hash, record_key(record));

	atomic_store(&bucket->changed, memtable_position(memtable, record) + 1);
	memtable_set(memtable, &place, bucket, (uint32_t)hash, record, record->kind != RECORD_ADD);
	if (record->kind != RECORD_PUT)
		atomic_fetch_add(&bucket->count, record->kind == RECORD_ADD ? 1 : -1);
}

/* ---- buckets ----------------------------------------------------------------------------------------------- */

size_t append_bucket_bytes(struct kvrel_slice name)
{
	return 2 * record_size(name.size, sizeof(struct record_bucket));
}

struct bucket *append_bucket(struct appender *appender, struct kvrel_slice name, struct bucket *bucket)
{
	struct durable *store = appender->store;
	uint64_t hash;

	if (bucket != NULL && !bucket_is(bucket, BUCKET_DEAD | BUCKET_LEAVING))
		return bucket;
	hash = hash_name(store, name);
	bucket = bucket_table_find(&store->buckets, name, hash);
	if (bucket != NULL && !bucket_is(bucket, BUCKET_DEAD))
		return bucket;
	if (store->next_bucket > BUCKET_ID_MAX)
		return NULL;
	bucket = bucket_new(name, hash, store->next_bucket);
	if (bucket == NULL || !bucket_table_set(&store->buckets, bucket)) {
		free(bucket);
		return NULL;
	}
	store->next_bucket++;
	return bucket;
}

const char *append_bucket_refusal(const struct appender *appender)
{
	return appender->store->next_bucket > BUCKET_ID_MAX
		       ? "the store has made as many buckets as it can number: copy what it holds to a new one"
		       : "out of memory";
}

/* A change of the directory, remembered as a key of bucket 0 for listings and for the pages. */
static void set_directory(struct appender *appender, const struct record *record, uint64_t name_hash)
{
	struct durable *store = appender->store;
	struct bucket *directory = &store->directory;
	uint32_t hash = (uint32_t)hash_in_bucket(directory, name_hash);
	struct memtable *memtable = appender->memtable;
	struct memtable_place place = memtable_locate(memtable, directory, hash, record_key(record));

	memtable_set(memtable, &place, directory, hash, record, false);
	atomic_store_explicit(&store->directory_changed, memtable_position(memtable, record) + 1, memory_order_release);
}

void append_existence(struct appender *appender, struct bucket *bucket, bool stays)
{
	bool exists = bucket_is(bucket, BUCKET_EXISTS), stays_now = bucket_is(bucket, BUCKET_STAYS);
	const struct record_bucket value = { atomic_load(&bucket->count), stays || stays_now };
	const struct kvrel_slice bytes = { (const char *)&value, sizeof(value) };

	if (!exists || (stays && !stays_now)) {
		const struct record *record =
			put_record(appender, RECORD_CREATE, bucket->id, bucket_name(bucket), bytes);

		set_directory(appender, record, bucket->hash);
		if (!exists) /* before the state, which leads to it */
			atomic_store_explicit(&bucket->began, memtable_position(appender->memtable, record) + 1,
					      memory_order_relaxed);
		atomic_store_explicit(&bucket->state, BUCKET_EXISTS | (stays ? BUCKET_STAYS : 0), memory_order_release);
		bucket_list_add(&appender->memtable->made, bucket);
		if (!exists)
			atomic_fetch_add(&appender->store->bucket_count, 1);
	} else if (bucket->announced != appender->memtable->id) {
		put_record(appender, RECORD_NAME, bucket->id, bucket_name(bucket), bytes);
	}
	bucket->announced = appender->memtable->id;
}

static void append_end_of_bucket(struct appender *appender, struct bucket *bucket, enum record_kind kind,
				 uint32_t state)
{
	set_directory(appender, put_record(appender, kind, bucket->id, bucket_name(bucket), (struct kvrel_slice){ 0 }),
		      bucket->hash);
	bucket->died = memtable_position(appender->memtable, appender->frame);
	atomic_store_explicit(&bucket->state, state, memory_order_release);
	atomic_fetch_sub(&appender->store->bucket_count, 1);
	bucket_list_add(&appender->memtable->gone, bucket);
}

void append_vanish(struct appender *appender, struct bucket *bucket)
{
	append_end_of_bucket(appender, bucket, RECORD_VANISH, 0);
}

void append_drop(struct appender *appender, struct bucket *bucket)
{
	append_end_of_bucket(appender, bucket, RECORD_DROP, BUCKET_DEAD);
}
