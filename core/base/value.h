/* SPDX-License-Identifier: MIT */
/*
 * The one tree of values: what YAML and JSON parse into, what configuration is made of, what Lua values
 * become. Every value knows where it came from, so that a message can say file:line:column.
 *
 * A tree lives in the arena it was built in and is immutable once handed on; value_merge() shares
 * unchanged parts of its inputs, so all of them must live as long as the result.
 * Strings may hold NUL bytes; `string.data` is NUL-terminated nevertheless. Maps keep the order of the file.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_STRING,
	VALUE_LIST,
	VALUE_MAP,
	VALUE_TYPE_COUNT
};

struct origin {
	const char *file; /* as shown to users, relative where it can be; NULL: unknown; borrowed */
	uint32_t line;    /* from 1; 0: the whole file */
	uint32_t column;  /* from 1, in bytes; 0: unknown */
};

struct member;
struct map_index;
struct value {
	enum value_type type;
	bool quoted; /* STRING: written in quotes or as a block, so never meant as a number */
	bool secret; /* masked wherever it is shown */
	struct origin origin;
	struct slice text; /* scalars: as written in the file (`0.10`, `yes`), without quotes, for messages */
	union {
		bool boolean;
		int64_t integer;
		double number;
		struct slice string;
		struct {
			struct value **items;
			size_t count;
			size_t capacity; /* value_list_add()'s */
		} list;
		struct {
			struct member *members; /* never reordered in place: `index` knows the positions */
			size_t count;
			size_t capacity;         /* value_map_add()'s, as is `index` */
			struct map_index *index; /* hash table of a large map, else NULL */
		} map;
	};
};

struct member {
	struct slice key;
	struct origin origin; /* of the key */
	struct value *value;
};

struct value *value_null(struct arena *arena);
struct value *value_bool(struct arena *arena, bool boolean);
struct value *value_int(struct arena *arena, int64_t integer);
struct value *value_float(struct arena *arena, double number);
struct value *value_string(struct arena *arena, struct slice string); /* copies */
struct value *value_list(struct arena *arena);
struct value *value_map(struct arena *arena);
void value_list_add(struct arena *arena, struct value *list, struct value *item);
/* Replaces the value of an existing key. Copies the key. Amortised constant time, as are the look-ups. */
void value_map_set(struct arena *arena, struct value *map, struct slice key, struct value *item);
/* Appends without looking for an equal key: for builders that know there is none. */
void value_map_add(struct arena *arena, struct value *map, struct slice key, struct value *item);
/* The same for readers of files: takes the key, which lives in the arena already, and where it stands. */
void value_map_add_at(struct arena *arena, struct value *map, struct slice key, struct origin origin,
		      struct value *item);

/* NULL when `map` is NULL, not a map, or lacks the key. */
struct value *value_get(const struct value *map, const char *key);
const struct member *value_member(const struct value *map, struct slice key);
/* Walks "a.b.c" through maps. */
struct value *value_path(const struct value *map, const char *dotted);
/* String content (NUL-terminated), or `fallback` when it is absent or no string. */
const char *value_text(const struct value *value, const char *fallback);

/* Maps in any order of their keys; origins and texts do not count. */
bool value_equal(const struct value *a, const struct value *b);
/* Deep merge: maps by key (those of `base` first), anything else is replaced by `over`. NULL counts as absent. */
struct value *value_merge(struct arena *arena, struct value *base, struct value *over);
/* "string", "integer", "list" … for messages. */
const char *value_type_name(enum value_type type);
/* "releases.yaml:12:7"; into `out`, returned. */
const char *origin_text(const struct origin *origin, char *out, size_t out_size);

#endif
