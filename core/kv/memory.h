/* SPDX-License-Identifier: MIT */
/* What the parts of the memory engine share. All of it under `lock`. */
#ifndef KV_MEMORY_H
#define KV_MEMORY_H

#include "engine.h"
#include "hash.h"
#include "listing.h"
#include "memory_map.h"

#include <pthread.h>

enum { MEMORY_AHEAD = 8 }; /* requests between a slot's prefetch and its node's */

struct memory_bucket {
	struct map keys;
	bool stays;
};

struct memory {
	struct engine engine;
	pthread_mutex_t lock;
	struct map buckets; /* names to pointers to struct memory_bucket */
	struct cursors *cursors;
	uint64_t list_max;
	uint64_t seed;
	uint32_t fetched[MEMORY_AHEAD]; /* hashes of keys, the last ones that were prefetched */
	unsigned fetched_count;
};

/* Never 0. */
static inline uint32_t memory_hash(const struct memory *memory, struct kvrel_slice name)
{
	uint64_t hash = hash_bytes(name.data, name.size, memory->seed);

	hash ^= hash >> 32;
	return (uint32_t)hash != 0 ? (uint32_t)hash : 1;
}

struct memory_bucket *memory_find_bucket(const struct memory *memory, struct kvrel_slice name);
/* ENGINE_LIST. */
void memory_list(struct memory *memory, const struct engine_request *request);

#endif
