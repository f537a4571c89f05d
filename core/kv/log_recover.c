/* SPDX-License-Identifier: MIT */
/*
 * After a stop of any kind: what the log holds and the pages don't goes back into memtables. Nothing is applied here,
 * so the time it takes depends on the log's length alone.
 *
 * Where a segment stops making sense, there are two explanations. A power loss, which takes what was not synced, any
 * part of it: that is cut away. Or damage of what had been synced. The marks tell them apart: a mark behind that place
 * which says that the log was durable beyond it. Damage stops the start, since to go on would lose acknowledged writes
 * in silence.
 */
#include "recover.h"

#include "hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct segment {
	uint64_t number;
	int fd;
	struct memtable *memtable; /* NULL: nothing to replay in it */
	bool valid;                /* the header is one of this life */
	bool reusable;             /* its space may serve another segment */
};

struct recovery {
	struct log *log;
	struct durable *store;
	struct segment *segments;
	size_t count;
	uint64_t highest; /* number seen */
};

/* ---- frames ------------------------------------------------------------------------------------------------ */

/* The frame at `at`, if there is a whole one of this segment. */
static const struct frame *frame_at(const struct memtable *memtable, size_t at)
{
	const struct frame *frame = (const struct frame *)(const void *)(memtable->buffer + at);

	if (at + sizeof(*frame) > memtable->size || frame->size == 0 ||
	    frame->size > memtable->size - at - sizeof(*frame) ||
	    frame->position != memtable_position(memtable, frame) ||
	    frame->checksum != frame_checksum(frame, memtable->number))
		return NULL;
	return frame;
}

/* The farthest position that a mark from `at` on says was durable; *frames: how many frames there are at all. */
static uint64_t marks_from(const struct memtable *memtable, size_t at, size_t *frames)
{
	uint64_t farthest = 0;

	for (; at + sizeof(struct frame) <= memtable->size; at += 8) {
		const struct frame *frame = frame_at(memtable, at);
		const struct record *record = (const struct record *)(const void *)(frame + 1);
		uint64_t durable;

		if (frame == NULL)
			continue;
		++*frames;
		if (record->kind == RECORD_MARK && frame->size == record_size(0, sizeof(durable))) {
			memcpy(&durable, record->bytes, sizeof(durable));
			if (durable > farthest)
				farthest = durable;
		}
	}
	return farthest;
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static int fail(const struct recovery *recovery, const struct segment *segment, struct kv_error *err, const char *what)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(segment->number, name);
	return kv_fail(err, "kv log: '%.300s/%s': %s", recovery->log->dir, name, what);
}

static int read_whole(int fd, char *buffer, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = pread(fd, buffer + at, size - at, (off_t)at);

		if (got == 0)
			return EIO;
		if (got < 0 && errno != EINTR)
			return errno;
		at += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* Looks at one file. Its header tells whether it belongs to this life, and its base whether the pages hold it already.
 */
static int segment_load(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	const uint64_t *store = recovery->store->pages.state.store;
	struct segment_header header;
	struct stat stat;
	int code;

	if (fstat(segment->fd, &stat) != 0)
		return fail(recovery, segment, err, strerror(errno));
	if ((size_t)stat.st_size <= sizeof(header) || stat.st_size > UINT32_MAX)
		return 0; /* a crash while it was being made */
	code = read_whole(segment->fd, (char *)&header, sizeof(header));
	if (code != 0)
		return fail(recovery, segment, err, strerror(code));
	if (memcmp(header.magic, SEGMENT_MAGIC, sizeof(header.magic)) == 0 && header.format > SEGMENT_FORMAT)
		return fail(recovery, segment, err, "has a newer format: run the version that wrote it");
	segment->valid = segment_header_valid(&header, segment->number, store);
	if (segment->valid ? header.base < recovery->store->pages.state.applied
			   : segment_header_unused(&header, segment->number)) {
		segment->reusable = (size_t)stat.st_size == recovery->store->options.segment_size;
		return 0;
	}
	segment->memtable = memtable_new(0, segment->number, header.base, (size_t)stat.st_size, -1, NULL);
	if (segment->memtable == NULL)
		return fail(recovery, segment, err, "out of memory");
	code = read_whole(segment->fd, segment->memtable->buffer, segment->memtable->size);
	return code == 0 ? 0 : fail(recovery, segment, err, strerror(code));
}

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

/*
 * A file whose header is none of any life may never have been begun, by a crash while it was made. If it holds frames
 * of its number, the header is lost.
 */
static int check_unused(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	const struct frame *frame;

	if (segment->valid || segment->memtable == NULL)
		return 0;
	for (size_t at = sizeof(struct segment_header); at + sizeof(*frame) <= segment->memtable->size; at += 8) {
		frame = (const struct frame *)(const void *)(segment->memtable->buffer + at);
		if (frame->size == 0 || frame->size > segment->memtable->size - at - sizeof(*frame) ||
		    !begins_with_record(frame))
			continue;
		segment->memtable->base = frame->position - (at - sizeof(struct segment_header));
		if (frame->position >= recovery->store->pages.state.applied &&
		    frame_at(segment->memtable, at) != NULL &&
		    marks_from(segment->memtable, at, &(size_t){ 0 }) > segment->memtable->base)
			return fail(recovery, segment, err,
				    "damaged at offset 0: its header is not readable: restore a backup");
	}
	memtable_free(segment->memtable);
	segment->memtable = NULL;
	return 0;
}

static int segment_add(struct recovery *recovery, uint64_t number, int fd, struct kv_error *err)
{
	struct segment *grown = realloc(recovery->segments, (recovery->count + 1) * sizeof(*grown)), *segment;

	if (grown == NULL) {
		close(fd);
		return kv_fail(err, "out of memory");
	}
	recovery->segments = grown;
	segment = &grown[recovery->count++];
	*segment = (struct segment){ .number = number, .fd = fd };
	if (number > recovery->highest)
		recovery->highest = number;
	return segment_load(recovery, segment, err) != 0 ? -1 : check_unused(recovery, segment, err);
}

static int by_base(const void *a, const void *b)
{
	const struct segment *left = a, *right = b;
	uint64_t left_base = left->memtable != NULL ? left->memtable->base : 0,
		 right_base = right->memtable != NULL ? right->memtable->base : 0;

	return (left_base > right_base) - (left_base < right_base);
}

static int load_folder(struct recovery *recovery, struct kv_error *err)
{
	const char *path = recovery->log->dir;
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int code = 0;

	if (dir == NULL)
		return kv_fail(err, "kv log: cannot open '%.300s': %s", path, strerror(errno));
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		uint64_t number;
		int fd;

		if (!segment_number(entry->d_name, &number))
			continue;
		fd = openat(recovery->log->dir_fd, entry->d_name, O_RDWR | O_CLOEXEC);
		code = fd < 0 ? kv_fail(err, "kv log: cannot open '%.200s/%.64s': %s", path, entry->d_name,
					strerror(errno))
			      : segment_add(recovery, number, fd, err);
	}
	closedir(dir);
	if (recovery->count > 0)
		qsort(recovery->segments, recovery->count, sizeof(*recovery->segments), by_base);
	return code;
}

/* ---- replaying --------------------------------------------------------------------------------------------- */

/* The first frame that does not check ends the segment. */
static int replay_segment(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	struct memtable *memtable = segment->memtable;
	struct replay replay;
	const struct frame *frame;
	int code = replay_begin(&replay, recovery->store, memtable, err);

	while (code == 0 && (frame = frame_at(memtable, memtable->used)) != NULL) {
		code = replay_frame(&replay, frame, err);
		if (code == 0)
			memtable->used += frame_size(frame->size);
	}
	replay_end(&replay);
	if (code != 0) {
		struct kv_error cause = *err;

		return kv_fail(err, "kv log: segment %016" PRIx64 " at offset %zu: %.300s", segment->number,
			       memtable->used, cause.message);
	}
	return 0;
}

/* Makes sure that what is behind the end is never taken for frames again. */
static int cut(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	struct memtable *memtable = segment->memtable;

	memset(memtable->buffer + memtable->used, 0, memtable->size - memtable->used);
	for (size_t at = memtable->used; at < memtable->size;) {
		ssize_t wrote = pwrite(segment->fd, memtable->buffer + at, memtable->size - at, (off_t)at);

		if (wrote < 0 && errno != EINTR)
			return fail(recovery, segment, err, strerror(errno));
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	return 0;
}

static void tell_cut(struct recovery *recovery, const struct segment *segment, size_t frames)
{
	const struct engine_host *host = &recovery->store->options.host;
	char name[SEGMENT_NAME_BYTES], message[KV_ERROR_BYTES];

	segment_name(segment->number, name);
	snprintf(message, sizeof(message),
		 "kv log: '%.300s/%s' ends in a torn write at offset %zu, which was not acknowledged: cut, and %zu "
		 "whole "
		 "ones behind it",
		 recovery->log->dir, name, segment->memtable->used, frames);
	host->log(host->context, KVREL_WARN, message);
}

/*
 * Segment `at` ended. What comes behind, in it and in later segments, is either nothing, the remains of writes that
 * were never synced, or a proof of damage. *last: later segments don't count.
 */
static int judge_end(struct recovery *recovery, size_t at, bool *last, struct kv_error *err)
{
	struct segment *segment = &recovery->segments[at];
	struct memtable *memtable = segment->memtable;
	const struct frame *torn = (const struct frame *)(const void *)(memtable->buffer + memtable->used);
	bool traces =
		memtable->used + sizeof(*torn) <= memtable->size && torn->position == memtable_position(memtable, torn);
	size_t frames = 0;
	uint64_t durable = marks_from(memtable, memtable->used, &frames);

	*last = at + 1 == recovery->count;
	if (!*last && recovery->segments[at + 1].memtable->base == memtable_end(memtable))
		return 0;
	for (size_t i = at + 1; i < recovery->count; i++) {
		const struct memtable *later = recovery->segments[i].memtable;
		uint64_t mark = marks_from(later, sizeof(struct segment_header), &frames);

		durable = mark > durable ? mark : durable;
	}
	if (durable > memtable_end(memtable)) {
		char what[KV_ERROR_BYTES];

		snprintf(what, sizeof(what),
			 "damaged at offset %zu: what was durable there is not readable: restore a backup",
			 memtable->used);
		return fail(recovery, segment, err, what);
	}
	*last = true;
	if (!traces && frames == 0)
		return 0;
	tell_cut(recovery, segment, frames);
	return cut(recovery, segment, err);
}

/* Done with: its space serves the next segment, if there is none for it yet. */
static void drop_segment(struct recovery *recovery, struct segment *segment)
{
	struct durable *store = recovery->store;
	int dir_fd = recovery->log->dir_fd;

	memtable_free(segment->memtable);
	segment->memtable = NULL;
	if (segment->reusable && store->spare.fd < 0 &&
	    segment_rename(dir_fd, segment->number, recovery->highest + 1) == 0) {
		store->spare.fd = segment->fd;
		store->spare.number = ++recovery->highest;
	} else {
		segment_remove(dir_fd, segment->number);
		close(segment->fd);
	}
	segment->fd = -1;
}

/* Hands a replayed segment to the store, as a frozen memtable. */
static int adopt(struct recovery *recovery, struct segment *segment, struct kv_error *err)
{
	struct memtable *memtable = segment->memtable;

	if (fdatasync(segment->fd) != 0) /* a kill leaves writes that are not synced */
		return fail(recovery, segment, err, strerror(errno));
	memtable->fd = segment->fd;
	memtable->written = memtable->used;
	atomic_store(&memtable->frozen, true);
	segment->fd = -1;
	segment->memtable = NULL;
	return 0;
}

/* The memtable is in reach of readers, and so of replay, before its records are. */
static void link_newest(struct durable *store, struct memtable *memtable)
{
	struct memtable *before = atomic_load(&store->newest);

	memtable->id = before != NULL ? before->id + 1 : 1;
	atomic_store(&memtable->older, before);
	if (before != NULL)
		atomic_store(&before->newer, memtable);
	else
		store->oldest = memtable;
	atomic_store(&store->newest, memtable);
}

static int replay_all(struct recovery *recovery, struct kv_error *err)
{
	uint64_t expected = recovery->store->pages.state.applied;
	bool last = false;

	for (size_t i = 0; i < recovery->count; i++) {
		struct segment *segment = &recovery->segments[i];

		if (segment->memtable == NULL || last) {
			drop_segment(recovery, segment);
			continue;
		}
		if (segment->memtable->base != expected)
			return fail(recovery, segment, err,
				    "the segment before it is missing: restore it, or a backup");
		link_newest(recovery->store, segment->memtable);
		struct memtable *memtable = segment->memtable;

		if (replay_segment(recovery, segment, err) != 0 || judge_end(recovery, i, &last, err) != 0 ||
		    adopt(recovery, segment, err) != 0) {
			segment->memtable = NULL; /* the store's by now */
			return -1;
		}
		expected = memtable_end(memtable);
	}
	return 0;
}

int log_recover(struct log *log, struct kv_error *err)
{
	struct recovery recovery = { .log = log, .store = log->store };
	struct durable *store = log->store;
	int code = load_folder(&recovery, err);

	if (code == 0)
		code = replay_all(&recovery, err);
	for (size_t i = 0; i < recovery.count; i++) {
		memtable_free(recovery.segments[i].memtable);
		if (recovery.segments[i].fd >= 0)
			close(recovery.segments[i].fd);
	}
	free(recovery.segments);
	if (code != 0)
		return -1;
	log->next_number = recovery.highest + 1;
	if (rotate(store, err) != 0)
		return -1;
	if (store->oldest == NULL)
		store->oldest = atomic_load(&store->newest);
	log->writing = log->syncing = atomic_load(&store->newest);
	atomic_store(&log->durable, log->writing->base);
	return 0;
}
