/* SPDX-License-Identifier: MIT */
/*
 * Lua values to trees and back. Reading a table here must not raise, since callers are outside of protected calls:
 * only functions of Lua that neither allocate nor call metamethods are used, and keys are never converted in place.
 */
#include "script/internal.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

/* As YAML's default: a setting that is nested deeper is a table that contains itself. */
enum { DEPTH = 64, PATH_BYTES = 200, MOST_BYTES = 1 << 30 /* where the state has no limit */ };

struct converter {
	lua_State *lua;
	struct arena *arena;
	struct error *err;
	char path[PATH_BYTES]; /* "a.b[3]", of the value at work */
	unsigned depth;
	size_t most; /* what the arena may hold */
};

static int refuse(const struct converter *converter, const char *what)
{
	if (converter->path[0])
		return error_set(converter->err, ERROR_INVALID, "'%s' %s", converter->path, what);
	return error_set(converter->err, ERROR_INVALID, "the value %s", what);
}

static int convert(struct converter *converter, int index, struct value **out);

/* Converts the value on top of the stack, whose place is told by `format`. */
static int convert_part(struct converter *converter, struct value **out, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int convert_part(struct converter *converter, struct value **out, const char *format, ...)
{
	size_t size = strlen(converter->path);
	va_list args;
	int rc;

	va_start(args, format);
	vsnprintf(converter->path + size, sizeof(converter->path) - size, format, args);
	va_end(args);
	rc = convert(converter, lua_gettop(converter->lua), out);
	converter->path[size] = '\0';
	return rc;
}

/* How many keys there are of each kind. */
struct census {
	size_t strings;
	size_t integers;
	bool in_range; /* all the integers lie in 1 … their number, so that there are no holes */
	bool others;
};

static struct census count_keys(lua_State *lua, int index)
{
	struct census census = { .in_range = true };
	lua_Unsigned length = lua_rawlen(lua, index);

	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		if (lua_type(lua, -2) == LUA_TSTRING) {
			census.strings++;
		} else if (lua_isinteger(lua, -2)) {
			lua_Integer key = lua_tointeger(lua, -2);

			census.integers++;
			census.in_range = census.in_range && key >= 1 && (lua_Unsigned)key <= length;
		} else {
			census.others = true;
		}
		lua_pop(lua, 1);
	}
	census.in_range = census.in_range && census.integers == length;
	return census;
}

static int convert_list(struct converter *converter, int index, size_t count, struct value *list)
{
	for (size_t i = 1; i <= count; i++) {
		struct value *item;
		int rc;

		lua_rawgeti(converter->lua, index, (lua_Integer)i);
		rc = convert_part(converter, &item, "[%zu]", i);
		lua_pop(converter->lua, 1);
		if (rc < 0)
			return rc;
		value_list_add(converter->arena, list, item);
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return slice_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

/* Lua's order of keys differs from run to run: sorted by key. */
static int convert_map(struct converter *converter, int index, size_t count, struct value *map)
{
	struct member *members = arena_array(converter->arena, count, sizeof(*members));
	lua_State *lua = converter->lua;
	size_t used = 0;

	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		struct member *member = &members[used++];
		const char *dot = converter->path[0] ? "." : "";
		int rc;

		member->key.data = lua_tolstring(lua, -2, &member->key.size);
		member->key.data = arena_copy(converter->arena, member->key);
		rc = convert_part(converter, &member->value, "%s%s", dot, member->key.data);
		lua_pop(lua, 1);
		if (rc < 0) {
			lua_pop(lua, 1);
			return rc;
		}
	}
	if (used)
		qsort(members, used, sizeof(*members), by_key);
	for (size_t i = 0; i < used; i++)
		value_map_add_at(converter->arena, map, members[i].key, (struct origin){ 0 }, members[i].value);
	return 0;
}

static int convert_table(struct converter *converter, int index, struct value **out)
{
	struct census census = count_keys(converter->lua, index);
	struct value *table;
	int rc;

	if (census.others)
		return refuse(converter, "has keys that are neither text nor 1, 2, 3 …");
	if (census.strings && census.integers)
		return refuse(converter, "has both list items and named keys");
	if (census.integers && !census.in_range)
		return refuse(converter, "is a list with holes");
	table = census.integers ? value_list(converter->arena) : value_map(converter->arena);
	rc = census.integers ? convert_list(converter, index, census.integers, table)
			     : convert_map(converter, index, census.strings, table);
	if (rc == 0)
		*out = table;
	return rc;
}

/* A table that is met many times is many values: a small one may make a tree that nothing could hold. */
static int check_size(const struct converter *converter, size_t more)
{
	const struct script *script = script_of(converter->lua);

	if (script->interrupted)
		return error_set(converter->err, ERROR_FAILED, "interrupted");
	if (more <= converter->most && converter->arena->used <= converter->most - more)
		return 0;
	return error_set(converter->err, ERROR_LIMIT, "the value is too large as data: it takes more than %zu MiB",
			 (script->memory_limit ? script->memory_limit : MOST_BYTES) >> 20);
}

static int convert(struct converter *converter, int index, struct value **out)
{
	lua_State *lua = converter->lua;
	struct slice string;
	char what[64];
	int rc = check_size(converter, lua_rawlen(lua, index));

	if (rc < 0)
		return rc;
	switch (lua_type(lua, index)) {
	case LUA_TNONE:
	case LUA_TNIL:
		*out = value_null(converter->arena);
		return 0;
	case LUA_TBOOLEAN:
		*out = value_bool(converter->arena, lua_toboolean(lua, index));
		return 0;
	case LUA_TNUMBER:
		*out = lua_isinteger(lua, index) ? value_int(converter->arena, lua_tointeger(lua, index))
						 : value_float(converter->arena, lua_tonumber(lua, index));
		return 0;
	case LUA_TSTRING:
		string.data = lua_tolstring(lua, index, &string.size);
		*out = value_string(converter->arena, string);
		return 0;
	case LUA_TTABLE:
		if (++converter->depth > DEPTH || !lua_checkstack(lua, 4))
			return refuse(converter, "is nested too deeply, or contains itself");
		rc = convert_table(converter, index, out);
		converter->depth--;
		return rc;
	default:
		snprintf(what, sizeof(what), "is a %s, which is no data", lua_typename(lua, lua_type(lua, index)));
		return refuse(converter, what);
	}
}

int script_to_value(lua_State *lua, int index, struct arena *arena, struct value **out, struct error *err)
{
	struct converter converter = { .lua = lua, .arena = arena, .err = err };
	const struct script *script = script_of(lua);
	int top = lua_gettop(lua), rc;

	converter.most = script->memory_limit ? script->memory_limit - script->memory_used : MOST_BYTES;

	rc = convert(&converter, lua_absindex(lua, index), out);
	lua_settop(lua, top);
	return rc;
}

void script_push_value(lua_State *lua, const struct value *value)
{
	luaL_checkstack(lua, 4, "a value is nested too deeply");
	switch (value->type) {
	case VALUE_BOOL:
		lua_pushboolean(lua, value->boolean);
		break;
	case VALUE_INT:
		lua_pushinteger(lua, value->integer);
		break;
	case VALUE_FLOAT:
		lua_pushnumber(lua, value->number);
		break;
	case VALUE_STRING:
		lua_pushlstring(lua, value->string.data, value->string.size);
		break;
	case VALUE_LIST:
		lua_createtable(lua, (int)value->list.count, 0);
		for (size_t i = 0; i < value->list.count; i++) {
			script_push_value(lua, value->list.items[i]);
			lua_rawseti(lua, -2, (lua_Integer)i + 1);
		}
		break;
	case VALUE_MAP:
		lua_createtable(lua, 0, (int)value->map.count);
		for (size_t i = 0; i < value->map.count; i++) {
			lua_pushlstring(lua, value->map.members[i].key.data, value->map.members[i].key.size);
			script_push_value(lua, value->map.members[i].value);
			lua_rawset(lua, -3);
		}
		break;
	case VALUE_NULL:
	case VALUE_TYPE_COUNT:
		lua_pushnil(lua);
		break;
	}
}

void script_set_text(lua_State *lua, const char *key, const char *text)
{
	lua_pushstring(lua, text);
	lua_setfield(lua, -2, key);
}
