/* SPDX-License-Identifier: MIT */
/* The log's way to the disk: writing out, marks, syncs. */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 << 10, FLUSH_REST_NS = 150000 };

/* ---- writing out ------------------------------------------------------------------------------------------- */

static int break_by(struct log *log, const char *what, const struct memtable *memtable, int errnum)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(memtable->number, name);
	log_break(log, what, name, errnum);
	return -1;
}

static int write_up_to(struct log *log, struct memtable *memtable, size_t end)
{
	const size_t from = memtable->written;
	int code;

	if (from >= end)
		return 0;
	code = file_write(memtable->fd, memtable->buffer + from, end - from, from);
	if (code != 0)
		return break_by(log, "write", memtable, code);
	memtable->written = end;
	atomic_fetch_add_explicit(&log->bytes, end - from, memory_order_relaxed);
	return 0;
}

/* All memtables, up to what the newest holds now. Under write_out_lock. */
static int write_all(struct log *log)
{
	for (;;) {
		struct memtable *memtable = log->writing;
		bool frozen = atomic_load(&memtable->frozen); /* before `used`, which is final then */
		size_t used = atomic_load(&memtable->used);

		/* a header alone would only make the next start look for frames */
		if (used > sizeof(struct segment_header)) {
			if (write_up_to(log, memtable, used) != 0)
				return -1;
			atomic_store_explicit(&log->written, memtable_position(memtable, memtable->buffer + used),
					      memory_order_release);
		}
		if (!frozen)
			return 0;
		log->writing = atomic_load(&memtable->newer);
	}
}

void log_write_out(struct log *log, uint64_t end)
{
	if (log_broken(log) || atomic_load_explicit(&log->written, memory_order_acquire) >= end)
		return;
	pthread_mutex_lock(&log->write_out_lock);
	if (atomic_load_explicit(&log->written, memory_order_relaxed) < end)
		write_all(log);
	pthread_mutex_unlock(&log->write_out_lock);
}

/* ---- syncing ----------------------------------------------------------------------------------------------- */

static void append_mark(struct memtable *memtable, uint64_t durable)
{
	struct frame *frame = (struct frame *)(void *)(memtable->buffer + memtable->used);
	struct kvrel_slice value = { (const char *)&durable, sizeof(durable) };

	record_write((char *)(frame + 1), RECORD_MARK, 0, (struct kvrel_slice){ 0 }, value);
	frame->size = (uint32_t)record_size(0, sizeof(durable));
	frame->position = memtable_position(memtable, frame);
	frame->checksum = frame_checksum(frame, memtable->number);
	memtable->used += MARK_FRAME_SIZE;
}

static bool has_room(const struct memtable *memtable)
{
	return memtable->fd >= 0 && memtable->size - memtable->used >= MARK_FRAME_SIZE;
}

/* Says in the log how far it is durable. Nothing new since the last mark: nothing to sync. */
static bool mark(struct log *log)
{
	struct durable *store = log->store;
	uint64_t durable = atomic_load(&log->durable);
	struct memtable *memtable;
	bool news;

	pthread_mutex_lock(&store->write_lock);
	memtable = atomic_load(&store->newest);
	news = memtable_end(memtable) != durable;
	if (news && memtable_end(memtable) != memtable->base && has_room(memtable))
		append_mark(memtable, durable);
	pthread_mutex_unlock(&store->write_lock);
	return news;
}

/* Says that all of it is. False: it is not, or the pages hold it all. */
static bool mark_end(struct log *log)
{
	struct durable *store = log->store;
	uint64_t durable = atomic_load(&log->durable);
	struct memtable *memtable;
	bool wanted;

	pthread_mutex_lock(&store->write_lock);
	memtable = atomic_load(&store->newest);
	wanted = memtable_end(memtable) == durable && has_room(memtable) &&
		 (durable != memtable->base || memtable->id != atomic_load(&store->retired) + 1);
	if (wanted)
		append_mark(memtable, durable);
	pthread_mutex_unlock(&store->write_lock);
	return wanted;
}

/*
 * One fdatasync() that finds thousands of pages dirty keeps a processor for milliseconds, and a worker may need that.
 * So where nobody waits for the sync, they are handed to the disk in small pieces first, with rests. A hint: what
 * counts, and tells errors, is fdatasync().
 */
static void flush_ahead(const struct log *log, struct memtable *memtable, size_t end)
{
	if (atomic_load_explicit(&log->durability, memory_order_relaxed) == ENGINE_ALWAYS)
		return;
	if (memtable->flushed < memtable->synced)
		memtable->flushed = memtable->synced;
	for (; end > memtable->flushed + FLUSH_BYTES; memtable->flushed += FLUSH_BYTES) {
		if (sync_file_range(memtable->fd, (off_t)memtable->flushed, FLUSH_BYTES, SYNC_FILE_RANGE_WRITE) != 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = FLUSH_REST_NS }, NULL);
	}
}

void log_flush(struct log *log)
{
	struct memtable *memtable, *last;
	size_t written;

	pthread_mutex_lock(&log->sync_lock);
	pthread_mutex_lock(&log->write_out_lock);
	last = log->writing;
	written = last->written;
	pthread_mutex_unlock(&log->write_out_lock);
	for (memtable = log->syncing; !log_broken(log); memtable = atomic_load(&memtable->newer)) {
		flush_ahead(log, memtable, memtable == last ? written : memtable->used);
		if (memtable == last)
			break;
	}
	pthread_mutex_unlock(&log->sync_lock);
}

int log_write_again(struct memtable *memtable)
{
	const size_t from = memtable->synced;

	return from < memtable->used ? file_write(memtable->fd, memtable->buffer + from, memtable->used - from, from)
				     : 0;
}

/* What the file holds up to `end`. */
static int sync_file(struct log *log, struct memtable *memtable, size_t end)
{
	int code = memtable->replayed ? log_write_again(memtable) : 0;
	int64_t began_us, usual;

	if (memtable->fd < 0)
		return 0;
	if (code != 0)
		return break_by(log, "write", memtable, code);
	flush_ahead(log, memtable, end);
	began_us = now_us();
	if (fdatasync(memtable->fd) != 0)
		return break_by(log, "sync", memtable, errno);
	memtable->synced = end;
	usual = atomic_load_explicit(&log->sync_us, memory_order_relaxed);
	usual += (now_us() - began_us - usual) / 8;
	atomic_store_explicit(&log->sync_us, usual, memory_order_relaxed);
	atomic_fetch_add_explicit(&log->syncs, 1, memory_order_relaxed);
	return 0;
}

/* Writes out, then syncs every file that has something new; under sync_lock. */
static int sync_all(struct log *log)
{
	struct memtable *last;
	size_t written;
	uint64_t end;
	int code;

	pthread_mutex_lock(&log->write_out_lock);
	code = write_all(log);
	last = log->writing;
	written = last->written;
	end = last->base + (written > 0 ? written - sizeof(struct segment_header) : 0);
	pthread_mutex_unlock(&log->write_out_lock);
	while (code == 0) {
		code = sync_file(log, log->syncing, log->syncing == last ? written : log->syncing->used);
		if (log->syncing == last)
			break;
		if (code == 0)
			log->syncing = atomic_load(&log->syncing->newer);
	}
	if (code == 0)
		atomic_store_explicit(&log->durable, end, memory_order_release);
	return code;
}

/* Under sync_lock. */
static int sync_news(struct log *log)
{
	return mark(log) || atomic_load(&log->syncing->frozen) ? sync_all(log) : 0;
}

int log_sync(struct log *log)
{
	int code;

	if (log_broken(log))
		return -1;
	pthread_mutex_lock(&log->sync_lock);
	code = sync_news(log);
	pthread_mutex_unlock(&log->sync_lock);
	return code;
}

void log_lead(struct log *log, struct call_queue *queue)
{
	if (atomic_load_explicit(&log->durability, memory_order_relaxed) != ENGINE_ALWAYS || log_broken(log) ||
	    atomic_load_explicit(&log->sync_us, memory_order_relaxed) > LEAD_SYNC_US_MAX)
		return;
	pthread_mutex_lock(&log->sync_lock);
	if (atomic_load_explicit(&log->durable, memory_order_relaxed) < waiting_position(queue->last))
		sync_news(log);
	pthread_mutex_unlock(&log->sync_lock);
	log_complete(log, queue);
}

int log_seal(struct log *log)
{
	bool whole = log_sync(log) == 0;
	uint64_t durable;

	pthread_mutex_lock(&log->sync_lock);
	durable = atomic_load(&log->durable);
	if (!whole || durable == log->sealed) {
		/* nothing to be said */
	} else if (!mark_end(log)) {
		sync_news(log); /* whose mark says the same, if there are any */
	} else if (sync_all(log) == 0) {
		log->sealed = durable + MARK_FRAME_SIZE;
	}
	pthread_mutex_unlock(&log->sync_lock);
	return log_broken(log) ? -1 : 0;
}
