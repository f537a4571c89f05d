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
bool page_state_valid(const struct page_state *state)
{
	return state->checksum == 0 || state->checksum == state_checksum(state);
}

/* Whoever changed it leaves that to the commit. */
int page_state_seal(const struct pages *pages, MDB_txn *txn)
{
	MDB_val key = { 5, (char *)"state" }, value;
	struct page_state state;
	uint32_t sum;
	int code = mdb_get(txn, pages->meta, &key, &value);

	if (code != 0 || value.mv_size != sizeof(state))
		return code != 0 ? code : MDB_CORRUPTED;
	memcpy(&state, value.mv_data, sizeof(state));
	sum = state_checksum(&state);
	if (state.checksum == sum)
		return 0;
	state.checksum = sum;
	value.mv_data = &state;
	return mdb_put(txn, pages->meta, &key, &value, 0);
}

/*
 * Positions of the log begin anywhere, and nobody outside is told where: what a client puts into a value cannot pass
 * for a frame, whose position has to be right (log_scan.c).
 */
static int make_state(struct pages *pages, MDB_txn *txn)
{
	MDB_val key = { 5, (char *)"state" }, value = { sizeof(pages->state), &pages->state };
	uint64_t position;

	pages->state = (struct page_state){ .format = PAGES_FORMAT_NEAR, .next_bucket = 1 };
	if (getrandom(pages->state.store, sizeof(pages->state.store), 0) != sizeof(pages->state.store) ||
	    getrandom(&position, sizeof(position), 0) != sizeof(position))
		return errno;
	pages->state.applied = POSITION_MIN + (position >> 2) / POSITION_MIN * POSITION_MIN;
	return mdb_put(txn, pages->meta, &key, &value, 0);
}

int page_state_load(struct pages *pages, MDB_txn *txn, struct kv_error *err)
{
	MDB_val key = { 5, (char *)"state" }, value;
	int code = mdb_get(txn, pages->meta, &key, &value);
	uint32_t format;

	if (code == MDB_NOTFOUND)
		code = make_state(pages, txn);
	else if (code == 0) {
		if (value.mv_size < sizeof(format))
			return kv_fail(err, "kv store: its state record is damaged: restore a backup");
		memcpy(&format, value.mv_data, sizeof(format));
		if (format != PAGES_FORMAT && format != PAGES_FORMAT_NEAR)
			return kv_fail(
				err, "kv store: it has format %u, this version knows %d: run the version that wrote it",
				format, PAGES_FORMAT);
		if (value.mv_size != sizeof(pages->state))
			return kv_fail(err, "kv store: its state record is damaged: restore a backup");
		memcpy(&pages->state, value.mv_data, sizeof(pages->state));
		if (!page_state_valid(&pages->state))
			return kv_fail(err, "kv store: its state record is damaged: restore a backup");
	}
	return code == 0 ? 0 : pages_fail(err, "cannot read its state", code);
}
