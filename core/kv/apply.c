/* SPDX-License-Identifier: MIT */
/*
 * From memtables to pages. A frozen memtable is sorted by bucket and key, so that LMDB touches each page once, and put
 * in by a few transactions, each of them synced: LMDB without sync would not survive a power loss between two
 * checkpoints.
 *
 * Crashes between those transactions are harmless because a replay of the segment ends in the same state: values are
 * absolute, and a bucket's count in the pages always is the number of its keys in the pages. For that the order
 * matters: buckets that begin to exist come first, those that cease to come last, together with the position that says
 * the segment is done.
 */
#include "apply.h"
#include "array.h"

#include <stdlib.h>

/*
 * A transaction holds a copy of every page that it changes, in memory until it is committed and in the file until the
 * one after the next: so many pages, about, or so many bytes of values. Each ends by waiting for the disk, so that a
 * large store, of whose pages it is a small part, does more in one.
 */
enum {
	PAGES_PER_TRANSACTION = 512,
	PAGES_PER_TRANSACTION_MOST = 1024,
	TRANSACTIONS_AT_LEAST = 24, /* that make up a store, for more pages than the first */
	BYTES_PER_TRANSACTION = 2 << 20
};
enum { ITEMS_AHEAD = 16, ITEMS_A_PIECE = 32 };

/* ---- what a transaction changed in memory, should it fail --------------------------------------------------- */

int apply_touch(struct apply *apply, struct bucket *bucket)
{
	struct undo *grown;

	if (bucket->stored.touched == apply->transaction)
		return 0;
	grown = array_grow(apply->undo, apply->undo_count, &apply->undo_capacity, sizeof(*grown));
	if (grown == NULL)
		return ENOMEM;
	apply->undo = grown;
	apply->undo[apply->undo_count++] =
		(struct undo){ bucket, bucket->stored.there, bucket->stored.stays, bucket->stored.count };
	bucket->stored.touched = apply->transaction;
	return 0;
}

static void take_back(struct apply *apply)
{
	while (apply->undo_count > 0) {
		const struct undo *undo = &apply->undo[--apply->undo_count];

		undo->bucket->stored.there = undo->there;
		undo->bucket->stored.stays = undo->stays;
		undo->bucket->stored.count = undo->count;
	}
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static const struct entry *entry_of(const struct apply *apply, const struct item *item)
{
	return &apply->memtable->entries[item->entry];
}

/* Entries lie anywhere: one is looked at where a bucket's keys begin. */
static struct bucket *bucket_of(struct apply *apply, const struct item *item)
{
	if (apply->bucket == NULL || apply->bucket->id != item->bucket)
		apply->bucket = entry_of(apply, item)->bucket;
	return apply->bucket;
}

static const struct record *record_of(const struct apply *apply, const struct item *item)
{
	return memtable_record(apply->memtable, item->record);
}

/* After a crash a part of the memtable may be in the pages already. */
static int is_stored(struct apply *apply, struct page_key *key, bool *stored)
{
	MDB_val value;
	int code = mdb_get(apply->txn, apply->store->pages.data, &key->val, &value);

	*stored = code == 0;
	return code == MDB_NOTFOUND ? 0 : code;
}

/* The bytes that a far value leaves behind, if the pages hold one of this key. */
static int count_out(struct apply *apply, const struct page_key *key)
{
	const struct pages *pages = &apply->store->pages;
	MDB_val wanted = key->val, stored;
	struct far_value far;
	int code;

	if (!values_any(pages->values))
		return 0;
	code = mdb_cursor_get(apply->cursor, &wanted, &stored, MDB_SET);
	if (code == 0 && page_entry_far(&key->val, &stored, &far))
		values_count(pages->values, far.segment, -(int64_t)far.size);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int put_value(struct apply *apply, uint64_t bucket, const struct record *record)
{
	const struct pages *pages = &apply->store->pages;
	struct kvrel_slice value = record_value(record);
	struct far_value far;
	struct page_key key;

	if (!apply->far || value.size < FAR_VALUE_MIN)
		return page_put(pages, apply->txn, apply->cursor, bucket, record_key(record), &key, value, false);
	far = value_describe_record(apply->memtable, record);
	values_count(pages->values, far.segment, far.size);
	return page_put(pages, apply->txn, apply->cursor, bucket, record_key(record), &key,
			(struct kvrel_slice){ (const char *)&far, sizeof(far) }, true);
}

static int apply_key(struct apply *apply, const struct item *item)
{
	const struct pages *pages = &apply->store->pages;
	const struct record *record = record_of(apply, item);
	struct bucket *bucket = bucket_of(apply, item);
	bool existed = item->existed;
	struct page_key key;
	int code = apply_touch(apply, bucket);

	page_key_set(pages, &key, item->bucket, record_key(record));
	if (code == 0)
		code = guard_check(&apply->guard, &key.val, !record_has_value(record));
	if (code == 0 && apply->memtable->replayed)
		code = is_stored(apply, &key, &existed);
	if (code == 0 && existed)
		code = count_out(apply, &key);
	if (code != 0)
		return code;
	if (record_has_value(record)) {
		bucket->stored.count += !existed;
		if (!existed)
			note_newcomer(apply, bucket, record);
		return put_value(apply, item->bucket, record);
	}
	if (!existed)
		return 0;
	bucket->stored.count--;
	apply->removed = true;
	code = mdb_del(apply->txn, pages->data, &key.val, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

static const struct item *item_at(const struct apply *apply, size_t at)
{
	return &apply->items[at < apply->count ? at : at - apply->count];
}

static int apply_item(struct apply *apply, size_t at)
{
	const struct item *item = item_at(apply, at);
	const struct record *record = record_of(apply, item);
	bool begins = record->kind == RECORD_CREATE;

	if (item->bucket != 0)
		return apply_key(apply, item);
	if (at < apply->count)
		return begins ? apply_bucket_begin(apply, record) : 0;
	return begins ? 0 : apply_bucket_end(apply, record);
}

/* So do records. Inlined by force: GCC takes the call of a function that only prefetches for one that does nothing, and
 * leaves it out. */
static inline __attribute__((always_inline)) void fetch_ahead(const struct apply *apply)
{
	const struct item *item;

	if (apply->at + ITEMS_AHEAD >= apply->count)
		return;
	item = &apply->items[apply->at + ITEMS_AHEAD];
	__builtin_prefetch(record_of(apply, item));
	if (item->bucket != item[-1].bucket)
		__builtin_prefetch(entry_of(apply, item));
}

/* The counts of the buckets that this transaction touched. */
static int put_counts(struct apply *apply)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < apply->undo_count; i++)
		if (apply->undo[i].bucket->stored.there)
			code = apply_bucket_put(apply, apply->undo[i].bucket);
	return code;
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

/* As many as lie on so many pages; as one a page where that is not known. */
static size_t records_per_transaction(struct apply *apply)
{
	size_t per_page = 1, pages = PAGES_PER_TRANSACTION;
	MDB_stat stat;

	if (mdb_stat(apply->txn, apply->store->pages.data, &stat) == 0 && stat.ms_leaf_pages > 0) {
		per_page = apply->count / stat.ms_leaf_pages;
		atomic_store(&apply->store->leaf_pages, stat.ms_leaf_pages);
		if (stat.ms_leaf_pages / TRANSACTIONS_AT_LEAST > pages)
			pages = stat.ms_leaf_pages / TRANSACTIONS_AT_LEAST;
		if (pages > PAGES_PER_TRANSACTION_MOST)
			pages = PAGES_PER_TRANSACTION_MOST;
	}
	apply->store->applier.pages_touched += pages;
	return pages * (per_page > 0 ? per_page < 64 ? per_page : 64 : 1);
}

/* What it adds to a transaction. */
static size_t bytes_of(const struct apply *apply, const struct record *record)
{
	return apply->far && record->value_size >= FAR_VALUE_MIN ? sizeof(struct far_value) : record->value_size;
}

static int apply_some(struct apply *apply)
{
	size_t end = apply->count + apply->directory_count, records = records_per_transaction(apply), bytes = 0;
	int code = 0;

	while (code == 0 && apply->at < end && records-- > 0 && bytes < BYTES_PER_TRANSACTION) {
		if (apply->at == apply->count && apply->undo_count > 0 && apply->began_at < apply->count) {
			/* the counts first: what ends now must not come back with them */
			break;
		}
		fetch_ahead(apply);
		if (apply->at % ITEMS_A_PIECE == 0)
			pace_rest(&apply->pace, apply->at, end);
		bytes += bytes_of(apply, record_of(apply, item_at(apply, apply->at)));
		code = apply_item(apply, apply->at++);
	}
	return code;
}

static int put_state(struct apply *apply, bool finished)
{
	const uint64_t durable = atomic_load(&apply->store->log.durable);
	int code;

	if (finished)
		apply->state.applied = memtable_end(apply->memtable);
	pthread_mutex_lock(&apply->store->write_lock);
	apply->state.next_bucket = apply->store->next_bucket;
	if (apply->far)
		apply->state.format = PAGES_FORMAT;
	pthread_mutex_unlock(&apply->store->write_lock);
	code = page_state_put(&apply->store->pages, apply->txn, &apply->state);
	return code == 0 ? page_durable_put(&apply->store->pages, apply->txn, &apply->state, durable) : code;
}

static int begin(struct apply *apply)
{
	int code = guard_begin(&apply->guard, &apply->store->pages, &apply->txn);

	if (code != 0)
		return code;
	apply->transaction = ++apply->store->applier.touches;
	apply->undo_count = 0;
	apply->removed = false;
	apply->began_at = apply->at;
	apply->state = apply->store->pages.state;
	code = mdb_cursor_open(apply->txn, apply->store->pages.data, &apply->cursor);
	if (code != 0)
		mdb_txn_abort(apply->txn);
	return code;
}

int apply_step(struct apply *apply, bool *finished)
{
	int code = begin(apply);

	if (code != 0)
		return code;
	code = apply_some(apply);
	if (code == 0)
		code = put_counts(apply);
	if (code == 0)
		code = values_store(apply->store->pages.values, apply->txn);
	*finished = apply->at == apply->count + apply->directory_count;
	if (code == 0)
		code = put_state(apply, *finished);
	mdb_cursor_close(apply->cursor);
	if (code == 0)
		code = pages_commit(&apply->store->pages, apply->txn);
	else
		mdb_txn_abort(apply->txn);
	values_settle(apply->store->pages.values, code == 0);
	if (code != 0) {
		take_back(apply);
		apply->at = apply->began_at;
		return code;
	}
	admission_progress(apply->store,
			   (unsigned)(apply->at * MEMTABLE_FULL / (apply->count + apply->directory_count + 1)));
	if (apply->removed)
		presence_begin_anew(&apply->store->presence);
	note_last_newcomers(apply);
	pthread_mutex_lock(&apply->store->write_lock);
	apply->store->pages.state = apply->state;
	pthread_mutex_unlock(&apply->store->write_lock);
	atomic_fetch_add(&apply->store->applier.transactions, 1);
	atomic_fetch_add(&apply->store->applier.records, apply->at - apply->began_at);
	return 0;
}
