/* SPDX-License-Identifier: MIT */
/* The table of far values' files: read at the start, written with what the pages point to. */
#include "values.h"

#include "hash.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- counting -------------------------------------------------------------------------------------------------- */

void values_count(struct values *values, uint64_t number, int64_t bytes)
{
	struct value_file *file = values_find(values, number);

	if (file == NULL)
		return; /* a damaged pointer: reading it tells */
	file->change += bytes;
	file->changed = true;
}

static uint32_t row_checksum(uint64_t number, const struct value_row *row)
{
	struct value_row copy = *row;

	copy.checksum = 0;
	return crc32c(crc32c(0, &number, sizeof(number)), &copy, sizeof(copy));
}

static int store_row(const struct values *values, MDB_txn *txn, const struct value_file *file)
{
	struct value_row row = file->row;
	uint64_t number = htobe64(file->number);
	MDB_val key = { sizeof(number), &number }, value = { sizeof(row), &row };
	int code;

	row.live += (uint64_t)file->change;
	row.checksum = row_checksum(file->number, &row);
	if (row.live > 0)
		return mdb_put(txn, values->table, &key, &value, 0);
	code = mdb_del(txn, values->table, &key, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

int values_store(struct values *values, MDB_txn *txn)
{
	const struct value_set *set = atomic_load(&values->set);
	int code = 0;

	for (size_t i = 0; code == 0 && set != NULL && i < set->count; i++)
		if (set->files[i]->changed)
			code = store_row(values, txn, set->files[i]);
	return code;
}

void values_settle(struct values *values, bool committed)
{
	const struct value_set *set = atomic_load(&values->set);

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		struct value_file *file = set->files[i];

		if (!file->changed)
			continue;
		if (committed) {
			file->row.live += (uint64_t)file->change;
			atomic_fetch_add(&values->live_bytes, (uint64_t)file->change);
		}
		file->change = 0;
		file->changed = false;
	}
}

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

static int load_row(struct values *values, struct value_set *set, const MDB_val *key, const MDB_val *value)
{
	struct value_file *file;

	if (key->mv_size != sizeof(file->number) || value->mv_size != sizeof(file->row))
		return MDB_CORRUPTED;
	file = calloc(1, sizeof(*file));
	if (file == NULL)
		return ENOMEM;
	set->files[set->count++] = file;
	memcpy(&file->number, key->mv_data, sizeof(file->number));
	file->number = be64toh(file->number);
	memcpy(&file->row, value->mv_data, sizeof(file->row));
	if (file->row.checksum != row_checksum(file->number, &file->row))
		return MDB_CORRUPTED;
	atomic_fetch_add(&values->file_bytes, file->row.size);
	atomic_fetch_add(&values->live_bytes, file->row.live);
	return 0;
}

/* One that is missing would have its file taken for one of nobody's. */
static int load_rows(struct values *values, MDB_txn *txn, struct value_set *set, size_t count)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int code = mdb_cursor_open(txn, values->table, &cursor);

	if (code != 0)
		return code;
	code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (code == 0) {
		code = set->count < count ? load_row(values, set, &key, &value) : MDB_CORRUPTED;
		if (code == 0)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (code == MDB_NOTFOUND)
		code = set->count == count ? 0 : MDB_CORRUPTED;
	return code;
}

int values_init(struct values *values, MDB_txn *txn, const char *dir, const uint64_t store[2])
{
	struct value_set *set;
	MDB_stat stat;
	int code = mdb_stat(txn, values->table, &stat);

	if (code != 0)
		return code;
	snprintf(values->dir, sizeof(values->dir), "%s", dir);
	values->store[0] = store[0];
	values->store[1] = store[1];
	pthread_mutex_init(&values->map_lock, NULL);
	set = value_set_new(stat.ms_entries, NULL);
	if (set == NULL)
		return ENOMEM;
	set->count = 0;
	atomic_store(&values->set, set);
	return load_rows(values, txn, set, stat.ms_entries);
}

void value_file_free(struct value_file *file)
{
	const char *map = atomic_load(&file->map);

	if (map != NULL)
		munmap((void *)map, file->row.used);
	free(file);
}

void values_done(struct values *values)
{
	struct value_set *set = atomic_load(&values->set);

	if (set == NULL)
		return;
	values_forget_sets(values);
	for (size_t i = 0; i < set->count; i++)
		value_file_free(set->files[i]);
	free(set);
	atomic_store(&values->set, NULL);
	pthread_mutex_destroy(&values->map_lock);
}
