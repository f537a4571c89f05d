/* SPDX-License-Identifier: MIT */
/* One memtable on its way into the pages, transaction by transaction; the applying thread's alone. */
#ifndef KV_APPLY_H
#define KV_APPLY_H

#include "durable.h"
#include "guard.h"
#include "pace.h"

#include <errno.h>

struct item {
	uint64_t order;  /* the bytes in which keys of this bucket begin to differ, as a number */
	uint64_t bucket; /* id */
	uint32_t entry : 31, existed : 1;
	uint32_t record; /* in the memtable's buffer, in units of RECORD_ALIGN */
};

/* Hashes of the last keys that came: they are noted when their lines of the presence have come in. */
enum { NEWCOMERS = 8 };
struct newcomers {
	uint64_t hashes[NEWCOMERS];
	unsigned count; /* modulo NEWCOMERS, the next place */
};

struct undo {
	struct bucket *bucket;
	bool there;
	uint8_t stays;
	int64_t count;
};

/*
 * Items in order: the directory's, then keys. Steps go over all of them, of the directory's those that begin a bucket,
 * and over the directory's again, those that end one.
 */
struct apply {
	struct durable *store;
	struct memtable *memtable;
	struct pace pace;
	struct item *items; /* the applier's sorting memory */
	size_t count, directory_count;
	const struct memtable *next; /* what it overtakes is left out; NULL: nothing is */
	bool removed;                /* the transaction takes keys out */
	bool far;                    /* large values stay in the segment */
	size_t at, began_at;         /* steps */
	struct bucket *bucket;       /* of the last key */
	MDB_txn *txn;
	MDB_cursor *cursor;
	struct guard guard;
	struct newcomers newcomers;
	struct page_state state;
	uint64_t transaction;
	struct undo *undo;
	size_t undo_count, undo_capacity;
};

/* The memtable is frozen. 0 or an error of LMDB or errno. From here on to the first step the log has to be synced. */
int apply_init(struct apply *apply, struct durable *store, struct memtable *memtable, const struct memtable *next);
void apply_done(struct apply *apply);
void sort_memory_done(struct sort_memory *memory);
/* One transaction. After an error nothing has happened; it may be tried again. */
int apply_step(struct apply *apply, bool *finished);

/* Before a bucket's `stored` changes: a transaction that fails takes it back. 0 or an error of errno. */
int apply_touch(struct apply *apply, struct bucket *bucket);

/* ---- apply_bucket.c: the directory. 0 or an error of LMDB or errno ---- */

/* Of a record that says that a bucket begins, or ends. */
int apply_bucket_begin(struct apply *apply, const struct record *record);
int apply_bucket_end(struct apply *apply, const struct record *record);
/* Writes what is `stored` of it. */
int apply_bucket_put(struct apply *apply, const struct bucket *bucket);

/* ---- apply_overtaken.c: what the next memtable makes needless ---- */

/* Waits until leaving keys out pays: the next memtable. NULL: it does not. */
const struct memtable *overtaken_await(struct durable *store, const struct memtable *memtable);
/* Whether the pages may keep what they hold of the key until `next` is applied. */
bool is_overtaken(const struct memtable *memtable, const struct memtable *next, const struct entry *entry);

/* ---- apply_newcomers.c: that their next write need not look for them ---- */

void note_newcomer(struct apply *apply, const struct bucket *bucket, const struct record *record);
/* Those whose lines were still awaited. */
void note_last_newcomers(struct apply *apply);

/* ---- retire.c: what is done with ---- */

/* The pages hold the memtable whole, and durably. */
void retire(struct durable *store, struct memtable *memtable);
/* At the end of the store, from the oldest on: one that the pages may lack, with the buckets that it saw the last of.
 */
void drop_memtable(struct durable *store, struct memtable *memtable);
/* A file that nobody reads any more, of `size` bytes, becomes the spare of a later segment, or goes. Takes over fd. */
void recycle(struct durable *store, uint64_t old_number, uint64_t size, int fd);
/* A file for the next memtable, before a writer has to make one. */
void prepare_spare(struct durable *store);
/* When nothing has been written since the last checkpoint, and for a while after it: load often comes in bursts. */
void give_memory_back(struct durable *store);
/* The same of files, but for those that any load needs. */
void give_files_back(struct durable *store);

/* clean.c: moves what is left of the emptiest files of far values, if too little of all of them is in use. 1 done,
 * 0 there was nothing to do, -1 and why. */
int clean_values(struct durable *store, struct kv_error *err);

/* What an entry of the garbage table has for a value: an id that is another one by a flipped bit clears what is alive.
 */
static inline uint32_t garbage_checksum(const MDB_val *id)
{
	return crc32c(0, id->mv_data, id->mv_size);
}

/* Clears some keys of a dropped bucket; *more: there was something, ask again. 0, or -1 and why. */
int clear_garbage(struct pages *pages, bool *more, struct kv_error *err);

#endif
