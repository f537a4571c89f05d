/* SPDX-License-Identifier: MIT */
/*
 * Looking at everything: what a checksum of one entry cannot see is an entry that is missing. So keys are counted
 * against what the directory says of their buckets, and have to be in order, or look-ups would not find them.
 */
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct expected {
	uint64_t id;
	int64_t count;
};

struct verify {
	const struct pages *pages;
	MDB_txn *txn;
	struct expected *buckets; /* by id, once all are known */
	size_t count, capacity;
	bool sorted;
	size_t at; /* the one whose keys are being counted */
	int64_t seen;
	unsigned char before[PAGE_KEY_MAX];
	size_t before_size;
};

static int by_id(const void *a, const void *b)
{
	const struct expected *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static int add_bucket(struct verify *verify, const struct page_entry *entry, struct kv_error *err)
{
	struct page_bucket page;

	if (entry->value.size != sizeof(page))
		return page_damaged(verify->pages, entry->value.data, err);
	memcpy(&page, entry->value.data, sizeof(page));
	if (verify->count == verify->capacity) {
		size_t capacity = verify->capacity > 0 ? verify->capacity * 2 : 64;
		struct expected *grown = realloc(verify->buckets, capacity * sizeof(*grown));

		if (grown == NULL)
			return kv_fail(err, "out of memory");
		verify->buckets = grown;
		verify->capacity = capacity;
	}
	verify->buckets[verify->count++] = (struct expected){ page.id, page.count };
	return 0;
}

/* The directory comes first. */
static void names_end(struct verify *verify)
{
	if (!verify->sorted && verify->count > 0)
		qsort(verify->buckets, verify->count, sizeof(*verify->buckets), by_id);
	verify->sorted = true;
}

static int wrong_count(const struct verify *verify, struct kv_error *err)
{
	const struct expected *bucket = &verify->buckets[verify->at];

	return kv_fail(err, "kv store: '%.300s': bucket %llu has %lld keys and should have %lld: restore a backup",
		       verify->pages->file, (unsigned long long)bucket->id, (long long)verify->seen,
		       (long long)bucket->count);
}

/* All keys of buckets before `id` have been seen. */
static int pass_buckets(struct verify *verify, uint64_t id, struct kv_error *err)
{
	while (verify->at < verify->count && verify->buckets[verify->at].id < id) {
		if (verify->buckets[verify->at].count != verify->seen)
			return wrong_count(verify, err);
		verify->at++;
		verify->seen = 0;
	}
	return 0;
}

/* A bucket that the directory does not name has been dropped and is to be cleared away. */
static int check_dropped(const struct verify *verify, uint64_t id, struct kv_error *err)
{
	unsigned char bytes[PAGE_ID_MAX];
	MDB_val key = { page_id_put(bytes, id), bytes }, value;
	int code = mdb_get(verify->txn, verify->pages->garbage, &key, &value);

	if (code == MDB_NOTFOUND)
		return kv_fail(err, "kv store: '%.300s': bucket %llu has keys and no name: restore a backup",
			       verify->pages->file, (unsigned long long)id);
	return code == 0 ? 0 : pages_fail(err, "cannot read", code);
}

static int check_order(struct verify *verify, const MDB_val *key, struct kv_error *err)
{
	size_t shorter = key->mv_size < verify->before_size ? key->mv_size : verify->before_size;
	int order = memcmp(verify->before, key->mv_data, shorter);

	if (key->mv_size > sizeof(verify->before) || order > 0 || (order == 0 && key->mv_size <= verify->before_size))
		return page_damaged(verify->pages, key->mv_data, err);
	memcpy(verify->before, key->mv_data, key->mv_size);
	verify->before_size = key->mv_size;
	return 0;
}

static int check_entry(struct verify *verify, const MDB_val *key, const MDB_val *value, struct kv_error *err)
{
	struct page_entry entry;

	if (check_order(verify, key, err) != 0)
		return -1;
	if (!page_entry_split(key, value, &entry))
		return page_damaged(verify->pages, value->mv_data, err);
	if (entry.bucket == 0)
		return add_bucket(verify, &entry, err);
	names_end(verify);
	if (pass_buckets(verify, entry.bucket, err) != 0)
		return -1;
	if (verify->at == verify->count || verify->buckets[verify->at].id != entry.bucket)
		return check_dropped(verify, entry.bucket, err);
	verify->seen++;
	return 0;
}

static int check_all(struct verify *verify, struct kv_error *err)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int code = mdb_cursor_open(verify->txn, verify->pages->data, &cursor);

	if (code == 0)
		code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (code == 0) {
		if (check_entry(verify, &key, &value, err) != 0) {
			mdb_cursor_close(cursor);
			return -1;
		}
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (code != MDB_NOTFOUND)
		return pages_fail(err, "cannot read", code);
	names_end(verify);
	if (pass_buckets(verify, UINT64_MAX, err) != 0)
		return -1;
	if (verify->pages->state.bucket_count != (int64_t)verify->count)
		return kv_fail(err, "kv store: '%.300s': it has %zu buckets and should have %lld: restore a backup",
			       verify->pages->file, verify->count, (long long)verify->pages->state.bucket_count);
	return 0;
}

int pages_verify(const struct pages *pages, struct kv_error *err)
{
	struct verify verify = { .pages = pages };
	int code = mdb_txn_begin(pages->env, NULL, MDB_RDONLY, &verify.txn);

	if (code != 0)
		return pages_fail(err, "cannot begin to read", code);
	code = check_all(&verify, err);
	mdb_txn_abort(verify.txn);
	free(verify.buckets);
	return code;
}
