/* SPDX-License-Identifier: MIT */
/* What dropped buckets left behind: their keys are out of reach at once, and cleared away when there is time. */
#include "apply.h"

enum { GARBAGE_PER_TRANSACTION = 8192 };

static int clear_keys(const struct pages *pages, MDB_cursor *cursor, const MDB_val *prefix, struct guard *guard,
		      bool *empty)
{
	struct far_value far;
	MDB_val key = *prefix, value;
	int code = guard_check(guard, prefix, true), cleared = 0;

	if (code == 0)
		code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (code == 0 && key.mv_size >= prefix->mv_size &&
	       memcmp(key.mv_data, prefix->mv_data, prefix->mv_size) == 0) {
		if (cleared++ == GARBAGE_PER_TRANSACTION)
			return 0;
		code = guard_check(guard, &key, true);
		if (code == 0 && page_entry_far(&key, &value, &far))
			values_count(pages->values, far.segment, -(int64_t)far.size);
		if (code == 0)
			code = mdb_cursor_del(cursor, 0);
		if (code == 0)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	*empty = code == 0 || code == MDB_NOTFOUND;
	return code == MDB_NOTFOUND ? 0 : code;
}

/* Older versions left the value empty. */
static bool is_whole(const MDB_val *key, const MDB_val *value)
{
	uint32_t checksum = garbage_checksum(key);

	return key->mv_size <= PAGE_ID_MAX &&
	       (value->mv_size == 0 ||
		(value->mv_size == sizeof(checksum) && memcmp(value->mv_data, &checksum, sizeof(checksum)) == 0));
}

static int clear_first(const struct pages *pages, MDB_txn *txn, struct guard *guard, bool *more)
{
	unsigned char id[PAGE_ID_MAX];
	MDB_cursor *garbage, *data;
	MDB_val prefix = { 0, id }, key, value;
	bool empty = false;
	int code = mdb_cursor_open(txn, pages->garbage, &garbage);

	if (code != 0)
		return code;
	code = mdb_cursor_get(garbage, &key, &value, MDB_FIRST);
	*more = code == 0;
	if (code == 0 && !is_whole(&key, &value)) {
		page_damaged(pages, key.mv_data, &guard->damage);
		code = MDB_CORRUPTED;
	}
	if (code == 0) {
		prefix.mv_size = key.mv_size;
		memcpy(id, key.mv_data, prefix.mv_size);
		code = mdb_cursor_open(txn, pages->data, &data);
		if (code == 0) {
			code = clear_keys(pages, data, &prefix, guard, &empty);
			mdb_cursor_close(data);
		}
		if (code == 0 && empty)
			code = mdb_cursor_del(garbage, 0);
	}
	mdb_cursor_close(garbage);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int clear_some(struct pages *pages, struct guard *guard, bool *more)
{
	MDB_txn *txn;
	int code = guard_begin(guard, pages, &txn);

	if (code != 0)
		return code;
	code = clear_first(pages, txn, guard, more);
	if (code == 0 && *more)
		code = values_store(pages->values, txn);
	if (code == 0 && *more)
		code = pages_commit(pages, txn);
	else
		mdb_txn_abort(txn);
	values_settle(pages->values, code == 0);
	return code;
}

int clear_garbage(struct pages *pages, bool *more, struct kv_error *err)
{
	struct guard guard;
	int code;

	*more = false;
	code = clear_some(pages, &guard, more);
	if (code == 0)
		return 0;
	return guard.damage.message[0] != '\0'
		       ? kv_fail(err, "%s", guard.damage.message)
		       : pages_fail(err, "cannot clear away what was dropped", pages_write_error(pages->file, code));
}
