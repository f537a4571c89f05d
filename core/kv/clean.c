/* SPDX-License-Identifier: MIT */
/*
 * Space of far values that were overwritten or deleted. Once the unused bytes of all files outweigh the used ones by
 * more than some files, the emptiest are read through; what pages still point to is written to a new file in the
 * segments' form, in order of keys; then the pointers are changed, in a few transactions. Files that nobody points to
 * after that are the applying thread's to give up.
 *
 * This needs no agreement with writers: the applying thread alone changes pages, and what memtables know takes
 * precedence over them. Nor with the log: a new file is synced before a page points to it, and one that a crash leaves
 * without a row in the table is no far values' file, so its space is reused.
 *
 * Each run moves at most one segment's bytes, out of files that were half empty, and makes room for as much as a
 * memtable brings: space comes back as fast as it is used up.
 */
#include "clean.h"
#include "array.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIVE_MAX_PERCENT = 60 };

/* ---- which files ----------------------------------------------------------------------------------------------- */

static int by_use(const void *a, const void *b)
{
	const struct value_file *left = *(struct value_file *const *)a, *right = *(struct value_file *const *)b;
	uint64_t left_use = left->row.live * right->row.size, right_use = right->row.live * left->row.size;

	return (left_use > right_use) - (left_use < right_use);
}

/* The emptiest, whose values fill one file; offsets in it have 32 bits, whatever the keys take. */
static int choose(struct clean *clean)
{
	const struct value_set *set = atomic_load(&clean->pages->values->set);
	uint64_t room = clean->store->options.segment_size, live = 0, used = 0;
	size_t count = 0;

	clean->files = malloc(set->count * sizeof(struct value_file *));
	if (clean->files == NULL)
		return ENOMEM;
	for (size_t i = 0; i < set->count; i++)
		if (!set->files[i]->damaged && set->files[i]->row.live > 0)
			clean->files[count++] = set->files[i];
	qsort(clean->files, count, sizeof(struct value_file *), by_use);
	while (clean->file_count < count) {
		const struct value_row *row = &clean->files[clean->file_count]->row;

		if (row->live * 100 > row->size * LIVE_MAX_PERCENT || (live > 0 && live + row->live > room) ||
		    used + row->used > UINT32_MAX)
			break;
		live += row->live;
		used += row->used;
		clean->file_count++;
	}
	return 0;
}

/* ---- what is in use -------------------------------------------------------------------------------------------- */

/* Whether the pages point to this value of a record; `from`: then the pointer. */
static int look_up(struct clean *clean, const struct value_file *file, const struct record *record, size_t offset,
		   struct far_value *from, bool *used)
{
	struct page_key key;
	MDB_val stored;
	int code;

	*used = false;
	page_key_set(clean->pages, &key, record_bucket_id(record), record_key(record));
	code = mdb_get(clean->txn, clean->pages->data, &key.val, &stored);
	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : code;
	*used = page_entry_far(&key.val, &stored, from) && from->segment == file->number && from->offset == offset &&
		from->size == record->value_size;
	return 0;
}

static int add_moved(struct clean *clean, const struct record *record, const struct far_value *from)
{
	struct moved *grown = array_grow(clean->moved, clean->count, &clean->capacity, sizeof(*grown));

	if (grown == NULL)
		return ENOMEM;
	clean->moved = grown;
	clean->moved[clean->count++] =
		(struct moved){ .record = record, .bucket = record_bucket_id(record), .from = *from };
	return 0;
}

static int collect_frame(struct clean *clean, const struct value_file *file, const char *map, const struct frame *frame)
{
	const char *at = (const char *)(frame + 1), *end = at + frame->size;
	int code = 0;

	while (code == 0 && end - at >= (ptrdiff_t)sizeof(struct record)) {
		const struct record *record = (const struct record *)(const void *)at;
		size_t offset = (size_t)(record_value(record).data - map);
		struct far_value from;
		bool used;

		if (record_size(record->key_size, record->value_size) > (size_t)(end - at))
			return 0;
		at += record_size(record->key_size, record->value_size);
		if (!record_has_value(record) || record->value_size < FAR_VALUE_MIN)
			continue;
		code = look_up(clean, file, record, offset, &from, &used);
		if (code == 0 && used)
			code = add_moved(clean, record, &from);
		clean_rest(clean, clean->count);
	}
	return code;
}

/*
 * Frame after frame, which were whole when the file was kept. Only what is moved is checked, each value by itself: what
 * damage elsewhere leads past stays where it is, and so does the file. 0, LMDB's code, or MDB_CORRUPTED and why.
 */
static int collect_file(struct clean *clean, struct value_file *file, struct kv_error *err)
{
	const char *map = value_file_map(clean->pages->values, file, err);
	size_t at = sizeof(struct segment_header);
	char what[80];
	int code = 0;

	if (map == NULL)
		return MDB_CORRUPTED;
	while (code == 0 && at < file->row.used) {
		const struct frame *frame = (const struct frame *)(const void *)(map + at);

		if (file->row.used - at < sizeof(*frame) || frame->size > file->row.used - at - sizeof(*frame)) {
			snprintf(what, sizeof(what), "damaged at offset %zu: restore a backup", at);
			value_fail(clean->pages->values, file->number, err, what);
			return MDB_CORRUPTED;
		}
		code = collect_frame(clean, file, map, frame);
		at += frame_size(frame->size);
	}
	if (code != 0)
		clean_fail(err, code);
	return code;
}

static int moved_compare(const void *a, const void *b, void *pages)
{
	const struct moved *left = a, *right = b;

	if (left->bucket != right->bucket)
		return left->bucket < right->bucket ? -1 : 1;
	return page_key_compare(pages, record_key(left->record), record_key(right->record));
}

/* A file that is damaged is left as it is. */
static int collect(struct clean *clean, struct kv_error *err)
{
	struct fault_watch watch = pages_watch(clean->pages);
	int code = mdb_txn_begin(clean->pages->env, NULL, MDB_RDONLY, &clean->txn);

	if (code != 0)
		return clean_fail(err, code);
	fault_begin(&watch);
	for (size_t i = 0; code == 0 && i < clean->file_count; i++) {
		code = collect_file(clean, clean->files[i], err);
		clean->files[i]->damaged = code == MDB_CORRUPTED;
	}
	mdb_txn_abort(clean->txn);
	clean->txn = NULL;
	if (code == 0 && clean->count > 0)
		qsort_r(clean->moved, clean->count, sizeof(*clean->moved), moved_compare, clean->pages);
	if (fault_end(&watch))
		return pages_lost(clean->pages, err);
	return code == 0 ? 0 : -1;
}

static bool is_needed(const struct durable *store)
{
	const struct value_set *set = atomic_load(&store->pages.values->set);
	uint64_t bytes = 0, live = 0;

	for (size_t i = 0; i < set->count; i++) {
		live += set->files[i]->row.live;
		bytes += set->files[i]->row.live > 0 ? set->files[i]->row.size : 0;
	}
	return bytes > 2 * live + FAR_GARBAGE_FILES * store->options.segment_size;
}

int clean_values(struct durable *store, struct kv_error *err)
{
	struct clean clean = { .store = store, .pages = &store->pages };
	int code;

	if (!is_needed(store))
		return 0;
	pace_begin(&clean.pace, store, atomic_load(&store->newest));
	code = choose(&clean);
	if (code != 0)
		code = clean_fail(err, code);
	else if (collect(&clean, err) != 0 ||
		 (clean.file_count > 0 && (clean_write(&clean, err) != 0 || clean_point(&clean, err) != 0)))
		code = -1;
	else
		code = clean.file_count > 0;
	free(clean.moved);
	free(clean.files);
	return code;
}
