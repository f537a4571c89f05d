/* SPDX-License-Identifier: MIT */
/*
 * The store's pages: LMDB, and how buckets and keys lie in it.
 *
 * data: bucket id and key → value and checksum. Bucket 0 is the directory: name → struct page_bucket.
 * garbage: ids of dropped buckets whose keys are still to be cleared away.
 * meta: "state" → struct page_state; "durable" → struct page_durable.
 * values: the files of far values (values.h).
 *
 * An entry's value is what was put, or where that is (struct far_value), which the checksum tells: a far one's is
 * inverted. So entries of format 2, which has no far ones, are the same, and a store becomes format 3 with its first.
 *
 * LMDB takes keys of up to 511 bytes. A key of 505 bytes or more is stored under its first bytes and a digest, 505
 * bytes together, with the whole key in front of the value; no shorter key is that long, so the two never meet. The
 * digest's key is random and the store's own; a second key with the same digest would be refused.
 *
 * LMDB writes the pages. They are read by page_tree.h, which believes none of them.
 *
 * A commit syncs what it wrote but not the page that makes it the latest: a power loss may take the last one, and the
 * log still has it. pages_sync() settles that before the log lets go of anything.
 *
 * A reader stays on one snapshot from its first look-up to page_reader_end(): what it returns points into the map until
 * then. It remembers where keys are (struct page_spot) as long as the snapshot is the same; one commit forgets all of
 * them.
 */
#ifndef KV_PAGES_H
#define KV_PAGES_H

#include "engine.h"
#include "fault.h"
#include "page_tree.h"
#include "values.h"

enum {
	PAGES_FORMAT = 3,
	PAGES_FORMAT_NEAR = 2,
	PAGE_KEY_MAX = 511,
	PAGE_ID_MAX = 6,
	PAGE_LONG_KEY = PAGE_KEY_MAX - PAGE_ID_MAX
};

struct page_state {
	uint32_t format;
	uint32_t checksum;    /* of all this with 0 here, as stored */
	uint64_t store[2];    /* random: the store's identity, and the digests' key */
	uint64_t applied;     /* position: every write before it is in here */
	uint64_t next_bucket; /* id */
	int64_t bucket_count;
};

/*
 * How far the log was durable, and known to be, when the commit was begun that this is of. A start whose log ends
 * before that has lost what was synced: its last file, for one, whose absence looks like a clean end.
 *
 * It never demands too much. What it names was synced before the commit was begun, file and folder, whatever the
 * durability; a power loss that takes the commit takes this with it. A segment goes only when the commit with all of it
 * in `applied` is synced itself. It holds only together with the state that it was written with: a version that does
 * not know it moves `applied` on and leaves it behind. Not every commit has one, and a backup, which comes without a
 * log, has none.
 *
 * It demands too little as well: what was synced since the last commit, and is in a file that was begun since, is not
 * missed.
 */
struct page_durable {
	uint64_t applied;  /* of the state that was written with it */
	uint64_t durable;  /* position */
	uint32_t checksum; /* of all this with 0 here */
	uint32_t unused;
};

struct page_bucket {
	uint64_t id;
	int64_t count;
	uint64_t stays;
};

/* A key as LMDB gets it. `bytes` may hold it, so the struct must not move. */
struct page_key {
	MDB_val val;
	bool digested; /* the value begins with the whole key's length (4 bytes) and the key */
	unsigned char bytes[PAGE_KEY_MAX + 1];
};

struct pages {
	MDB_env *env;
	MDB_dbi data, garbage, meta;
	struct values *values;
	struct page_state state; /* as of the last commit; the applying thread's after the start */
	uint64_t log_durable;    /* at the start: the log has to reach so far; 0: it may end anywhere */
	uint64_t digest_key[2];  /* everybody's: the one thing in there that never changes */
	struct page_map map;
	_Atomic uint64_t commits_begun, commits_done;
	char file[4200];             /* the data file's name */
	bool watched;                /* faults_begin() was called */
	void (*lost)(void *context); /* a fault ended the thread that changes them (fault.h); may be NULL */
	void *lost_context;
	const _Atomic bool *give_up; /* set, if not NULL: what looks at whole tables is to end */
};

static inline bool pages_give_up(const struct pages *pages)
{
	return pages->give_up != NULL && atomic_load_explicit(pages->give_up, memory_order_relaxed);
}

struct page_spot;
struct page_reader {
	struct pages *pages;
	MDB_txn *txn;
	struct fault_watch watch;
	bool live;
	uint64_t transaction; /* of `tree`; 0: none yet */
	struct page_spot *spots;
	size_t spot_mask;
	size_t noted;          /* spots of this transaction */
	struct page_meta meta; /* of the transaction, and */
	struct page_tree tree; /* where its data are */
	struct page_path path;
};

/*
 * Looks at a data file before LMDB does: where its commits are noted, its size, and all tables but that of the data, so
 * that to open it is safe. No file is fine.
 */
int pages_inspect(const char *file, struct kv_error *err);
/* Makes the store if the folder has none. Refuses one of a newer format. */
int pages_open(struct pages *pages, const char *dir, uint64_t map_size, unsigned readers, struct kv_error *err);
void pages_close(struct pages *pages);
/*
 * What was committed is there after a power loss. LMDB's code. `again`: it failed before; a page that could not be
 * written may never be tried again by the system, so it has to be written anew.
 */
int pages_sync(struct pages *pages, bool again);
/* Of a write transaction: what was committed is what readers find from now on. LMDB's code. */
int pages_commit(struct pages *pages, MDB_txn *txn);
/* Gives the memory of the map back; what is read again comes from the system's cache. */
void pages_forget(const struct pages *pages);
/*
 * Writes a compact copy of what `meta` says, of a transaction that is under way, into an empty folder, synced. What is
 * damaged is an error.
 */
int pages_copy(struct pages *from, const struct page_meta *meta, const char *dir, uint64_t map_size,
	       struct kv_error *err);
/* Looks at every page and entry: whole, in their places, none used twice, checksums, the number of keys in each bucket.
 */
int pages_verify(struct pages *pages, struct kv_error *err);
/* LMDB takes a write that was cut short for an input/output error: ENOSPC if the file's disk is full, EFBIG if the file
 * may not be larger. */
int pages_write_error(const char *file, int code);
/* "kv store: <what>: <LMDB's reason>", and what helps. Returns -1. */
int pages_fail(struct kv_error *err, const char *what, int code);

/* ---- page_state.c */

#define PAGE_STATE_KEY ((MDB_val){ 5, (char *)"state" })
/* What the record says, if its size and checksum are right. */
bool page_state_get(const MDB_val *value, struct page_state *state);
/* Says that they are not. Returns -1. */
int page_state_damaged(struct kv_error *err);
/* Reads it, or makes it for a new store. 0, or -1 and why. */
int page_state_load(struct pages *pages, MDB_txn *txn, struct kv_error *err);
/* Writes it, with its checksum. LMDB's code. */
int page_state_put(const struct pages *pages, MDB_txn *txn, const struct page_state *state);

#define PAGE_DURABLE_KEY ((MDB_val){ 7, (char *)"durable" })
/* Writes how far the log is durable, beside that state. LMDB's code. */
int page_durable_put(const struct pages *pages, MDB_txn *txn, const struct page_state *state, uint64_t durable);

void page_key_set(const struct pages *pages, struct page_key *out, uint64_t bucket, struct kvrel_slice key);
/* Order of two keys of one bucket in the store. */
int page_key_compare(const struct pages *pages, struct kvrel_slice a, struct kvrel_slice b);
/* Writes an id as keys begin with it; its size. And back: 0 where none is. */
size_t page_id_put(unsigned char out[PAGE_ID_MAX], uint64_t id);
size_t page_id_get(const MDB_val *stored, uint64_t *id);

/* Points into what LMDB holds. */
struct page_entry {
	uint64_t bucket;
	struct kvrel_slice key, value;
	bool far; /* `value` is a struct far_value */
};

/* Checks and splits; false when it is damaged. */
bool page_entry_split(const MDB_val *stored_key, const MDB_val *stored_value, struct page_entry *entry);
/* Whether the entry is of a far value, and of which. */
bool page_entry_far(const MDB_val *stored_key, const MDB_val *stored_value, struct far_value *far);
/* An entry's value, from wherever it is. Returns 0, or -1 and why. */
int page_entry_value(const struct pages *pages, const struct page_entry *entry, struct kvrel_slice *value,
		     struct kv_error *err);
/* Says that what lies at `at` in the map is damaged. Returns -1. */
int page_damaged(const struct pages *pages, const void *at, struct kv_error *err);
/* Says that some of the data file, or of far values, cannot be read any more. Returns -1. */
int pages_lost(const struct pages *pages, struct kv_error *err);
/* A watch of all that is mapped, for who is inside the epoch or the applying thread. */
static inline struct fault_watch pages_watch(struct pages *pages)
{
	return (struct fault_watch){ .pages = pages, .values = pages->values };
}
/* The same of what a path came to. */
int pages_path_damaged(const struct pages *pages, const struct page_path *path, struct kv_error *err);
/* page_proof of `data`. */
bool page_entry_proves(const MDB_val *key, const MDB_val *value);

/*
 * Begins or renews a read transaction, and says what its commit noted of the tables; what `meta` holds is kept when it
 * is of that transaction already. 0, or -1 and why.
 */
int pages_begin(struct pages *pages, MDB_txn **txn, struct page_meta *meta, struct kv_error *err);

/* Stores one key; `key` is room for it; `far`: the value is a struct far_value. By `cursor` if there is one, which is
 * quicker in order of keys. LMDB's code. */
int page_put(const struct pages *pages, MDB_txn *txn, MDB_cursor *cursor, uint64_t bucket, struct kvrel_slice name,
	     struct page_key *key, struct kvrel_slice value, bool far);

int page_reader_init(struct page_reader *reader, struct pages *pages, uint64_t cache_bytes);
void page_reader_done(struct page_reader *reader);
/* Takes the snapshot now, if there is none; else the first look-up does. 0, or -1 and why. */
int page_reader_begin(struct page_reader *reader, struct kv_error *err);
/* Gives the snapshot back. */
void page_reader_end(struct page_reader *reader);
/*
 * 1 found, 0 not there, -1 and why. `hash` is of bucket and key, any one function of them. `value` may be NULL, here
 * and below: then far values are not looked at.
 */
int page_find(struct page_reader *reader, uint64_t bucket, struct kvrel_slice key, uint64_t hash,
	      struct kvrel_slice *value, struct kv_error *err);
void page_prefetch(const struct page_reader *reader, uint64_t hash);
/* And what the spot points to, once that has come in. */
void page_prefetch_spot(const struct page_reader *reader, uint64_t hash);

/* A walk through one bucket, in order, from the first key behind `after` (data NULL: the first). As page_find()
 * returns. */
int page_first(struct page_reader *reader, uint64_t bucket, struct kvrel_slice after, struct kvrel_slice *key,
	       struct kvrel_slice *value, struct kv_error *err);
int page_next(struct page_reader *reader, uint64_t bucket, struct kvrel_slice *key, struct kvrel_slice *value,
	      struct kv_error *err);

#endif
