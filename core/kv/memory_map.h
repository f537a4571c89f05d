/* SPDX-License-Identifier: MIT */
/*
 * The memory engine's hash table: names to values. A node is one piece of memory with name and value behind each other
 * and no more than it takes to find them, since a cache is as good as what fits into it.
 */
#ifndef KV_MEMORY_MAP_H
#define KV_MEMORY_MAP_H

#include "kvrel/component.h"

struct map_node {
	struct map_node *next; /* in the same slot */
	uint32_t hash;
	uint32_t value_size;
	uint16_t name_size;
	char bytes[]; /* name, value */
};

/* Zeroed: empty. */
struct map {
	struct map_node **slots;
	size_t slot_count; /* a power of two, 0 at first */
	size_t count;
};

static inline struct kvrel_slice map_name(const struct map_node *node)
{
	return (struct kvrel_slice){ node->bytes, node->name_size };
}

static inline struct kvrel_slice map_value(const struct map_node *node)
{
	return (struct kvrel_slice){ node->bytes + node->name_size, node->value_size };
}

struct map_node *map_find(const struct map *map, struct kvrel_slice name, uint32_t hash);
/* Adds the name or replaces its value; *added: it was not there. NULL without memory: nothing has changed. */
struct map_node *map_set(struct map *map, struct kvrel_slice name, uint32_t hash, struct kvrel_slice value,
			 bool *added);
bool map_remove(struct map *map, struct kvrel_slice name, uint32_t hash);
/* Empties it. `drop`, if not NULL, is told of each node before. */
void map_done(struct map *map, void (*drop)(struct map_node *node));
/* All nodes in order of names, for free(); NULL without memory. */
struct map_node **map_sorted(const struct map *map);

/* Touches what leads to the name's node; later, that node. */
static inline void map_prefetch(const struct map *map, uint32_t hash)
{
	if (map->slot_count > 0)
		__builtin_prefetch(&map->slots[hash & (map->slot_count - 1)]);
}

static inline void map_prefetch_node(const struct map *map, uint32_t hash)
{
	if (map->slot_count > 0)
		__builtin_prefetch(map->slots[hash & (map->slot_count - 1)]);
}

#endif
