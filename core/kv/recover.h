/* SPDX-License-Identifier: MIT */
/* The parts of log_recover.c: the files of the log, what is looked for in one of them, and its frames' way back into a
 * memtable. */
#ifndef KV_RECOVER_H
#define KV_RECOVER_H

#include "durable.h"

/* ---- log_scan.c ---------------------------------------------------------------------------------------------- */

struct log_file {
	int fd;
	size_t size;
	uint64_t number;
};

/* Whole frames found. */
struct log_scan {
	size_t count;
	uint64_t base;    /* of the segment, as the first of them has it */
	uint64_t durable; /* the farthest position that a mark among them says was durable */
};

/* From where to where the position of a segment's first frame may be. */
struct log_bases {
	uint64_t low, high;
};

/*
 * Looks for frames wherever they may be from `from` on. Their positions make them ones of the log: a value may hold all
 * else that a frame has, but whoever sent it does not know where in the log it was going to be (make_state()). 0 or
 * errno.
 */
int log_scan(const struct log_file *file, struct log_bases bases, size_t from, struct log_scan *scan);
/*
 * Reads the frames that follow each other from the beginning into the memtable's buffer; sets `used`, and `synced` to
 * what marks among them prove. *records: how many they hold; *torn: behind the last one a frame begins that is not
 * whole. 0 or errno.
 */
int log_read_frames(const struct log_file *file, struct memtable *memtable, uint32_t *records, bool *torn);

/* ---- log_folder.c -------------------------------------------------------------------------------------------- */

struct segment {
	struct log_file file;
	uint64_t base; /* if it is live */
	bool live;     /* it holds what the pages don't */
	bool applied;  /* it holds what the pages do */
	bool reusable; /* its space may serve another segment */
};

struct recovery {
	struct log *log;
	struct durable *store;
	struct segment *segments;
	size_t count;
	uint64_t highest; /* number seen */
};

int segment_fail(const struct recovery *recovery, const struct segment *segment, struct kv_error *err,
		 const char *what);
/* Opens all files that belong to the log and are not kept for their values alone; the segments are in order then. They
 * are the caller's, also after an error. */
int log_look(struct recovery *recovery, struct kv_error *err);

/* ---- log_replay.c -------------------------------------------------------------------------------------------- */

enum { REPLAY_AHEAD = 16 };

struct replay_binding;
struct replay_key {
	struct bucket *bucket;
	const struct record *record;
	uint64_t hash;
};

struct replay {
	struct durable *store;
	struct memtable *memtable;
	struct slot *slot;
	struct replay_binding *bindings; /* bucket ids to buckets: a segment names each before it mentions it */
	size_t count, mask;
	struct replay_key keys[REPLAY_AHEAD];
	uint64_t seen, set;
};

/* The memtable is already the store's newest; `records` is how many will come. replay_end() in any case. */
int replay_begin(struct replay *replay, struct durable *store, struct memtable *memtable, uint32_t records,
		 struct kv_error *err);
void replay_end(struct replay *replay);
/* The frame's checksum is right; its records are checked here. */
int replay_frame(struct replay *replay, const struct frame *frame, struct kv_error *err);

#endif
