/* SPDX-License-Identifier: MIT */
#include "durable.h"

#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_MS = 1000 };

void log_break(struct log *log, const char *what, const char *name, int errnum)
{
	const struct engine_host *host = &log->store->options.host;

	bool first;

	pthread_mutex_lock(&log->wait_lock);
	first = !log_broken(log);
	if (first) {
		snprintf(log->reason, sizeof(log->reason), "kv log: cannot %s '%.300s': %s", what, name,
			 strerror(errnum));
		atomic_store(&log->broken, true);
		host->failed(host->context, log->reason);
	}
	pthread_mutex_unlock(&log->wait_lock);
	if (first)
		room_changed(log->store);
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

/* In their order, which is that of their positions, or nearly so with several workers: to look at all that wait each
 * time would cost more than those gain that could go before their turn. */
void log_complete(struct log *log, struct call_queue *queue)
{
	const char *reason = log_broken(log) ? log->reason : NULL;
	uint64_t limit = atomic_load(&log->stopping) ? UINT64_MAX : settled(log->store);

	while (queue->first != NULL && (reason != NULL || waiting_position(queue->first) <= limit)) {
		struct kvrel_call *call = queue->first;

		queue->first = call->next;
		call->next = NULL;
		waiting_complete(call, reason);
	}
	if (queue->first == NULL)
		queue->last = NULL;
}

/* How long to sleep: calls that wait for the applying thread are let through as time passes. */
static struct timespec sleep_until(bool calls_wait)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (!calls_wait)
		until.tv_sec++;
	else
		until.tv_nsec += 1000000;
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

/* Nothing came since the last look. */
static void seal_if_idle(struct log *log, uint64_t *seen)
{
	uint64_t durable = atomic_load(&log->durable);

	if (durable == *seen && atomic_load(&log->durability) != ENGINE_NONE)
		log_seal(log);
	*seen = atomic_load(&log->durable);
}

static void log_main(void *argument)
{
	struct log *log = argument;
	struct call_queue queue = { NULL, NULL };
	int64_t synced_ms = now_ms(), looked_ms = synced_ms;
	uint64_t seen = 0;
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
		if (now_ms() - looked_ms >= IDLE_MS) {
			looked_ms = now_ms();
			seal_if_idle(log, &seen);
		}
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
