/* SPDX-License-Identifier: MIT */
/* One run of the cleaner: clean.c finds what is to be moved, clean_move.c moves it. */
#ifndef KV_CLEAN_H
#define KV_CLEAN_H

#include "apply.h"

/* One value that is still in use. */
struct moved {
	const struct record *record;
	uint64_t bucket;
	struct far_value from, to;
};

struct clean {
	struct durable *store;
	struct pages *pages;
	struct pace pace;
	struct value_file **files; /* to be emptied */
	size_t file_count;
	MDB_txn *txn;
	struct guard guard;
	struct moved *moved;
	size_t count, capacity;
	uint64_t number; /* of the new file */
	int fd;
	uint64_t used;
};

/* Writes what was found to a new file and syncs it. 0, or -1 and why. */
int clean_write(struct clean *clean, struct kv_error *err);
/* Points the pages there. 0, or -1 and why. */
int clean_point(struct clean *clean, struct kv_error *err);

enum { CLEAN_PIECE = 32 };

static inline void clean_rest(struct clean *clean, size_t at)
{
	if (at % CLEAN_PIECE == 0)
		pace_rest(&clean->pace, 0, 1);
}

static inline int clean_fail(struct kv_error *err, int code)
{
	return pages_fail(err, "cannot move values to make room", code);
}

#endif
