/* SPDX-License-Identifier: MIT */
/*
 * Reading a segment's file after a stop. A file is mostly larger than what is in use of it, and reading the rest into
 * fresh memory would take longer than all else at a start; so frames are read as far as they go, and the rest is looked
 * through in pieces.
 */
#include "recover.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECE_BYTES = 1 << 20, LOOKED_AT_BYTES = sizeof(struct frame) + sizeof(struct record) };

/* ---- frames anywhere --------------------------------------------------------------------------------------- */

/*
 * Whether the first record is one, within the frame: almost nothing else passes, and it costs nothing. A recycled file
 * is full of old records; a checksum over megabytes for each place in them that could be a frame's size takes minutes.
 */
static bool begins_with_record(const struct frame *frame)
{
	const struct record *record = (const struct record *)(const void *)(frame + 1);

	return frame->size >= sizeof(*record) && record->kind >= RECORD_PUT && record->kind <= RECORD_MARK &&
	       record_size(record->key_size, record->value_size) <= frame->size;
}

/* The position that a mark says was durable; 0 if it is none. */
static uint64_t marked(const struct frame *frame)
{
	const struct record *record = (const struct record *)(const void *)(frame + 1);
	uint64_t durable = 0;

	if (record->kind == RECORD_MARK && frame->size == record_size(0, sizeof(durable)))
		memcpy(&durable, record->bytes, sizeof(durable));
	return durable;
}

/* Whether a frame may begin at `at` of the file; its head and the first record's are in memory. */
static bool may_be_frame(const struct log_file *file, const struct frame *frame, size_t at, struct log_bases bases)
{
	uint64_t base = frame->position - (at - sizeof(struct segment_header));

	return frame->size > 0 && frame_size(frame->size) <= file->size - at &&
	       base - bases.low <= bases.high - bases.low && begins_with_record(frame);
}

/* Reads the frame whole and notes it if its checksum is right; *size: how far to go on, 8 if it is none. */
static int note_frame(const struct log_file *file, const struct frame *head, size_t at, struct log_scan *scan,
		      size_t *size)
{
	struct frame *frame = malloc(sizeof(*frame) + head->size);
	uint64_t durable;
	int code;

	if (frame == NULL)
		return ENOMEM;
	code = file_read(file->fd, frame, sizeof(*frame) + head->size, at);
	if (code == 0 && frame->checksum == frame_checksum(frame, file->number)) {
		if (scan->count++ == 0)
			scan->base = frame->position - (at - sizeof(struct segment_header));
		durable = marked(frame);
		scan->durable = durable > scan->durable ? durable : scan->durable;
		*size = frame_size(frame->size);
	}
	free(frame);
	return code;
}

int log_scan(const struct log_file *file, struct log_bases bases, size_t from, struct log_scan *scan)
{
	char *piece = malloc(PIECE_BYTES);
	size_t began = 0, end = 0;
	int code = piece != NULL ? 0 : ENOMEM;

	for (size_t at = from; code == 0 && at + LOOKED_AT_BYTES <= file->size;) {
		const struct frame *frame;
		size_t step = 8;

		if (at < began || at + LOOKED_AT_BYTES > end) {
			began = at;
			end = file->size - at < PIECE_BYTES ? file->size : at + PIECE_BYTES;
			code = file_read(file->fd, piece, end - began, began);
			if (code != 0)
				break;
		}
		frame = (const struct frame *)(const void *)(piece + (at - began));
		if (may_be_frame(file, frame, at, bases))
			code = note_frame(file, frame, at, scan, &step);
		at += step;
	}
	free(piece);
	return code;
}

/* ---- frames in a row --------------------------------------------------------------------------------------- */

/* Makes sure that the buffer holds the file up to `end`. */
static int load_up_to(const struct log_file *file, struct memtable *memtable, size_t *loaded, size_t end)
{
	size_t upper = (end + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES;
	int code;

	if (end <= *loaded)
		return 0;
	if (upper > file->size)
		upper = file->size;
	code = file_read(file->fd, memtable->buffer + *loaded, upper - *loaded, *loaded);
	if (code == 0)
		*loaded = upper;
	return code;
}

static uint32_t count_records(const struct frame *frame)
{
	const char *at = (const char *)(frame + 1), *end = at + frame->size;
	uint32_t count = 0;

	for (; end - at >= (ptrdiff_t)sizeof(struct record); count++) {
		const struct record *record = (const struct record *)(const void *)at;
		size_t size = record_size(record->key_size, record->value_size);

		at = size < (size_t)(end - at) ? at + size : end;
	}
	return count;
}

/* How much of the segment was durable when a mark of it was written. */
static void note_durable(struct memtable *memtable, uint64_t durable)
{
	uint64_t synced = durable - memtable->base + sizeof(struct segment_header);

	if (durable > memtable->base && synced <= memtable->used && synced > memtable->synced)
		memtable->synced = synced;
}

int log_read_frames(const struct log_file *file, struct memtable *memtable, uint32_t *records, bool *torn)
{
	size_t loaded = 0;
	int code = 0;

	*records = 0;
	*torn = false;
	while (memtable->used + sizeof(struct frame) <= file->size) {
		const struct frame *frame = (const struct frame *)(const void *)(memtable->buffer + memtable->used);

		code = load_up_to(file, memtable, &loaded, memtable->used + sizeof(*frame));
		if (code != 0 || frame->position != memtable_position(memtable, frame))
			return code;
		*torn = true;
		if (frame->size < sizeof(struct record) || frame_size(frame->size) > file->size - memtable->used)
			return 0;
		code = load_up_to(file, memtable, &loaded, memtable->used + sizeof(*frame) + frame->size);
		if (code != 0 || frame->checksum != frame_checksum(frame, memtable->number))
			return code;
		*torn = false;
		*records += count_records(frame);
		note_durable(memtable, marked(frame));
		memtable->used += frame_size(frame->size);
	}
	return 0;
}
