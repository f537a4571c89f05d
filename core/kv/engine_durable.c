/* SPDX-License-Identifier: MIT */
/* The durable engine as kv sees it: opening and closing the folder, handing requests to those who know their kind. */
#include "apply.h"
#include "background.h"

#include "hash.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_READERS = 16 };

/* ---- requests ---------------------------------------------------------------------------------------------- */

static void run_sync(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	uint64_t end;

	pthread_mutex_lock(&store->write_lock);
	end = memtable_end(atomic_load(&store->newest));
	pthread_mutex_unlock(&store->write_lock);
	if (end <= atomic_load(&store->log.durable)) {
		const struct kvrel_result done = { .status = KVREL_OK };

		request->call->complete(request->call, &done);
		return;
	}
	wait_for_sync(slot, request->call);
	slot->sync_wanted = true;
}

static void run_count(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	int64_t count = atomic_load(&store->bucket_count);

	finish_int(store, slot, request->call, atomic_load(&store->directory_changed), count);
}

/* Whether it could tell of a write that is staged, or comes behind it. */
static bool needs_staged(struct durable *store, const struct slot *slot, const struct engine_request *request)
{
	uint64_t key_hash = request->call->scratch[0];

	if (request->kind == ENGINE_PUT)
		return false; /* decides itself */
	if (request->kind != ENGINE_GET && request->kind != ENGINE_HAS && request->kind != ENGINE_VALUE_SIZE)
		return true;
	return stage_may_hold(slot->stage, key_hash != 0 ? key_hash : hash_name(store, request->items[0]));
}

static void run(struct durable *store, struct slot *slot, const struct engine_request *request)
{
	if (slot->stage != NULL && needs_staged(store, slot, request))
		stage_append(store, slot);
	switch (request->kind) {
	case ENGINE_CREATE:
		run_create(store, slot, request);
		break;
	case ENGINE_DROP:
		run_drop(store, slot, request);
		break;
	case ENGINE_PUT:
		run_put(store, slot, request);
		break;
	case ENGINE_INCREMENT:
		run_increment(store, slot, request);
		break;
	case ENGINE_DELETE:
		run_delete(store, slot, request);
		break;
	case ENGINE_GET:
	case ENGINE_GET_MANY:
	case ENGINE_HAS:
	case ENGINE_VALUE_SIZE:
	case ENGINE_LENGTH:
		run_read(store, slot, request);
		break;
	case ENGINE_LIST:
		run_list(store, slot, request);
		break;
	case ENGINE_EXISTS:
		run_exists(store, slot, request);
		break;
	case ENGINE_COUNT:
		run_count(store, slot, request);
		break;
	case ENGINE_STATS:
		run_stats(store, slot, request);
		break;
	case ENGINE_SYNC:
		run_sync(store, slot, request);
		break;
	case ENGINE_BACKUP:
		run_backup(store, request);
		break;
	case ENGINE_VERIFY:
		run_verify(store, request);
		break;
	case ENGINE_KIND_COUNT:
		result_error(request->call, "no such request");
		break;
	}
}

/* Appends what is staged and completes what need not wait for a sync. The slot is inside. */
static void slot_settle(struct durable *store, struct slot *slot)
{
	struct log *log = &store->log;

	stage_append(store, slot);
	if (atomic_load_explicit(&log->durability, memory_order_relaxed) == ENGINE_ALWAYS)
		return;
	if (slot->wrote)
		log_write_out(log, memtable_end(atomic_load_explicit(&store->newest, memory_order_acquire)));
	slot->wrote = false;
	if (slot->waiting.first != NULL && !slot->sync_wanted)
		log_complete(log, &slot->waiting);
}

/* The worker holds nothing any more; what it wrote goes on its way. */
static void slot_leave(struct durable *store, struct slot *slot)
{
	if (!slot->inside)
		return;
	slot_settle(store, slot);
	slot->inside = slot->wrote = false;
	page_reader_end(&slot->reader);
	epoch_leave(&slot->epoch);
	if (slot->waiting.first != NULL && slot->stage != NULL && !slot->sync_wanted)
		log_lead(&store->log, &slot->waiting);
	if (slot->waiting.first != NULL)
		log_hand_over(&store->log, &slot->waiting, slot->sync_wanted);
	slot->sync_wanted = false;
}

static bool writes(enum engine_kind kind)
{
	return kind == ENGINE_CREATE || kind == ENGINE_DROP || kind == ENGINE_PUT || kind == ENGINE_INCREMENT ||
	       kind == ENGINE_DELETE;
}

static void durable_submit(struct engine *engine, const struct engine_request *request)
{
	struct durable *store = (struct durable *)engine;

	if (request->call->worker < store->slot_count - 1) {
		struct slot *slot = slot_enter(store, request->call->worker);

		if (slot->pipe.added > 0)
			prefetch_finish(store, slot);
		run(store, slot, request);
		return;
	}
	pthread_mutex_lock(&store->no_worker_lock);
	if (writes(request->kind))
		room_await(store);
	run(store, slot_enter(store, KVREL_NO_WORKER), request);
	slot_leave(store, &store->slots[store->slot_count - 1]);
	pthread_mutex_unlock(&store->no_worker_lock);
}

static void durable_batch_ran(struct engine *engine, uint32_t worker)
{
	struct durable *store = (struct durable *)engine;
	struct slot *slot = slot_of(store, worker);

	if (worker >= store->slot_count - 1 || !slot->inside)
		return;
	slot_settle(store, slot);
}

static void durable_batch_end(struct engine *engine, uint32_t worker)
{
	struct durable *store = (struct durable *)engine;

	if (worker < store->slot_count - 1)
		slot_leave(store, &store->slots[worker]);
}

static void durable_set_durability(struct engine *engine, enum engine_durability durability)
{
	struct durable *store = (struct durable *)engine;
	struct call_queue nobody = { NULL, NULL };

	atomic_store(&store->log.durability, durability);
	log_hand_over(&store->log, &nobody, true);
}

/* ---- opening and closing ----------------------------------------------------------------------------------- */

static void slot_done(struct slot *slot)
{
	page_reader_done(&slot->reader);
	free(slot->stage);
}

static void close_spares(struct spares *spares)
{
	while (spares->file_count > 0)
		close(spares->files[--spares->file_count].fd);
	while (spares->memory_count > 0)
		memtable_memory_done(&spares->memory[--spares->memory_count]);
}

static void close_store(struct durable *store)
{
	struct memtable *memtable = store->oldest, *newer;

	for (; memtable != NULL; memtable = newer) {
		newer = atomic_load(&memtable->newer);
		drop_memtable(store, memtable);
	}
	close_spares(&store->spares);
	for (unsigned i = 0; store->slots != NULL && i < store->slot_count; i++)
		slot_done(&store->slots[i]);
	presence_done(&store->presence);
	bucket_table_done(&store->buckets);
	log_close(&store->log);
	pages_close(&store->pages);
	cursors_free(store->cursors);
	pthread_mutex_destroy(&store->no_worker_lock);
	pthread_mutex_destroy(&store->write_lock);
	admission_destroy(&store->admission);
	pthread_mutex_destroy(&store->applier.lock);
	pthread_cond_destroy(&store->applier.wake);
	pthread_cond_destroy(&store->applier.applied);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->readers);
	free(store->slots);
	free(store);
}

static void durable_close(struct engine *engine)
{
	struct durable *store = (struct durable *)engine;

	log_stop(&store->log);
	applier_stop(store);
	while (backgrounds_oldest(store) != UINT64_MAX) /* asks under their lock: the last one has let go of it */
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	log_seal(&store->log);
	close_store(store);
}

static const struct engine_type durable_type = {
	.name = "durable",
	.prefetch = durable_prefetch,
	.submit = durable_submit,
	.get = durable_get,
	.put = durable_put,
	.batch_ran = durable_batch_ran,
	.batch_end = durable_batch_end,
	.set_durability = durable_set_durability,
	.close = durable_close,
};

/* Makes the folder and those above it. */
static int make_folders(const char *path, struct kv_error *err)
{
	char part[4096];

	if (strlen(path) >= sizeof(part))
		return kv_fail(err, "kv store: the path is too long");
	for (size_t i = 1;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) == 0 ? file_sync_parent(part) != 0 : errno != EEXIST)
			return kv_fail(err, "kv store: cannot make '%.300s': %s", part, strerror(errno));
		if (path[i] == '\0')
			return 0;
	}
}

/* One process a folder. The lock goes with the process; the number in the file is for the message only. */
static int lock_folder(struct durable *store, struct kv_error *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4200], owner[32] = "";
	ssize_t size;

	snprintf(path, sizeof(path), "%s/lock", store->dir);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return kv_fail(err, "kv store: cannot open '%.300s': %s", path, strerror(errno));
	if (fcntl(store->lock_fd, F_OFD_SETLK, &whole) != 0) {
		size = pread(store->lock_fd, owner, sizeof(owner) - 1, 0);
		owner[size > 0 ? strcspn(owner, "\n") : 0] = '\0';
		return kv_fail(err,
			       "kv store: '%.300s' is in use by another node (process %s): a data folder serves one",
			       store->dir, owner[0] != '\0' ? owner : "unknown");
	}
	size = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
	if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, owner, (size_t)size, 0) != size)
		return kv_fail(err, "kv store: cannot write '%.300s': %s", path, strerror(errno));
	return 0;
}

static int make_slots(struct durable *store, struct kv_error *err)
{
	store->slot_count = store->options.workers + 1;
	store->slots = aligned_alloc(64, store->slot_count * sizeof(struct slot));
	store->readers = calloc(store->slot_count, sizeof(struct epoch_reader *));
	if (store->slots != NULL)
		memset(store->slots, 0, store->slot_count * sizeof(struct slot));
	if (store->slots == NULL || store->readers == NULL)
		return kv_fail(err, "out of memory");
	presence_init(&store->presence, store->options.cache_size / 2);
	for (unsigned i = 0; i < store->slot_count; i++) {
		bool worker = i < store->options.workers;
		uint64_t cache = worker ? store->options.cache_size / 2 / store->options.workers : 0;

		store->readers[i] = &store->slots[i].epoch;
		page_reader_init(&store->slots[i].reader, &store->pages, cache);
		if (worker && (store->slots[i].stage = stage_new()) == NULL)
			return kv_fail(err, "out of memory");
	}
	return 0;
}

static void init_locks(struct durable *store)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&store->no_worker_lock, NULL);
	pthread_mutex_init(&store->write_lock, NULL);
	admission_init(&store->admission);
	pthread_mutex_init(&store->applier.lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&store->applier.wake, &attributes);
	pthread_cond_init(&store->applier.applied, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int open_store(struct durable *store, struct kv_error *err)
{
	store->pages.give_up = &store->applier.stopping;
	store->pages.lost = applier_lost;
	store->pages.lost_context = store;
	if (bucket_table_init(&store->buckets) != 0 || (store->cursors = cursors_new()) == NULL)
		return kv_fail(err, "out of memory");
	if (make_folders(store->dir, err) != 0 || lock_folder(store, err) != 0 ||
	    pages_open(&store->pages, store->dir, store->options.map_size, store->options.workers + SPARE_READERS,
		       err) != 0 ||
	    make_slots(store, err) != 0 || log_open(&store->log, store->dir, err) != 0)
		return -1;
	store->next_bucket = store->pages.state.next_bucket;
	atomic_store(&store->bucket_count, store->pages.state.bucket_count);
	if (log_recover(&store->log, err) != 0 || log_start(&store->log, err) != 0)
		return -1;
	if (applier_start(store, err) != 0) {
		log_stop(&store->log);
		return -1;
	}
	return 0;
}

int engine_durable_open(const struct engine_options *options, struct engine **out, struct kv_error *err)
{
	struct durable *store = calloc(1, sizeof(*store));
	uint64_t segment = options->segment_size & ~(uint64_t)(SEGMENT_UNIT - 1);

	if (store == NULL)
		return kv_fail(err, "out of memory");
	store->engine.type = &durable_type;
	store->options = *options;
	store->options.segment_size = segment < SEGMENT_MIN   ? SEGMENT_MIN
				      : segment > SEGMENT_MAX ? SEGMENT_MAX
							      : segment;
	snprintf(store->dir, sizeof(store->dir), "%s", options->dir);
	store->options.dir = store->dir;
	store->lock_fd = store->log.dir_fd = -1;
	atomic_store(&store->log.durability, options->durability);
	atomic_store(&store->epoch.now, 1);
	init_locks(store);
	log_init(&store->log, store);
	crc32c_init();
	if (getrandom(&store->seed, sizeof(store->seed), 0) != sizeof(store->seed))
		store->seed = (uint64_t)now_ms();
	if (open_store(store, err) != 0) {
		close_store(store);
		return -1;
	}
	*out = &store->engine;
	return 0;
}
