/* SPDX-License-Identifier: MIT */
/*
 * Small maps are searched from front to back. A map of more than INDEX_FROM members gets a hash table of positions
 * beside them (open addressing, at most half full), so that a file with ten thousand keys is checked for duplicates
 * in milliseconds. The hash is seeded with the table's address: an input cannot aim at collisions.
 */
#include "base/value.h"

#include <assert.h>
#include <stdio.h>

enum { INDEX_FROM = 16, FIRST_CAPACITY = 4 };

struct map_index {
	size_t mask;
	uint32_t slots[]; /* position + 1, 0: free */
};

static struct value *value_new(struct arena *arena, enum value_type type)
{
	struct value *value = ARENA_NEW(arena, struct value);

	value->type = type;
	return value;
}

struct value *value_null(struct arena *arena)
{
	return value_new(arena, VALUE_NULL);
}

struct value *value_bool(struct arena *arena, bool boolean)
{
	struct value *value = value_new(arena, VALUE_BOOL);

	value->boolean = boolean;
	return value;
}

struct value *value_int(struct arena *arena, int64_t integer)
{
	struct value *value = value_new(arena, VALUE_INT);

	value->integer = integer;
	return value;
}

struct value *value_float(struct arena *arena, double number)
{
	struct value *value = value_new(arena, VALUE_FLOAT);

	value->number = number;
	return value;
}

struct value *value_string(struct arena *arena, struct slice string)
{
	struct value *value = value_new(arena, VALUE_STRING);

	value->string = (struct slice){ arena_copy(arena, string), string.size };
	return value;
}

struct value *value_list(struct arena *arena)
{
	return value_new(arena, VALUE_LIST);
}

struct value *value_map(struct arena *arena)
{
	return value_new(arena, VALUE_MAP);
}

/* Room for one more element; the old array stays behind in the arena. */
static void *grown(struct arena *arena, void *old, size_t count, size_t *capacity, size_t size)
{
	void *array;

	if (count < *capacity)
		return old;
	*capacity = count < FIRST_CAPACITY ? FIRST_CAPACITY : count * 2;
	array = arena_array(arena, *capacity, size);
	if (count)
		memcpy(array, old, count * size);
	return array;
}

void value_list_add(struct arena *arena, struct value *list, struct value *item)
{
	assert(list->type == VALUE_LIST);
	list->list.items =
		grown(arena, list->list.items, list->list.count, &list->list.capacity, sizeof(struct value *));
	list->list.items[list->list.count++] = item;
}

static size_t hash(const struct map_index *index, struct slice key)
{
	uint64_t h = (uint64_t)(uintptr_t)index * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < key.size; i++)
		h = (h ^ (unsigned char)key.data[i]) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

static void index_add(struct map_index *index, struct slice key, size_t position)
{
	size_t at = hash(index, key) & index->mask;

	while (index->slots[at])
		at = (at + 1) & index->mask;
	index->slots[at] = (uint32_t)(position + 1);
}

static void index_build(struct arena *arena, struct value *map)
{
	size_t slots = 4 * INDEX_FROM;
	struct map_index *index;

	while (slots < 4 * map->map.count)
		slots *= 2;
	index = arena_alloc(arena, sizeof(*index) + slots * sizeof(index->slots[0]));
	index->mask = slots - 1;
	for (size_t i = 0; i < map->map.count; i++)
		index_add(index, map->map.members[i].key, i);
	map->map.index = index;
}

static struct member *find(const struct value *map, struct slice key)
{
	const struct map_index *index = map->map.index;

	if (!index) {
		for (size_t i = 0; i < map->map.count; i++) {
			if (slice_equal(map->map.members[i].key, key))
				return &map->map.members[i];
		}
		return NULL;
	}
	for (size_t at = hash(index, key) & index->mask; index->slots[at]; at = (at + 1) & index->mask) {
		struct member *member = &map->map.members[index->slots[at] - 1];

		if (slice_equal(member->key, key))
			return member;
	}
	return NULL;
}

static void add_member(struct arena *arena, struct value *map, struct member member)
{
	size_t position = map->map.count;

	assert(map->type == VALUE_MAP && position < UINT32_MAX);
	map->map.members = grown(arena, map->map.members, position, &map->map.capacity, sizeof(struct member));
	map->map.members[position] = member;
	map->map.count++;
	if (map->map.index && map->map.count * 2 <= map->map.index->mask + 1)
		index_add(map->map.index, member.key, position);
	else if (map->map.count > INDEX_FROM)
		index_build(arena, map);
}

void value_map_add(struct arena *arena, struct value *map, struct slice key, struct value *item)
{
	struct slice copy = { arena_copy(arena, key), key.size };

	add_member(arena, map, (struct member){ .key = copy, .origin = item->origin, .value = item });
}

void value_map_add_at(struct arena *arena, struct value *map, struct slice key, struct origin origin,
		      struct value *item)
{
	add_member(arena, map, (struct member){ .key = key, .origin = origin, .value = item });
}

void value_map_set(struct arena *arena, struct value *map, struct slice key, struct value *item)
{
	struct member *member = find(map, key);

	if (member)
		member->value = item;
	else
		value_map_add(arena, map, key, item);
}

const struct member *value_member(const struct value *map, struct slice key)
{
	return map && map->type == VALUE_MAP ? find(map, key) : NULL;
}

struct value *value_get(const struct value *map, const char *key)
{
	const struct member *member = value_member(map, slice_of(key));

	return member ? member->value : NULL;
}

struct value *value_path(const struct value *map, const char *dotted)
{
	struct slice rest = slice_of(dotted), key;
	bool more = true;
	const struct member *member = NULL;

	while (more) {
		more = slice_split(rest, '.', &key, &rest);
		member = value_member(map, key);
		if (!member)
			return NULL;
		map = member->value;
	}
	return member->value;
}

const char *value_text(const struct value *value, const char *fallback)
{
	return value && value->type == VALUE_STRING ? value->string.data : fallback;
}

static bool list_equal(const struct value *a, const struct value *b)
{
	if (a->list.count != b->list.count)
		return false;
	for (size_t i = 0; i < a->list.count; i++) {
		if (!value_equal(a->list.items[i], b->list.items[i]))
			return false;
	}
	return true;
}

static bool map_equal(const struct value *a, const struct value *b)
{
	if (a->map.count != b->map.count)
		return false;
	for (size_t i = 0; i < a->map.count; i++) {
		const struct member *other = find(b, a->map.members[i].key);

		if (!other || !value_equal(a->map.members[i].value, other->value))
			return false;
	}
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (!a || !b || a->type != b->type)
		return a == b;
	switch (a->type) {
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_FLOAT: /* not-a-number equals itself here: the question is whether a setting changed */
		return a->number == b->number || (a->number != a->number && b->number != b->number);
	case VALUE_STRING:
		return slice_equal(a->string, b->string);
	case VALUE_LIST:
		return list_equal(a, b);
	case VALUE_MAP:
		return map_equal(a, b);
	case VALUE_NULL:
	case VALUE_TYPE_COUNT:
		break;
	}
	return true;
}

struct value *value_merge(struct arena *arena, struct value *base, struct value *over)
{
	struct value *result;

	if (!base || !over || base->type != VALUE_MAP || over->type != VALUE_MAP)
		return over ? over : base;
	result = value_map(arena);
	result->origin = over->origin;
	result->secret = base->secret || over->secret;
	for (size_t i = 0; i < base->map.count; i++)
		add_member(arena, result, base->map.members[i]);
	for (size_t i = 0; i < over->map.count; i++) {
		struct member member = over->map.members[i];
		struct member *old = find(result, member.key);

		if (!old) {
			add_member(arena, result, member);
			continue;
		}
		old->value = value_merge(arena, old->value, member.value);
		old->origin = member.origin;
	}
	return result;
}

const char *value_type_name(enum value_type type)
{
	static const char *const names[] = { "null", "boolean", "integer", "float", "string", "list", "map" };
	_Static_assert(sizeof(names) / sizeof(names[0]) == VALUE_TYPE_COUNT, "one name a type");

	assert(type < VALUE_TYPE_COUNT);
	return names[type];
}

const char *origin_text(const struct origin *origin, char *out, size_t out_size)
{
	const char *file = origin->file ? origin->file : "unknown";

	if (origin->line == 0)
		snprintf(out, out_size, "%s", file);
	else if (origin->column == 0)
		snprintf(out, out_size, "%s:%u", file, origin->line);
	else
		snprintf(out, out_size, "%s:%u:%u", file, origin->line, origin->column);
	return out;
}
