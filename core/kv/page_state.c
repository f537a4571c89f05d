/* SPDX-License-Identifier: MIT */
/*
 * The record of the store as a whole. How far the log is applied decides which segments are thrown away at a start, so
 * it has a checksum, as all that is not counted twice.
 */
#include "pages.h"

#include "hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { POSITION_MIN = 64 };

static uint32_t state_checksum(const struct page_state *state)
{
	struct page_state copy = *state;
	uint32_t sum;

	copy.checksum = 0;
	sum = crc32c(0, &copy, sizeof(copy));
	return sum != 0 ? sum : 1;
}

/* 0: by an earlier version, which had none. */
static bool is_sealed(const struct page_state *state)
{
	return state->checksum == 0 || state->checksum == state_checksum(state);
}

bool page_state_get(const MDB_val *value, struct page_state *state)
{
	if (value->mv_size != sizeof(*state))
		return false;
	memcpy(state, value->mv_data, sizeof(*state));
	return is_sealed(state);
}

int page_state_put(const struct pages *pages, MDB_txn *txn, const struct page_state *state)
{
	MDB_val key = PAGE_STATE_KEY, value;
	struct page_state sealed = *state;

	sealed.checksum = state_checksum(state);
	value = (MDB_val){ sizeof(sealed), &sealed };
	return mdb_put(txn, pages->meta, &key, &value, 0);
}

/*
 * Positions of the log begin anywhere, and nobody outside is told where: what a client puts into a value cannot pass
 * for a frame, whose position has to be right (log_scan.c).
 */
static int make_state(struct pages *pages, MDB_txn *txn)
{
	uint64_t position;

	pages->state = (struct page_state){ .format = PAGES_FORMAT_NEAR, .next_bucket = 1 };
	if (getrandom(pages->state.store, sizeof(pages->state.store), 0) != sizeof(pages->state.store) ||
	    getrandom(&position, sizeof(position), 0) != sizeof(position))
		return errno;
	pages->state.applied = POSITION_MIN + (position >> 2) / POSITION_MIN * POSITION_MIN;
	return page_state_put(pages, txn, &pages->state);
}

int page_state_damaged(struct kv_error *err)
{
	return kv_fail(err, "kv store: its state record is damaged: restore a backup");
}

static int take_state(struct pages *pages, const MDB_val *value, struct kv_error *err)
{
	uint32_t format;

	if (value->mv_size < sizeof(format))
		return page_state_damaged(err);
	memcpy(&format, value->mv_data, sizeof(format));
	if (format != PAGES_FORMAT && format != PAGES_FORMAT_NEAR)
		return kv_fail(err, "kv store: it has format %u, this version knows %d: run the version that wrote it",
			       format, PAGES_FORMAT);
	return page_state_get(value, &pages->state) ? 0 : page_state_damaged(err);
}

/* ---- how far the log was durable ----------------------------------------------------------------------------- */

static uint32_t durable_checksum(const struct page_durable *record)
{
	struct page_durable copy = *record;

	copy.checksum = 0;
	return crc32c(0, &copy, sizeof(copy));
}

int page_durable_put(const struct pages *pages, MDB_txn *txn, const struct page_state *state, uint64_t durable)
{
	struct page_durable record = { .applied = state->applied, .durable = durable };
	MDB_val key = PAGE_DURABLE_KEY, value = { sizeof(record), &record };

	record.checksum = durable_checksum(&record);
	return mdb_put(txn, pages->meta, &key, &value, 0);
}

static int load_durable(struct pages *pages, MDB_txn *txn, struct kv_error *err)
{
	MDB_val key = PAGE_DURABLE_KEY, value;
	struct page_durable record;
	int code = mdb_get(txn, pages->meta, &key, &value);

	pages->log_durable = 0;
	if (code == MDB_NOTFOUND)
		return 0;
	if (code != 0)
		return pages_fail(err, "cannot read how far its log was durable", code);
	if (value.mv_size != sizeof(record))
		return page_state_damaged(err);
	memcpy(&record, value.mv_data, sizeof(record));
	if (record.checksum != durable_checksum(&record))
		return page_state_damaged(err);
	if (record.applied == pages->state.applied)
		pages->log_durable = record.durable;
	return 0;
}

int page_state_load(struct pages *pages, MDB_txn *txn, struct kv_error *err)
{
	MDB_val key = PAGE_STATE_KEY, value;
	int code = mdb_get(txn, pages->meta, &key, &value);

	if (code == 0)
		return take_state(pages, &value, err) == 0 ? load_durable(pages, txn, err) : -1;
	if (code == MDB_NOTFOUND)
		code = make_state(pages, txn);
	return code == 0 ? 0 : pages_fail(err, "cannot read its state", code);
}
