/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log: from memtables to segment files, and from there to those who wait.
 *
 * Writers append to the newest memtable under the store's write lock. Two things happen to what they appended: it is
 * written out (pwrite) and it is synced (fdatasync). With `always` both are done again and again while anybody
 * waits: whatever arrived during one sync shares the next. With `everysec` and `none` each worker writes out what a
 * batch appended before its calls are answered, and a thread syncs once a second, or never.
 *
 * Where a sync is short, a worker does it itself at the end of its wake-up (log_lead): to wake a thread, be woken by it
 * and take results from it costs more than the sync's own processor time, about a quarter of what a write costs when
 * nothing is pipelined, and a connection has nothing to do but wait. A second worker waits for the first one's sync and
 * may find its own writes in it. Where a sync is long, reads of other connections would wait with it: then the calls go
 * to the thread.
 *
 * A mark frame before each sync says up to where the log was durable when it was written. A tear before such a position
 * is not the trace of a power loss but damage. What was synced last is so proven by the next sync only; where none
 * comes for a while, and at a stop, a closing mark says it, and is synced as well.
 *
 * A failed write or sync is final: the kernel may have thrown the pages away, so nothing later can make up for it. All
 * that wait get an error, and so do all later writes. A start on the same system reads those pages as if nothing had
 * happened; so what no mark proves is written once more before it is synced.
 */
#ifndef KV_LOG_H
#define KV_LOG_H

#include "engine.h"
#include "memtable.h"

#include <pthread.h>

struct durable;

enum { LEAD_SYNC_US_MAX = 250 };

struct call_queue {
	struct kvrel_call *first, *last;
};

struct log {
	struct durable *store;
	char dir[4096];
	int dir_fd;
	_Atomic int durability;   /* enum engine_durability */
	_Atomic uint64_t durable; /* position: everything before it is synced */
	_Atomic uint64_t written; /* position: everything before it is the operating system's */
	_Atomic bool broken;
	char reason[KV_ERROR_BYTES]; /* set before `broken` */

	pthread_mutex_t write_out_lock; /* `writing`, its successors' `written` and the log's */
	struct memtable *writing;       /* the oldest that is not all written */
	pthread_mutex_t sync_lock;
	struct memtable *syncing; /* the oldest that is not all synced */
	_Atomic uint64_t sealed;  /* position behind the last closing mark; under the sync lock */

	pthread_mutex_t wait_lock;
	pthread_cond_t wake;
	bool asleep, sync_wanted;
	_Atomic bool stopping;
	struct call_queue handed; /* calls that wait, by workers */
	pthread_t thread;
	bool started;

	_Atomic uint64_t next_number; /* of the next segment file; under the write lock */
	_Atomic uint64_t syncs, bytes;
	_Atomic int64_t sync_us; /* how long a sync takes of late */
};

/* Before log_open; log_close() undoes both. */
void log_init(struct log *log, struct durable *store);
int log_open(struct log *log, const char *dir, struct kv_error *err);
int log_start(struct log *log, struct kv_error *err);
/* Syncs what there is and completes all that wait. */
void log_stop(struct log *log);
void log_close(struct log *log);

/* Hands over calls that wait; the log's thread takes it from here. `sync`: whatever the durability. */
void log_hand_over(struct log *log, struct call_queue *queue, bool sync);
/* Returns when everything before `end` is the operating system's, or the log is broken. UINT64_MAX: all there is. */
void log_write_out(struct log *log, uint64_t end);
/* Completes what may be told by now, or all with an error; the rest stays in the queue. */
void log_complete(struct log *log, struct call_queue *queue);
/* A worker syncs for itself, if that is short and nobody else just did it; completes what that settles of `queue`. */
void log_lead(struct log *log, struct call_queue *queue);
/* Returns when everything appended before is synced; -1 when the log is broken. */
int log_sync(struct log *log);
/* Hands what is written to the disk, in small pieces with rests, so that the next sync finds little to do. Nothing
 * with `always`, whose syncs are short. */
void log_flush(struct log *log);
/* Syncs what was appended before, and says behind it that it was durable, if the pages lack any of it. -1: as above. */
int log_seal(struct log *log);
/*
 * What a start read of a segment and nothing proves to be on the disk: after a write that failed the system knows it
 * still, and takes it for written. 0 or errno; fdatasync() is the caller's.
 */
int log_write_again(struct memtable *memtable);
/* The first failure counts. */
void log_break(struct log *log, const char *what, const char *name, int errnum);

static inline bool log_broken(const struct log *log)
{
	return atomic_load_explicit(&log->broken, memory_order_acquire);
}

/* ---- log_segment.c: the files ---------------------------------------------------------------------------------- */

enum { SEGMENT_NAME_BYTES = 32, SEGMENT_UNIT = 4096, SEGMENT_MIN = 1 << 20, SEGMENT_MAX = 1 << 30 };

/* All of it, at `at`; EIO where the file ends before. 0 or errno. */
int file_read(int fd, void *to, size_t size, size_t at);
int file_write(int fd, const void *bytes, size_t size, size_t at);
/* Zeros from `from` to `end`. 0 or errno. */
int file_clear(int fd, size_t from, size_t end);
/* Syncs the folder that `path` names something in. 0, or -1 and errno. */
int file_sync_parent(const char *path);

void segment_name(uint64_t number, char out[SEGMENT_NAME_BYTES]);
/* The number of a segment's file name; false for other files. */
bool segment_number(const char *name, uint64_t *number);
/* A file with its space reserved, known to the folder. A descriptor, or -1 and errno. */
int segment_create(int dir_fd, uint64_t number, size_t size);
/*
 * Gives an old segment's file a new life, its space reserved as if it were new. Its content stays; it belongs to
 * another number. 0, or -1 and errno: then it may have either name.
 */
int segment_reuse(int dir_fd, int fd, size_t size, uint64_t from, uint64_t to);
/* A descriptor to read and write it, or -1 and errno. */
int segment_open(int dir_fd, uint64_t number);
int segment_remove(int dir_fd, uint64_t number);
/* Writes the header into the memtable's buffer. */
void segment_begin(struct memtable *memtable, const uint64_t store[2]);
/* The same for a file that is no memtable's. */
void segment_header_set(struct segment_header *header, uint64_t number, uint64_t base, const uint64_t store[2]);
bool segment_header_valid(const struct segment_header *header, uint64_t number, const uint64_t store[2]);
/* Of a file that was prepared under this number and not begun: fresh, or of an earlier life. */
bool segment_header_unused(const struct segment_header *header, uint64_t number);
/* Of another file of that store, which a lower number's name was given to: a file is reused under a higher one. */
bool segment_header_misplaced(const struct segment_header *header, uint64_t number, const uint64_t store[2]);
uint32_t frame_checksum(const struct frame *frame, uint64_t number);

/* ---- log_folder.c ----------------------------------------------------------------------------------------------- */

/* Whether the folder has a file that was begun, of whatever store; the first one's name. */
bool log_was_begun(const char *dir, char name[SEGMENT_NAME_BYTES]);

/* ---- log_recover.c ---------------------------------------------------------------------------------------------- */

/*
 * Reads the segments that the pages do not hold yet into memtables, oldest first, and makes them the store's. A torn
 * end is cut and told; damage is an error that names file and offset. Before the first thread starts.
 */
int log_recover(struct log *log, struct kv_error *err);

#endif
