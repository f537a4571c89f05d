/* SPDX-License-Identifier: MIT */
/*
 * After a stop of any kind: what the log holds and the pages don't goes back into memtables. Nothing is applied here,
 * so the time it takes depends on the log's length alone.
 *
 * Where a segment stops making sense, there are two explanations. A power loss, which takes what was not synced, any
 * part of it: that is cut away. Or damage of what had been synced. The marks tell them apart: a mark behind that place
 * which says that the log was durable beyond it. Damage stops the start, since to go on would lose acknowledged writes
 * in silence. Where nothing is behind that place, because the files that followed are gone, the pages may say it
 * (struct page_durable).
 */
#include "recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- replaying --------------------------------------------------------------------------------------------- */

/* Frame after frame, to the first that does not check. */
static int replay_segment(struct recovery *recovery, struct segment *segment, struct memtable *memtable, bool *torn,
			  struct kv_error *err)
{
	size_t at = sizeof(struct segment_header);
	struct replay replay;
	uint32_t records;
	int code = log_read_frames(&segment->file, memtable, &records, torn);

	if (code != 0)
		return segment_fail(recovery, segment, err, strerror(code));
	code = replay_begin(&replay, recovery->store, memtable, records, err);
	while (code == 0 && at < memtable->used) {
		const struct frame *frame = (const struct frame *)(const void *)(memtable->buffer + at);

		code = replay_frame(&replay, frame, err);
		if (code == 0)
			at += frame_size(frame->size);
	}
	replay_end(&replay);
	if (code != 0) {
		char what[KV_ERROR_BYTES];

		snprintf(what, sizeof(what), "at offset %zu: %.300s", at, err->message);
		return segment_fail(recovery, segment, err, what);
	}
	return 0;
}

__attribute__((format(printf, 3, 4))) static void tell(const struct recovery *recovery, const struct segment *segment,
						       const char *format, ...)
{
	const struct engine_host *host = &recovery->store->options.host;
	char name[SEGMENT_NAME_BYTES], what[160], message[KV_ERROR_BYTES];
	va_list values;

	va_start(values, format);
	vsnprintf(what, sizeof(what), format, values);
	va_end(values);
	segment_name(segment->file.number, name);
	snprintf(message, sizeof(message), "kv log: '%.300s/%s' %s", recovery->log->dir, name, what);
	host->log(host->context, KVREL_WARN, message);
}

static struct log_bases bases_of(const struct segment *segment)
{
	return (struct log_bases){ segment->base, segment->base };
}

/* All of segment `at` and later ones. */
static int scan_segments(const struct recovery *recovery, size_t at, struct log_scan *scan)
{
	int code = 0;

	for (; code == 0 && at < recovery->count; at++)
		code = log_scan(&recovery->segments[at].file, bases_of(&recovery->segments[at]),
				sizeof(struct segment_header), scan);
	return code;
}

/* Everything behind the end of segment `at`, in it and in later segments. */
static int scan_behind(const struct recovery *recovery, size_t at, const struct memtable *memtable,
		       struct log_scan *scan)
{
	const struct segment *segment = &recovery->segments[at];
	int code = log_scan(&segment->file, bases_of(segment), memtable->used, scan);

	return code == 0 ? scan_segments(recovery, at + 1, scan) : code;
}

/* The log ended at `end`, in the last file there is: whether the pages say that more was synced. */
static bool lacks_durable(const struct recovery *recovery, uint64_t end)
{
	return recovery->store->pages.log_durable > end;
}

/* Nothing that is there says that there was more. How much, and not where: positions are not told (page_state.c). */
static int refuse_end(const struct recovery *recovery, const struct segment *segment, const struct memtable *memtable,
		      struct kv_error *err)
{
	char what[KV_ERROR_BYTES];

	snprintf(what, sizeof(what),
		 "ends at offset %zu, and %" PRIu64
		 " bytes that were durable behind that are missing: restore the file that came next, or a backup",
		 memtable->used, recovery->store->pages.log_durable - memtable_end(memtable));
	return segment_fail(recovery, segment, err, what);
}

/*
 * Segment `at` ended. What comes behind is either nothing, the remains of writes that were never synced, or a proof of
 * damage. *last: later segments don't count.
 */
static int judge_end(struct recovery *recovery, size_t at, const struct memtable *memtable, bool torn, bool *last,
		     struct kv_error *err)
{
	struct segment *segment = &recovery->segments[at];
	struct log_scan scan = { 0 };
	int code;

	if (at + 1 < recovery->count && recovery->segments[at + 1].base == memtable_end(memtable))
		return 0;
	*last = true;
	code = scan_behind(recovery, at, memtable, &scan);
	if (code == 0 && !torn && scan.count == 0 && lacks_durable(recovery, memtable_end(memtable)))
		return refuse_end(recovery, segment, memtable, err);
	if (code == 0 && (scan.durable > memtable_end(memtable) || lacks_durable(recovery, memtable_end(memtable)))) {
		char what[KV_ERROR_BYTES];

		snprintf(what, sizeof(what),
			 "damaged at offset %zu: what was durable there is not readable: restore a backup",
			 memtable->used);
		return segment_fail(recovery, segment, err, what);
	}
	if (code == 0 && (torn || scan.count > 0)) {
		tell(recovery, segment,
		     "ends in a torn write at offset %zu, which nothing proves synced: cut, and %zu whole ones behind "
		     "it",
		     memtable->used, scan.count);
		code = file_clear(segment->file.fd, memtable->used, segment->file.size);
	}
	return code == 0 ? 0 : segment_fail(recovery, segment, err, strerror(code));
}

/* Done with: its space serves a later segment, if there is not enough for those yet. */
static void drop_segment(struct recovery *recovery, struct segment *segment)
{
	struct durable *store = recovery->store;
	int dir_fd = recovery->log->dir_fd;

	uint64_t number = segment->file.number;
	bool wanted = segment->reusable && store->spares.file_count < SPARES_USUAL;

	if (wanted && segment_reuse(dir_fd, segment->file.fd, segment->file.size, number, ++recovery->highest) == 0) {
		spares_add_file(&store->spares, segment->file.fd, recovery->highest);
	} else {
		segment_remove(dir_fd, number);
		if (wanted)
			segment_remove(dir_fd, recovery->highest);
		close(segment->file.fd);
	}
	segment->file.fd = -1;
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

/*
 * A kill leaves writes that are not synced: few where each sync was waited for, whole segments elsewhere, which are
 * synced when the log is the next time, before they are applied.
 */
static bool syncs_at_start(const struct log *log)
{
	return atomic_load(&log->durability) == ENGINE_ALWAYS;
}

static int sync_segment(const struct recovery *recovery, const struct segment *segment, struct memtable *memtable,
			struct kv_error *err)
{
	int code = log_write_again(memtable);

	if (code == 0 && fdatasync(memtable->fd) != 0)
		code = errno;
	return code == 0 ? 0 : segment_fail(recovery, segment, err, strerror(code));
}

/* One segment, to a frozen memtable of the store. */
static int recover_segment(struct recovery *recovery, size_t at, bool *last, struct kv_error *err)
{
	struct segment *segment = &recovery->segments[at];
	struct memtable *memtable = memtable_new(0, segment->file.number, segment->base, segment->file.size, -1, NULL);
	bool torn;

	if (memtable == NULL)
		return segment_fail(recovery, segment, err, "out of memory");
	link_newest(recovery->store, memtable);
	if (replay_segment(recovery, segment, memtable, &torn, err) != 0 ||
	    judge_end(recovery, at, memtable, torn, last, err) != 0)
		return -1;
	memtable->written = memtable->used;
	memtable->fd = segment->file.fd;
	segment->file.fd = -1;
	atomic_store(&memtable->frozen, true);
	return torn || syncs_at_start(recovery->log) ? sync_segment(recovery, segment, memtable, err) : 0;
}

/*
 * After a kill: what can be read of the pages may not be on the disk, where it came between a commit and its sync or
 * the sync failed. So it is committed and synced once more, before another copy of it goes. False: that cannot be now,
 * and a later start tries it.
 */
static bool settle_pages(const struct recovery *recovery)
{
	for (size_t i = 0; i < recovery->count; i++)
		if (recovery->segments[i].applied || recovery->segments[i].live)
			return pages_sync(&recovery->store->pages, true) == 0;
	return true;
}

/*
 * Segment `at` does not begin where the log ended, at `end`. If a mark proves that the log was durable beyond that, a
 * file was lost. Else nothing was synced from there on, and a power loss took a whole segment of it.
 */
static int judge_gap(struct recovery *recovery, size_t at, uint64_t end, struct kv_error *err)
{
	const struct segment *segment = &recovery->segments[at];
	struct log_scan scan = { 0 };
	int code = scan_segments(recovery, at, &scan); /* in order of their bases, so all of these are live */

	if (code != 0)
		return segment_fail(recovery, segment, err, strerror(code));
	if (scan.durable > end || lacks_durable(recovery, end))
		return segment_fail(recovery, segment, err,
				    "the segment before it is missing: restore it, or a backup");
	tell(recovery, segment,
	     "goes on from a segment that a power loss took before it was synced: cut, and %zu whole writes in it",
	     scan.count);
	return 0;
}

/* Before anything is changed: the files that the pages' position goes on in are all gone. */
static int check_any_live(const struct recovery *recovery, struct kv_error *err)
{
	const struct pages *pages = &recovery->store->pages;

	if (!lacks_durable(recovery, pages->state.applied))
		return 0;
	for (size_t i = 0; i < recovery->count; i++)
		if (recovery->segments[i].live)
			return 0;
	return kv_fail(err,
		       "kv log: '%.300s': its last file is missing, and %" PRIu64
		       " bytes in it that were durable: restore it, or a backup",
		       recovery->log->dir, pages->log_durable - pages->state.applied);
}

static int recover_all(struct recovery *recovery, struct kv_error *err)
{
	struct durable *store = recovery->store;
	bool last = false, settled = settle_pages(recovery);

	for (size_t i = 0; i < recovery->count; i++) {
		struct segment *segment = &recovery->segments[i];
		const struct memtable *newest = atomic_load(&store->newest);
		uint64_t end = newest != NULL ? memtable_end(newest) : store->pages.state.applied;

		if (segment->applied && !settled)
			continue;
		if (segment->live && !last && segment->base != end) {
			if (judge_gap(recovery, i, end, err) != 0)
				return -1;
			last = true;
		}
		if (!segment->live || last)
			drop_segment(recovery, segment);
		else if (recover_segment(recovery, i, &last, err) != 0)
			return -1;
	}
	return 0;
}

int log_recover(struct log *log, struct kv_error *err)
{
	struct recovery recovery = { .log = log, .store = log->store };
	struct durable *store = log->store;
	int code = log_look(&recovery, err);

	if (code == 0)
		code = check_any_live(&recovery, err);
	if (code == 0)
		code = recover_all(&recovery, err);
	/* what was removed must not come back beside what is written from now on */
	if (code == 0 && fsync(log->dir_fd) != 0)
		code = kv_fail(err, "kv log: cannot sync '%.300s': %s", log->dir, strerror(errno));
	for (size_t i = 0; i < recovery.count; i++)
		if (recovery.segments[i].file.fd >= 0)
			close(recovery.segments[i].file.fd);
	free(recovery.segments);
	if (code != 0)
		return -1;
	log->next_number = recovery.highest + 1;
	if (rotate_first(store, err) != 0)
		return -1;
	if (store->oldest == NULL)
		store->oldest = atomic_load(&store->newest);
	log->writing = atomic_load(&store->newest);
	log->syncing = syncs_at_start(log) ? log->writing : store->oldest;
	atomic_store(&log->durable, log->syncing->base);
	atomic_store(&log->written, log->writing->base);
	return 0;
}
