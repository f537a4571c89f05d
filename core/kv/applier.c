/* SPDX-License-Identifier: MIT */
/*
 * The applying thread: decides when a memtable is frozen, brings frozen ones into the pages, and puts away what is done
 * with: memory when no reader can see it any more, the segment's file as the next segment.
 *
 * What the pages refuse (a full disk, a full map) is tried again every second. Meanwhile the log goes on up to its
 * limit, and reads are not affected.
 */
#include "apply.h"
#include "background.h"
#include "thread.h"

#include <stdlib.h>
#include <unistd.h>

enum { RETRY_MS = 1000, FORGET_PAGES = 512 };

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

static bool is_stopping(const struct applier *applier)
{
	return atomic_load(&applier->stopping);
}

/* ---- applying ------------------------------------------------------------------------------------------------ */

static void tell_stuck(struct durable *store, int code, const char *damage)
{
	const struct engine_host *host = &store->options.host;
	struct applier *applier = &store->applier;
	struct kv_error err;
	bool lost = atomic_load(&store->pages.map.lost), news;

	if (lost)
		pages_lost(&store->pages, &err);
	else if (damage != NULL && damage[0] != '\0')
		kv_fail(&err, "%s", damage);
	else
		pages_fail(&err, "cannot apply the log", pages_write_error(store->pages.file, code));
	pthread_mutex_lock(&applier->lock);
	news = lost ? !applier->lost_told : !atomic_load(&applier->stuck);
	applier->lost_told = lost;
	memcpy(applier->reason, err.message, sizeof(applier->reason));
	atomic_store(&applier->stuck, true);
	pthread_mutex_unlock(&applier->lock);
	room_changed(store);
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
	if (atomic_exchange(&store->applier.stuck, false))
		room_changed(store);
	return true;
}

/* Readers cannot log; what they came upon ends all changes of the pages. */
static bool is_lost(struct durable *store)
{
	if (!atomic_load(&store->pages.map.lost))
		return false;
	if (!store->applier.lost_told)
		tell_stuck(store, MDB_CORRUPTED, NULL);
	return true;
}

void applier_lost(void *context)
{
	tell_stuck(context, MDB_CORRUPTED, NULL);
}

/* What can wait has failed, or gone on: told once. */
static void note_failed(struct durable *store, bool failed, bool *told, const struct kv_error *err)
{
	const struct engine_host *host = &store->options.host;

	if (failed && !*told && !is_lost(store))
		host->log(host->context, KVREL_WARN, err->message);
	*told = failed;
}

/* Files of far values that no page points to any more, nor will after a power loss. */
static void give_up_empty(struct durable *store)
{
	struct values *values = store->pages.values;
	struct value_file *file;

	if (!values_have_empty(values) || !sync_pages(store))
		return;
	values_note_empty(values, backgrounds_begun(store));
	/* whose snapshot is older than the last commit may be about to ask for one of them */
	epoch_wait(&store->epoch, store->readers, store->slot_count);
	while ((file = values_take_empty(values, backgrounds_oldest(store))) != NULL) {
		int fd;

		epoch_wait(&store->epoch, store->readers, store->slot_count);
		values_forget_sets(values);
		fd = segment_open(store->log.dir_fd, file->number);
		recycle(store, file->number, fd >= 0 ? file->row.size : 0, fd);
		value_file_free(file);
	}
}

/* Space comes back as fast as it is used up: one file's worth of cleaning for one memtable. Whether there may be more.
 */
static bool clean(struct durable *store)
{
	struct kv_error err;
	int done;

	if (is_lost(store))
		return false;
	give_up_empty(store);
	done = clean_values(store, &err);
	note_failed(store, done < 0, &store->applier.cannot_clean, &err);
	give_up_empty(store);
	return done > 0;
}

/*
 * While workers have nothing to do, nobody misses what they have read of the pages. While they have, what they read and
 * what transactions changed adds up, until the whole file counts as resident.
 */
static void forget_if_due(struct durable *store)
{
	uint64_t turns = epoch_turns(store->readers, store->slot_count);

	if (turns == store->applier.turns || store->applier.pages_touched >= FORGET_PAGES) {
		pages_forget(&store->pages);
		store->applier.pages_touched = 0;
	}
	store->applier.turns = turns;
}

/* Some of what dropped buckets left behind. Whether there may be more. */
static bool clear(struct durable *store)
{
	struct kv_error err;
	bool more;
	int code = clear_garbage(&store->pages, &more, &err);

	note_failed(store, code != 0, &store->applier.cannot_clear, &err);
	return code == 0 && more;
}

/* False: given up because of stopping, or because the log is broken. */
static bool apply_memtable(struct durable *store, struct memtable *memtable)
{
	struct applier *applier = &store->applier;
	const struct memtable *next = overtaken_await(store, memtable);
	struct apply apply;
	bool finished = false;
	int code;

	pthread_mutex_lock(&applier->lock);
	if (applier->freeze_up_to >= memtable->id)
		next = NULL; /* somebody wants the pages as they were at the memtable's end */
	pthread_mutex_unlock(&applier->lock);
	admission_taken_up(store, memtable);
	while ((code = apply_init(&apply, store, memtable, next)) != 0) {
		tell_stuck(store, code, NULL);
		if (is_stopping(applier))
			return false;
		doze(applier, RETRY_MS);
	}
	/* what is in the pages has to be in the log, or a replay ends elsewhere; and what is left out rests on it alone
	 */
	if ((next != NULL ? log_seal : log_sync)(&store->log) != 0) {
		apply_done(&apply);
		return false;
	}
	if (next != NULL) /* it was waited for: the room that is left is not for lack of speed */
		pace_go_on(&apply.pace);
	pthread_mutex_lock(&applier->lock);
	applier->applying = true;
	pthread_mutex_unlock(&applier->lock);
	admission_begun(store);
	while (!finished) {
		code = apply_step(&apply, &finished);
		if (code == 0) {
			forget_if_due(store);
			continue;
		}
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
	if (!is_stopping(applier))
		clean(store);
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
				room_changed(store);
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
			garbage = clear(store) || clean(store);
		} else {
			doze(applier, wait);
			give_memory_back(store);
			give_files_back(store);
			garbage = clean(store);
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
	room_changed(store);
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
	room_changed(store);
	pthread_join(applier->thread, NULL);
	sort_memory_done(&applier->sorting);
	applier->started = false;
}
