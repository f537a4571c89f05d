/* SPDX-License-Identifier: MIT */
/*
 * The durable engine: a log in front of LMDB.
 *
 * A write goes into the newest memtable, which is the log's newest segment, and is acknowledged when the log is synced.
 * When a segment is full, or its oldest write is, the memtable is frozen, and the applying thread puts what it amounts
 * to into LMDB in order of keys, in a few synced transactions; what the next memtable overtakes stays out. Then the
 * segment is done with, unless it keeps large values (values.h): that is the checkpoint. A read looks into the
 * memtables, newest first, then into LMDB.
 *
 * Who holds what: write_lock is for appending, memtables' entries, the bucket table and ids. Readers hold nothing; a
 * worker is inside the epoch from its first request of a wake-up to batch_end and sees, besides LMDB's snapshot, all
 * memtables younger than `retired` was when it came in. So the snapshot, which is taken later, holds at least what the
 * memtables it looks into do not.
 *
 * A result that rests on a write waits until that write is durable. How far that is, is one number, a position in the
 * log.
 */
#ifndef KV_DURABLE_H
#define KV_DURABLE_H

#include "admission.h"
#include "bucket.h"
#include "engine.h"
#include "epoch.h"
#include "hash.h"
#include "listing.h"
#include "log.h"
#include "memtable.h"
#include "pages.h"
#include "presence.h"
#include "result.h"
#include "spares.h"

#include <pthread.h>

enum {
	MEMTABLES_SLOW = 2,  /* more unapplied: acknowledgements are held back, see admission.h */
	MEMTABLES_MAX = 6,   /* so many: writes are refused */
	PREFETCH_DEPTH = 16, /* requests between two steps of the prefetching pipeline */
};

struct prefetched {
	uint64_t hash;
	bool reads;     /* the value is wanted; a write asks whether the key is there */
	bool in_memory; /* a memtable seems to know the key */
};

/* Those that look-ups go through; NULL: there are no more. While the applying thread lags behind there are three,
 * seldom four. */
struct prefetch_tables {
	const struct memtable *newest, *older, *oldest;
};

struct prefetch_pipe {
	uint32_t added;
	struct prefetch_tables tables; /* as of the first that was added */
	struct prefetched items[PREFETCH_DEPTH * 2];
};

struct stage;
struct snapshot_wish;
struct background;

/* One worker's; the last one is shared by threads that are not workers, under no_worker_lock. */
struct slot {
	struct epoch_reader epoch;
	bool inside;
	uint64_t retired; /* the store's when it came inside */
	struct page_reader reader;
	uint64_t generation; /* of the store's presence, then */
	uint64_t settled;    /* what might be told when it came inside: everything before it */
	struct bucket *memo; /* the bucket found last */
	struct prefetch_pipe pipe;
	struct stage *stage; /* NULL for the last one */
	struct call_queue waiting;
	bool wrote;
	bool sync_wanted;
};

/* Two pieces of the same size; kept from memtable to memtable, as memtables' memory is. */
struct item;
struct sort_memory {
	struct item *items, *other;
	size_t capacity;
};

struct applier {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;    /* something to do */
	pthread_cond_t applied; /* `retired` moved on, or a failure */
	_Atomic bool stopping;
	bool nudged;
	uint64_t freeze_up_to;      /* id of a memtable that somebody wants applied */
	struct background *running; /* threads of background.h */
	uint64_t backgrounds_begun;
	bool applying;        /* a part of a memtable may be in the pages */
	_Atomic bool crowded; /* as the host was told, see room.c */
	struct snapshot_wish *wishes;
	_Atomic bool stuck;
	char reason[KV_ERROR_BYTES];
	_Atomic uint64_t transactions, records;
	_Atomic uint64_t overtaken;      /* keys left out */
	bool cannot_clean, cannot_clear; /* and it was told */
	bool lost_told;                  /* that not all of the pages can be read */
	uint64_t turns;                  /* of all readers, when that was last looked at */
	struct sort_memory sorting;
	uint64_t pages_touched; /* by transactions, at most, since pages_forget() */
	uint64_t touches;       /* numbers transactions for struct bucket's stored.touched */
};

struct durable {
	struct engine engine;
	struct engine_options options;
	char dir[4096];
	int lock_fd;

	struct slot *slots;
	struct epoch_reader **readers;
	unsigned slot_count;
	pthread_mutex_t no_worker_lock;
	struct epoch epoch;
	uint64_t seed;

	struct admission admission;

	pthread_mutex_t write_lock;
	struct bucket_table buckets;
	uint64_t next_bucket;
	_Atomic int64_t bucket_count;
	_Atomic uint64_t directory_changed;
	_Atomic(struct memtable *) newest;
	_Atomic uint64_t newest_id, newest_base; /* for who must not look into it */
	_Atomic uint64_t newest_room;            /* bytes that it will hold, if it is like the one before */
	struct memtable *oldest;                 /* the applying thread's */
	_Atomic uint64_t retired;                /* id of the youngest memtable that the pages hold whole */
	struct spares spares;
	_Atomic uint64_t leaf_pages; /* of the pages, when they were last changed */

	struct pages pages;
	struct presence presence;
	struct log log;
	struct applier applier;
	struct cursors *cursors;
	struct bucket directory; /* bucket 0: names; last, since its own name follows it */
};

/* ---- durable.c: inside and out, names, waiting --------------------------------------------------------------------
 */

/* Of a worker, or of all others; made to be inside by slot_enter(). */
static inline struct slot *slot_of(struct durable *store, uint32_t worker)
{
	return &store->slots[worker < store->slot_count - 1 ? worker : store->slot_count - 1];
}

void slot_begin(struct durable *store, struct slot *slot);
static inline struct slot *slot_enter(struct durable *store, uint32_t worker)
{
	struct slot *slot = slot_of(store, worker);

	if (!slot->inside)
		slot_begin(store, slot);
	return slot;
}

static inline uint64_t hash_name(const struct durable *store, struct kvrel_slice name)
{
	return hash_bytes(name.data, name.size, store->seed);
}

/* A hash of a bucket's key, for memtables (the lower half) and page spots. */
static inline uint64_t hash_in_bucket(const struct bucket *bucket, uint64_t key_hash)
{
	uint64_t mixed = (key_hash ^ bucket->id * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

	return mixed ^ mixed >> 32;
}

/*
 * The bucket of that name, existing or not; NULL when neither memory nor pages know it. -1: it could not be read. Stays
 * valid while the slot is inside.
 */
int bucket_look_up(struct durable *store, struct slot *slot, struct kvrel_slice name, struct bucket **out,
		   struct kv_error *err);
/* Whether it is the bucket that the slot found last, and that still is the bucket of this name. */
static inline bool slot_remembers(const struct slot *slot, struct kvrel_slice name)
{
	const struct bucket *memo = slot->memo;

	return memo != NULL && memo->name_size == name.size && same_bytes(memo->name, name.data, name.size) &&
	       bucket_is_current(memo);
}

struct found {
	bool there;
	bool in_memory;
	struct kvrel_slice value;
	uint64_t position; /* of the write that it rests on, plus 1; 0: durable for sure */
};

/* In memtables only; false when they don't know the key. */
bool find_in_memory(struct durable *store, const struct slot *slot, const struct bucket *bucket, uint64_t hash,
		    struct kvrel_slice key, struct found *found);
int find_key(struct durable *store, struct slot *slot, const struct bucket *bucket, uint64_t hash,
	     struct kvrel_slice key, struct found *found, struct kv_error *err);
/* The same for who does not need the value, which is not looked for in the pages. */
int find_whether(struct durable *store, struct slot *slot, const struct bucket *bucket, uint64_t hash,
		 struct kvrel_slice key, struct found *found, struct kv_error *err);
/* And for a key that `newest` does not know. */
int find_whether_behind(struct durable *store, const struct memtable *newest, struct slot *slot,
			const struct bucket *bucket, uint64_t hash, struct kvrel_slice key, struct found *found,
			struct kv_error *err);

/*
 * Reads several keys of a bucket as of one moment: calls `read` until nobody wrote several of them meanwhile, at last
 * under the write lock, which it must not take. Its result.
 */
int read_whole(struct durable *store, const struct bucket *bucket, int (*read)(void *context), void *context);

/* Completes the call when what it rests on may be told: everything before `position`. */
void finish(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position,
	    const struct kvrel_result *result);
void finish_int(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position, int64_t integer);
void finish_nil(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position);
void finish_not_found(struct durable *store, struct slot *slot, struct kvrel_call *call, uint64_t position);
/* The call waits until everything before `position` may be told, whether or not it may be by now. */
void wait_for_int(struct slot *slot, struct kvrel_call *call, uint64_t position, int64_t integer);
void wait_for_nil(struct slot *slot, struct kvrel_call *call, uint64_t position);
/* The call is answered with NIL by the log's next sync. */
void wait_for_sync(struct slot *slot, struct kvrel_call *call);
/*
 * How a waiting call keeps its result: scratch[1] the position it waits for, scratch[2] the kind, scratch[3] a number
 * or a copy of the result.
 */
enum waiting { WAITING_NIL, WAITING_INT, WAITING_NOT_FOUND, WAITING_COPY, WAITING_NO_MEMORY };

static inline uint64_t waiting_position(const struct kvrel_call *call)
{
	return call->scratch[1];
}

/* Completes a call that waited; `reason`: with that error. */
void waiting_complete_any(struct kvrel_call *call, const char *reason);
static inline void waiting_complete(struct kvrel_call *call, const char *reason)
{
	if (reason == NULL && call->scratch[2] == WAITING_INT) /* as nearly all do */
		result_int(call, (int64_t)call->scratch[3]);
	else
		waiting_complete_any(call, reason);
}
/* What may be told: everything before it. */
uint64_t settled(struct durable *store);

/* ---- prefetch.c */

/* engine_type's. Leaves the key's hash in the call, and the bucket, for as long as the slot is inside. */
void durable_prefetch(struct engine *engine, struct kvrel_call *call, struct kvrel_slice bucket,
		      struct kvrel_slice key);
/* What it left, of a worker's call that is run with those that were prefetched with it; NULL: nothing of use by now. */
static inline struct bucket *prefetched_bucket(const struct kvrel_call *call)
{
	struct bucket *bucket = (struct bucket *)(uintptr_t)call->scratch[1];

	return bucket != NULL && bucket_is_current(bucket) ? bucket : NULL;
}
/* What of it is still to be done before the first of the requests runs. */
void prefetch_finish(struct durable *store, struct slot *slot);

/* ---- the kinds of requests ----------------------------------------------------------------------------------------
 */

/* durable_write.c; run_put_now: not to be staged */
void run_put_now(struct durable *store, struct slot *slot, const struct engine_request *request);
void run_put(struct durable *store, struct slot *slot, const struct engine_request *request);
void run_increment(struct durable *store, struct slot *slot, const struct engine_request *request);
void run_delete(struct durable *store, struct slot *slot, const struct engine_request *request);
/* durable_bucket.c */
void run_create(struct durable *store, struct slot *slot, const struct engine_request *request);
void run_drop(struct durable *store, struct slot *slot, const struct engine_request *request);
void run_exists(struct durable *store, struct slot *slot, const struct engine_request *request);
/* durable_read.c */
void run_read(struct durable *store, struct slot *slot, const struct engine_request *request);
/* engine_type's */
void durable_get(struct engine *engine, struct kvrel_call *call, uint32_t flags);
/* durable_list.c */
void run_list(struct durable *store, struct slot *slot, const struct engine_request *request);
/* durable_stats.c */
void run_stats(struct durable *store, struct slot *slot, const struct engine_request *request);
/* backup.c */
void run_backup(struct durable *store, const struct engine_request *request);
/* background.c */
void run_verify(struct durable *store, const struct engine_request *request);

/* ---- stage.c: writes on their way to one frame --------------------------------------------------------------------
 */

/* NULL without memory; free() suffices, when nothing is in it. */
struct stage *stage_new(void);
/* Takes a request to put one key of a bucket that exists. False: it is not of that kind. */
bool stage_put(struct durable *store, struct slot *slot, const struct engine_request *request);
/* engine_type's */
void durable_put(struct engine *engine, struct kvrel_call *call, uint32_t flags);
/* Whether a key of this hash (hash_name) may have been staged, in any bucket. */
bool stage_may_hold(const struct stage *stage, uint64_t key_hash);
/* Appends what was staged: the calls are completed or wait. */
void stage_append(struct durable *store, struct slot *slot);

/* ---- append.c: one frame of the log, under the write lock
 * ------------------------------------------------------------ */

struct appender {
	struct durable *store;
	struct memtable *memtable;
	char *frame, *at;
};

/* Locks, and makes room for `bytes` of records and `entries` keys. 0; or -1, unlocked, and why. */
int append_begin(struct appender *appender, struct durable *store, size_t bytes, uint32_t entries,
		 struct kv_error *err);
/* The node to write to: `bucket`, or if that is NULL or of the past, the present one, made if need be. NULL when
 * that cannot be. */
struct bucket *append_bucket(struct appender *appender, struct kvrel_slice name, struct bucket *bucket);
/* Why it was NULL. */
const char *append_bucket_refusal(const struct appender *appender);
/* What has to stand before the first record of a bucket: that it exists (stays: for good), or its name. */
void append_existence(struct appender *appender, struct bucket *bucket, bool stays);
void append_vanish(struct appender *appender, struct bucket *bucket);
void append_drop(struct appender *appender, struct bucket *bucket);
/* One key. `below`: whether the pages hold it, where memtables don't know it. Returns whether it was there before. */
bool append_record(struct appender *appender, const struct slot *slot, struct bucket *bucket, enum record_kind kind,
		   uint64_t hash, struct kvrel_slice key, struct kvrel_slice value, bool below);
/* The position behind the frame, were it sealed now. */
uint64_t append_position(const struct appender *appender);
/* Seals the frame, if anything is in it, and unlocks. The position behind it, 0 for an empty one. */
uint64_t append_end(struct appender *appender, struct bucket *bucket);
/* Bytes that existence, name or vanishing of this bucket may take. */
size_t append_bucket_bytes(struct kvrel_slice name);

/* A new newest memtable; under the write lock. */
int rotate(struct durable *store, struct kv_error *err);
/* The first one. On a full disk it has no segment, and takes nothing: whoever writes asks for the next one. */
int rotate_first(struct durable *store, struct kv_error *err);
/* Replays one key's record; at the start only. */
void replay_key(struct memtable *memtable, struct bucket *bucket, uint64_t hash, const struct record *record);

/* ---- apply.c ---------------------------------------------------------------------------------------------------- */

int applier_start(struct durable *store, struct kv_error *err);
/* Applies everything, if it can. */
void applier_stop(struct durable *store);
void applier_nudge(struct durable *store);
/* The lost() of a store's pages: what the applying thread, which is over, had to do is refused from now on. */
void applier_lost(void *store);

/* room.c. After whatever bears on it: a new memtable, one that is applied, a failure, the end. */
void room_changed(struct durable *store);
/* Returns when there is room, or nothing comes of waiting for it. With no_worker_lock, which it gives up meanwhile. */
void room_await(struct durable *store);

/* ---- snapshot.c ------------------------------------------------------------------------------------------------- */

struct snapshot_wish {
	struct snapshot_wish *next;
	uint64_t wanted; /* id of the memtable that has to be in it */
	bool done;
	int code;
	MDB_txn *txn;
	struct page_meta meta;
	struct kv_error err;
};

/*
 * The pages as they are after everything written before the call, and whole requests only. 0, or -1 and why. Not on a
 * worker. snapshot_end() in any case.
 */
int snapshot_begin(struct durable *store, struct snapshot_wish *wish, struct kv_error *err);
void snapshot_end(struct snapshot_wish *wish);
/* The applying thread's, between two memtables, under its lock. */
void snapshots_take(struct durable *store);

static inline int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t now_ms(void)
{
	return now_us() / 1000;
}

#endif
