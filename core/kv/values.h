/* SPDX-License-Identifier: MIT */
/*
 * Far values: large ones stay where the log put them, and the pages hold only where that is. So they are written once.
 *
 * The files that hold them are segments of the log that are done with but kept, and what the cleaner (clean.c) wrote
 * in the same form. All lie in the log's folder. The pages' table "values" names each, with how many of its bytes pages
 * point to; it changes in the transactions that change the pointers, so it is exact whenever the power fails. A file
 * that it does not name is no far values' file: a start replays what is not applied and reuses the rest, and of the
 * files it names, it looks at none.
 *
 * A segment is kept if large values are at least a quarter of it when it is applied; else they go into the pages as
 * small ones do, since a nearly empty file would be kept for them. It is given up when no page points to it any more
 * and that is durable; when too little of all files is in use, the cleaner moves what is left of the emptiest ones.
 *
 * Readers find a file by its number in a set that is replaced as a whole, and map it at the first use. They are inside
 * the epoch: a file that was taken out of the set is unmapped, and its space reused, when nobody can be reading it. A
 * backup keeps the files in place that had values when it began.
 *
 * Each pointer has a checksum; what does not fit it is told with file and offset, never served.
 */
#ifndef KV_VALUES_H
#define KV_VALUES_H

#include "engine.h"
#include "memtable.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	FAR_VALUE_MIN = 1024,  /* bytes; from here on a pointer is the cheaper entry */
	FAR_SEGMENT_PART = 4,  /* 1/4 of a segment, for it to be kept */
	FAR_GARBAGE_FILES = 4, /* so much may be unused besides as much as is used */
};

/*
 * What the pages hold instead of the value. Where the value has a frame of its own, as most large ones have, the
 * frame's checksum serves: the value, long out of the processor's caches when it is applied, need not be read for it.
 *
 * Which those are must not be read off the bytes in front, which may be another value's, and whoever sent that chose
 * them. So whoever appends keeps large values that are not their frame's first away from multiples of 8, where each
 * first one is: record_keep_apart().
 */
struct far_value {
	uint64_t segment;
	uint32_t offset; /* of the value in the file */
	uint32_t size;
	uint32_t checksum;
	uint32_t frame; /* offset of the frame that it is the checksum of; 0: it is the value's */
};

/* A row of the table. */
struct value_row {
	uint64_t base; /* position of its first frame, if it is a segment of the log; 0: the cleaner's */
	uint64_t size; /* of the file */
	uint64_t used; /* where its frames end */
	uint64_t live; /* bytes of values that pages point to */
	uint32_t reserved;
	uint32_t checksum; /* of the file's number and this with 0 here */
};

_Static_assert(sizeof(struct far_value) == 24, "far value");

struct value_file {
	uint64_t number;
	struct value_row row;  /* as of the last commit; the applying thread's */
	int64_t change;        /* of `live`, by the transaction under way */
	bool changed, damaged; /* damaged: not to be cleaned */
	bool empty;
	uint64_t last_reader; /* if empty: the last of background.h that may read it */
	uint64_t seen;        /* by the start: the file; by pages_verify(): bytes of live values */
	_Atomic(const char *) map;
};

struct value_set {
	struct value_set *older; /* replaced by this; freed when no reader can see it */
	size_t count;
	struct value_file *files[]; /* by number */
};

struct values {
	MDB_dbi table;
	char dir[4200]; /* the log's */
	uint64_t store[2];
	_Atomic(struct value_set *) set;
	pthread_mutex_t map_lock;
	_Atomic uint64_t file_bytes, live_bytes; /* for who asks */
};

/* Reads the table, which is open. `dir`: the log's folder. LMDB's code. */
int values_init(struct values *values, MDB_txn *txn, const char *dir, const uint64_t store[2]);
void values_done(struct values *values);

/* The file of that number, or NULL. */
struct value_file *values_find(const struct values *values, uint64_t number);
/* Where the bytes are, checked. 0, or -1 and why. They stay while the caller is inside the epoch. */
int value_resolve(struct values *values, const struct far_value *far, struct kvrel_slice *value, struct kv_error *err);
/* The whole file, mapped; NULL and why. */
const char *value_file_map(struct values *values, struct value_file *file, struct kv_error *err);
/* What a far value at `offset` of this file is like, by itself; and that of a record in a memtable's segment. */
struct far_value value_describe(uint64_t number, size_t offset, struct kvrel_slice value);
struct far_value value_describe_record(const struct memtable *memtable, const struct record *record);
/* "kv store: '<file>': <what>". Returns -1. */
int value_fail(const struct values *values, uint64_t number, struct kv_error *err, const char *what);

static inline bool values_any(const struct values *values)
{
	const struct value_set *set = atomic_load_explicit(&values->set, memory_order_acquire);

	return set != NULL && set->count > 0;
}

/* ---- the applying thread's ----------------------------------------------------------------------------------- */

/* For `count` files; NULL without memory. */
struct value_set *value_set_new(size_t count, struct value_set *older);
/* Makes a file known that pages are about to point to, unless it is. False without memory. */
bool values_add(struct values *values, uint64_t number, const struct value_row *row);
/* So many more of its bytes are pointed to, or fewer. */
void values_count(struct values *values, uint64_t number, int64_t bytes);
/* Writes what was counted into the table, as a part of `txn`. LMDB's code. */
int values_store(struct values *values, MDB_txn *txn);
/* It is committed, or not. */
void values_settle(struct values *values, bool committed);
/* Whether there are files that no page points to. */
bool values_have_empty(const struct values *values);
/* Notes which, when that is durable; `last_reader`: the last that began before. */
void values_note_empty(struct values *values, uint64_t last_reader);
/* Takes one that was noted, and whose readers have gone by `oldest_reader`, out of reach; NULL: none, or no memory. */
struct value_file *values_take_empty(struct values *values, uint64_t oldest_reader);
/* After every reader that was inside has left: lets go of sets that were replaced. */
void values_forget_sets(struct values *values);
void value_file_free(struct value_file *file);
/* Gives the memory of the maps back; what is read again comes from the system's cache. */
void values_forget(const struct values *values);

#endif
