/* SPDX-License-Identifier: MIT */
#include "durable.h"

#include "hash.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 << 10, FLUSH_REST_NS = 150000 };

void log_break(struct log *log, const char *what, const char *name, int errnum)
{
	const struct engine_host *host = &log->store->options.host;

	pthread_mutex_lock(&log->wait_lock);
	if (!log_broken(log)) {
		snprintf(log->reason, sizeof(log->reason), "kv log: cannot %s '%.300s': %s", what, name,
			 strerror(errnum));
		atomic_store(&log->broken, true);
		host->failed(host->context, log->reason);
	}
	pthread_mutex_unlock(&log->wait_lock);
}

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
	if (news && memtable_end(memtable) != memtable->base && memtable->size - memtable->used >= MARK_FRAME_SIZE) {
		struct frame *frame = (struct frame *)(void *)(memtable->buffer + memtable->used);
		struct kvrel_slice value = { (const char *)&durable, sizeof(durable) };

		record_write((char *)(frame + 1), RECORD_MARK, 0, (struct kvrel_slice){ 0 }, value);
		frame->size = (uint32_t)record_size(0, sizeof(durable));
		frame->position = memtable_position(memtable, frame);
		frame->checksum = frame_checksum(frame, memtable->number);
		memtable->used += MARK_FRAME_SIZE;
	}
	pthread_mutex_unlock(&store->write_lock);
	return news;
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
	for (size_t at = memtable->synced; end - at > FLUSH_BYTES; at += FLUSH_BYTES) {
		if (sync_file_range(memtable->fd, (off_t)at, FLUSH_BYTES, SYNC_FILE_RANGE_WRITE) != 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = FLUSH_REST_NS }, NULL);
	}
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

/* ---- those who wait ---------------------------------------------------------------------------------------- */

static void queue_append(struct call_queue *queue, struct call_queue *more)
{
	if (more->first == NULL)
		return;
	if (queue->last != NULL)
		queue->last->next = more->first;
	else
		queue->first = more->first;
	queue->last = more->last;
	*more = (struct call_queue){ NULL, NULL };
}

void log_hand_over(struct log *log, struct call_queue *queue, bool sync)
{
	bool wake;

	pthread_mutex_lock(&log->wait_lock);
	queue_append(&log->handed, queue);
	log->sync_wanted |= sync;
	wake = log->asleep;
	log->asleep = false;
	pthread_mutex_unlock(&log->wait_lock);
	if (wake)
		pthread_cond_signal(&log->wake);
}

void log_complete(struct log *log, struct call_queue *queue)
{
	const char *reason = log_broken(log) ? log->reason : NULL;
	uint64_t limit = atomic_load(&log->stopping) ? UINT64_MAX : settled(log->store);
	struct call_queue rest = { NULL, NULL };

	while (queue->first != NULL) {
		struct kvrel_call *call = queue->first;

		queue->first = call->next;
		call->next = NULL;
		if (reason != NULL || waiting_position(call) <= limit) {
			waiting_complete(call, reason);
		} else {
			struct call_queue one = { call, call };

			queue_append(&rest, &one);
		}
	}
	*queue = rest;
}

/* How long to sleep: while calls wait for the applying thread, it is looked after often. */
static struct timespec sleep_until(bool calls_wait)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (!calls_wait)
		until.tv_sec++;
	else
		until.tv_nsec += 2000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

/*
 * Until there is something to do. Takes what was handed over; *sync: it wants a sync. False: stopping, and nobody
 * waits. Calls that were handed over before the log is synced are taken before, so that all of them rest on what that
 * sync covers.
 */
static bool await_work(struct log *log, struct call_queue *queue, bool *sync)
{
	bool stopping;

	pthread_mutex_lock(&log->wait_lock);
	if (log->handed.first == NULL && !log->sync_wanted && !log->stopping) {
		struct timespec until = sleep_until(queue->first != NULL);

		log->asleep = true;
		pthread_cond_timedwait(&log->wake, &log->wait_lock, &until);
		log->asleep = false;
	}
	stopping = log->stopping;
	*sync = log->sync_wanted || stopping || atomic_load(&log->durability) == ENGINE_ALWAYS;
	log->sync_wanted = false;
	queue_append(queue, &log->handed);
	pthread_mutex_unlock(&log->wait_lock);
	return !stopping || queue->first != NULL;
}

static void log_main(void *argument)
{
	struct log *log = argument;
	struct call_queue queue = { NULL, NULL };
	int64_t synced_ms = now_ms();
	bool sync;

	while (await_work(log, &queue, &sync)) {
		if (atomic_load(&log->durability) == ENGINE_EVERYSEC && now_ms() - synced_ms >= 1000)
			sync = true;
		if (sync) {
			synced_ms = now_ms();
			log_sync(log);
		} else {
			log_write_out(log, UINT64_MAX);
		}
		log_complete(log, &queue);
	}
}

/* ---- beginning and end ------------------------------------------------------------------------------------- */

void log_init(struct log *log, struct durable *store)
{
	pthread_condattr_t attributes;

	log->store = store;
	pthread_mutex_init(&log->write_out_lock, NULL);
	pthread_mutex_init(&log->sync_lock, NULL);
	pthread_mutex_init(&log->wait_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&log->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	log->dir_fd = -1;
}

int log_open(struct log *log, const char *dir, struct kv_error *err)
{
	if ((size_t)snprintf(log->dir, sizeof(log->dir), "%s/log", dir) >= sizeof(log->dir))
		return kv_fail(err, "kv log: the path is too long");
	if (mkdir(log->dir, 0700) == 0 ? file_sync_parent(log->dir) != 0 : errno != EEXIST)
		return kv_fail(err, "kv log: cannot make '%.300s': %s", log->dir, strerror(errno));
	log->dir_fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir_fd < 0)
		return kv_fail(err, "kv log: cannot open '%.300s': %s", log->dir, strerror(errno));
	return 0;
}

int log_start(struct log *log, struct kv_error *err)
{
	int code = thread_start(&log->thread, &log->store->options.host, "kv-log", log_main, log);

	if (code != 0)
		return kv_fail(err, "kv log: cannot start its thread: %s", strerror(code));
	log->started = true;
	return 0;
}

void log_stop(struct log *log)
{
	if (!log->started)
		return;
	pthread_mutex_lock(&log->wait_lock);
	log->stopping = true;
	pthread_mutex_unlock(&log->wait_lock);
	pthread_cond_signal(&log->wake);
	pthread_join(log->thread, NULL);
	log->started = false;
}

void log_close(struct log *log)
{
	if (log->dir_fd >= 0)
		close(log->dir_fd);
	pthread_mutex_destroy(&log->write_out_lock);
	pthread_mutex_destroy(&log->sync_lock);
	pthread_mutex_destroy(&log->wait_lock);
	pthread_cond_destroy(&log->wake);
}
