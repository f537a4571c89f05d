/* SPDX-License-Identifier: MIT */
/* Values that are still in use get a new file, and the pages point there. */
#include "clean.h"

#include <stdlib.h>
#include <unistd.h>

enum { MOVES_PER_TRANSACTION = 2048, FRAME_BYTES = 256 << 10 };

/* ---- the new file ---------------------------------------------------------------------------------------------- */

static int write_on(struct clean *clean, const void *bytes, size_t size)
{
	int code = file_write(clean->fd, bytes, size, clean->used);

	clean->used += size;
	return code;
}

static size_t moved_size(const struct moved *moved)
{
	return record_size(moved->record->key_size, moved->record->value_size);
}

/* So many from `first` on make one frame. */
static size_t frame_of(const struct clean *clean, size_t first, size_t *bytes)
{
	size_t count = 1;

	*bytes = moved_size(&clean->moved[first]);
	while (first + count < clean->count && *bytes < FRAME_BYTES)
		*bytes += moved_size(&clean->moved[first + count++]);
	return count;
}

/* Nothing that is damaged gets a new place. 0, or MDB_CORRUPTED and why. */
static int copy_record(struct clean *clean, struct moved *moved, char *to, size_t offset, struct kv_error *err)
{
	struct values *values = clean->pages->values;
	const struct record *record = moved->record;
	struct kvrel_slice value;

	if (value_resolve(values, &moved->from, &value, err) != 0) {
		values_find(values, moved->from.segment)->damaged = true;
		return MDB_CORRUPTED;
	}
	record_write(to, RECORD_PUT, moved->bucket, record_key(record), value);
	moved->to = value_describe(clean->number, offset + sizeof(*record) + record->key_size, value);
	return 0;
}

/* A frame of the cleaner's needs no checksum: nobody replays it, and each value has one in its pointer. */
static int write_frame(struct clean *clean, size_t first, size_t count, size_t bytes, struct kv_error *err)
{
	struct frame *frame = calloc(1, frame_size(bytes));
	size_t at = sizeof(*frame);
	int code = frame != NULL ? 0 : ENOMEM;

	for (size_t i = first; code == 0 && i < first + count; i++) {
		code = copy_record(clean, &clean->moved[i], (char *)frame + at, clean->used + at, err);
		at += moved_size(&clean->moved[i]);
		clean_rest(clean, i);
	}
	if (code == 0) {
		frame->size = (uint32_t)bytes;
		frame->position = clean->used - sizeof(struct segment_header);
		code = write_on(clean, frame, frame_size(bytes));
	}
	free(frame);
	return code;
}

static size_t new_size(const struct clean *clean)
{
	size_t size = sizeof(struct segment_header), bytes;

	for (size_t i = 0, count; i < clean->count; i += count) {
		count = frame_of(clean, i, &bytes);
		size += frame_size(bytes);
	}
	return size;
}

static int fill(struct clean *clean, struct kv_error *err)
{
	struct segment_header header;
	size_t bytes, count;
	int code;

	segment_header_set(&header, clean->number, 0, clean->pages->state.store);
	code = write_on(clean, &header, sizeof(header));
	for (size_t i = 0; code == 0 && i < clean->count; i += count) {
		count = frame_of(clean, i, &bytes);
		code = write_frame(clean, i, count, bytes, err);
	}
	if (code == 0 && fdatasync(clean->fd) != 0)
		code = errno;
	return code;
}

int clean_write(struct clean *clean, struct kv_error *err)
{
	struct durable *store = clean->store;
	const size_t size = new_size(clean);
	const struct value_row row = { .size = size, .used = size };
	char name[SEGMENT_NAME_BYTES];
	int code = 0;

	fault_changing = clean->pages;
	pthread_mutex_lock(&store->write_lock);
	clean->number = store->log.next_number++;
	pthread_mutex_unlock(&store->write_lock);
	clean->fd = segment_create(store->log.dir_fd, clean->number, row.size);
	if (clean->fd < 0)
		code = errno;
	else
		code = fill(clean, err);
	if (code == 0 && !values_add(clean->pages->values, clean->number, &row))
		code = ENOMEM;
	if (clean->fd >= 0)
		close(clean->fd);
	if (code == 0)
		return 0;
	if (clean->fd >= 0)
		segment_remove(store->log.dir_fd, clean->number);
	if (code == MDB_CORRUPTED)
		return -1;
	segment_name(clean->number, name);
	return kv_fail(err, "kv store: cannot write '%.300s/%s', to make room: %s", store->log.dir, name,
		       strerror(code));
}

/* ---- the pointers ---------------------------------------------------------------------------------------------- */

static int point_one(struct clean *clean, MDB_cursor *cursor, const struct moved *moved)
{
	const struct kvrel_slice value = { (const char *)&moved->to, sizeof(moved->to) };
	struct page_key key;
	int code;

	page_key_set(clean->pages, &key, moved->bucket, record_key(moved->record));
	code = guard_check(&clean->guard, &key.val, false);
	if (code != 0)
		return code;
	values_count(clean->pages->values, moved->from.segment, -(int64_t)moved->from.size);
	values_count(clean->pages->values, moved->to.segment, moved->to.size);
	return page_put(clean->pages, clean->txn, cursor, moved->bucket, record_key(moved->record), &key, value, true);
}

static int point_some(struct clean *clean, size_t first, size_t end)
{
	MDB_cursor *cursor;
	int code = guard_begin(&clean->guard, clean->pages, &clean->txn);

	if (code != 0)
		return code;
	code = mdb_cursor_open(clean->txn, clean->pages->data, &cursor);
	if (code == 0) {
		for (size_t i = first; code == 0 && i < end; i++) {
			clean_rest(clean, i);
			code = point_one(clean, cursor, &clean->moved[i]);
		}
		mdb_cursor_close(cursor);
	}
	if (code == 0)
		code = values_store(clean->pages->values, clean->txn);
	if (code == 0)
		code = pages_commit(clean->pages, clean->txn);
	else
		mdb_txn_abort(clean->txn);
	values_settle(clean->pages->values, code == 0);
	return code;
}

int clean_point(struct clean *clean, struct kv_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < clean->count; i += MOVES_PER_TRANSACTION) {
		size_t end = i + MOVES_PER_TRANSACTION;

		code = point_some(clean, i, end < clean->count ? end : clean->count);
	}
	for (size_t i = 0; code == 0 && i < clean->file_count; i++)
		clean->files[i]->damaged = clean->files[i]->row.live > 0; /* not all of it was found */
	if (code == 0)
		return 0;
	return clean->guard.damage.message[0] != '\0' ? kv_fail(err, "%s", clean->guard.damage.message)
						      : clean_fail(err, code);
}
