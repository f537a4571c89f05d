/* SPDX-License-Identifier: MIT */
/*
 * What a memtable that is done with leaves to later ones: its segment's file, whose blocks and cached pages are there,
 * and its memory, which the kernel has cleared once. While the applying thread lags behind several memtables are full
 * at a time; with as many spares as that the load makes none anew. Where large values stay in the log, cleaning empties
 * several files at once, and no other comes free until the next time: then those are kept as well. A new file costs
 * twice as much to write, in blocks and pages that nobody has had yet. Under the store's write lock. Zeroed: empty.
 */
#ifndef KV_SPARES_H
#define KV_SPARES_H

#include "memtable.h"

enum { SPARES_USUAL = 2, SPARE_FILES_MAX = 8 };

struct spares {
	struct {
		int fd;
		uint64_t number;
	} files[SPARE_FILES_MAX];
	unsigned file_count;
	struct memtable_memory memory[SPARES_USUAL];
	unsigned memory_count;
};

/* Takes over fd; false: there are enough. */
static inline bool spares_add_file(struct spares *spares, int fd, uint64_t number)
{
	if (spares->file_count == SPARE_FILES_MAX)
		return false;
	spares->files[spares->file_count].fd = fd;
	spares->files[spares->file_count++].number = number;
	return true;
}

/* The one added last, -1: none. */
static inline int spares_take_file(struct spares *spares, uint64_t *number)
{
	if (spares->file_count == 0)
		return -1;
	*number = spares->files[--spares->file_count].number;
	return spares->files[spares->file_count].fd;
}

/* Takes the memory over; false: there is enough. */
static inline bool spares_add_memory(struct spares *spares, const struct memtable_memory *memory)
{
	if (spares->memory_count == SPARES_USUAL)
		return false;
	spares->memory[spares->memory_count++] = *memory;
	return true;
}

/* Zeroed when there is none. */
static inline struct memtable_memory spares_take_memory(struct spares *spares)
{
	return spares->memory_count > 0 ? spares->memory[--spares->memory_count] : (struct memtable_memory){ 0 };
}

#endif
