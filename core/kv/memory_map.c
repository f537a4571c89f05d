/* SPDX-License-Identifier: MIT */
#include "memory_map.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 8 };

static size_t node_bytes(size_t name_size, size_t value_size)
{
	return offsetof(struct map_node, bytes) + name_size + value_size;
}

/* What points to the name's node, or would. The map has slots. */
static struct map_node **place_of(const struct map *map, struct kvrel_slice name, uint32_t hash)
{
	struct map_node **place = &map->slots[hash & (map->slot_count - 1)];

	while (*place != NULL && ((*place)->hash != hash || (*place)->name_size != name.size ||
				  (name.size > 0 && memcmp((*place)->bytes, name.data, name.size) != 0)))
		place = &(*place)->next;
	return place;
}

struct map_node *map_find(const struct map *map, struct kvrel_slice name, uint32_t hash)
{
	return map->slot_count > 0 ? *place_of(map, name, hash) : NULL;
}

static bool grow(struct map *map)
{
	size_t slot_count = map->slot_count > 0 ? map->slot_count * 2 : FIRST_SLOTS;
	struct map_node **slots = calloc(slot_count, sizeof(struct map_node *));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < map->slot_count; i++) {
		for (struct map_node *node = map->slots[i], *next; node != NULL; node = next) {
			next = node->next;
			node->next = slots[node->hash & (slot_count - 1)];
			slots[node->hash & (slot_count - 1)] = node;
		}
	}
	free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
	return true;
}

static void set_value(struct map_node *node, struct kvrel_slice value)
{
	node->value_size = (uint32_t)value.size;
	if (value.size > 0)
		memcpy(node->bytes + node->name_size, value.data, value.size);
}

static struct map_node *replace(struct map_node **place, struct kvrel_slice value)
{
	struct map_node *node = *place;

	if (node->value_size != value.size) {
		node = realloc(node, node_bytes(node->name_size, value.size));
		if (node == NULL)
			return NULL;
		*place = node;
	}
	set_value(node, value);
	return node;
}

struct map_node *map_set(struct map *map, struct kvrel_slice name, uint32_t hash, struct kvrel_slice value, bool *added)
{
	struct map_node **place, *node;

	if (map->count >= map->slot_count && !grow(map))
		return NULL;
	place = place_of(map, name, hash);
	*added = *place == NULL;
	if (*place != NULL)
		return replace(place, value);
	node = malloc(node_bytes(name.size, value.size));
	if (node == NULL)
		return NULL;
	node->next = NULL;
	node->hash = hash;
	node->name_size = (uint16_t)name.size;
	if (name.size > 0)
		memcpy(node->bytes, name.data, name.size);
	set_value(node, value);
	*place = node;
	map->count++;
	return node;
}

bool map_remove(struct map *map, struct kvrel_slice name, uint32_t hash)
{
	struct map_node **place = map->slot_count > 0 ? place_of(map, name, hash) : NULL, *node;

	if (place == NULL || *place == NULL)
		return false;
	node = *place;
	*place = node->next;
	map->count--;
	free(node);
	return true;
}

void map_done(struct map *map, void (*drop)(struct map_node *node))
{
	for (size_t i = 0; i < map->slot_count; i++) {
		for (struct map_node *node = map->slots[i], *next; node != NULL; node = next) {
			next = node->next;
			if (drop != NULL)
				drop(node);
			free(node);
		}
	}
	free(map->slots);
	*map = (struct map){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct map_node *left = *(struct map_node *const *)a, *right = *(struct map_node *const *)b;
	size_t shorter = left->name_size < right->name_size ? left->name_size : right->name_size;
	int order = memcmp(left->bytes, right->bytes, shorter);

	return order != 0 ? order : (left->name_size > right->name_size) - (left->name_size < right->name_size);
}

struct map_node **map_sorted(const struct map *map)
{
	struct map_node **sorted = malloc((map->count + 1) * sizeof(struct map_node *));
	size_t count = 0;

	if (sorted == NULL)
		return NULL;
	for (size_t i = 0; i < map->slot_count; i++)
		for (struct map_node *node = map->slots[i]; node != NULL; node = node->next)
			sorted[count++] = node;
	qsort(sorted, count, sizeof(struct map_node *), by_name);
	return sorted;
}
