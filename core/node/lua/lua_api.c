/* SPDX-License-Identifier: MIT */
/*
 * What all parts of the Lua API share: which evaluator a state belongs to, tables with documentation, help(). The
 * documentation lives in the registry: a list in the order of definition, and a map from the function to its entry.
 */
#include "node/lua/lua_api.h"

#include "base/scope.h"
#include "node/console/console_line.h"
#include "node/lua/evaluate.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <string.h>

static const char evaluator_key; /* registry: the struct evaluator */
static const char docs_key;      /* registry: list of entries, and function → entry */

struct evaluator *lua_api_evaluator(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &evaluator_key);
	struct evaluator *evaluator = lua_touserdata(lua, -1);
	lua_pop(lua, 1);
	return evaluator;
}

int lua_api_raise(lua_State *lua, const struct error *err)
{
	return luaL_error(lua, "%s", err->message);
}

void lua_api_document(lua_State *lua, const char *table, const char *name, const char *params, const char *doc)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &docs_key);
	lua_createtable(lua, 2, 0);
	if (table != NULL)
		lua_pushfstring(lua, "%s.%s(%s)", table, name, params);
	else
		lua_pushfstring(lua, "%s(%s)", name, params);
	lua_rawseti(lua, -2, 1);
	lua_pushstring(lua, doc);
	lua_rawseti(lua, -2, 2);
	lua_pushvalue(lua, -3); /* the function */
	lua_pushvalue(lua, -2);
	lua_rawset(lua, -4);
	lua_rawseti(lua, -2, (lua_Integer)lua_rawlen(lua, -2) + 1);
	lua_pop(lua, 1);
}

void lua_api_table(lua_State *lua, const char *table, const struct lua_doc *docs, size_t count)
{
	/* a component may bear the same name */
	if (lua_getglobal(lua, table) != LUA_TTABLE) {
		lua_pop(lua, 1);
		lua_createtable(lua, 0, (int)count);
	}
	for (size_t i = 0; i < count; i++) {
		lua_pushcfunction(lua, docs[i].function);
		lua_api_document(lua, table, docs[i].name, docs[i].params, docs[i].doc);
		lua_setfield(lua, -2, docs[i].name);
	}
	lua_pushvalue(lua, -1);
	lua_setglobal(lua, table);
}

const char *lua_api_signature(lua_State *lua, int index)
{
	const char *signature = NULL;
	index = lua_absindex(lua, index);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &docs_key);
	lua_pushvalue(lua, index);
	if (lua_rawget(lua, -2) == LUA_TTABLE) {
		lua_rawgeti(lua, -1, 1);
		signature = lua_tostring(lua, -1); /* the entry keeps it alive */
		lua_pop(lua, 1);
	}
	lua_pop(lua, 2);
	return signature;
}

void lua_api_each_function(lua_State *lua, void (*visit)(void *context, struct slice name), void *context)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &docs_key);
	lua_Integer count = (lua_Integer)lua_rawlen(lua, -1);
	for (lua_Integer i = 1; i <= count; i++) {
		struct slice name;
		struct slice params;
		lua_rawgeti(lua, -1, i);
		lua_rawgeti(lua, -1, 1);
		slice_split(slice_of(lua_tostring(lua, -1)), '(', &name, &params);
		visit(context, name);
		lua_pop(lua, 2);
	}
	lua_pop(lua, 1);
}

/* ---- help ---- */

static void say(lua_State *lua, const char *text)
{
	evaluator_print(lua_api_evaluator(lua), slice_of(text));
}

/* Entry on top of the stack: "kv.put(bucket, key, value)" and what it does. */
static void say_entry(lua_State *lua)
{
	lua_rawgeti(lua, -1, 1);
	lua_rawgeti(lua, -2, 2);
	const char *signature = lua_tostring(lua, -2);
	static const char spaces[] = "                                        ";
	size_t size = text_width(slice_of(signature));
	size_t gap = size + 2 < sizeof(spaces) ? sizeof(spaces) - 1 - size : 2;
	lua_pushlstring(lua, spaces, gap);
	const char *line = lua_pushfstring(lua, "%s%s%s\n", signature, lua_tostring(lua, -1), lua_tostring(lua, -2));
	say(lua, line);
	lua_pop(lua, 4);
}

/* The functions of the table at 1, in the order of definition; false when none is known. The docs are at 2. */
static bool say_table(lua_State *lua, lua_Integer count)
{
	bool any = false;
	lua_newtable(lua);
	for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
		lua_pushvalue(lua, -1);
		if (lua_rawget(lua, 2) != LUA_TTABLE) {
			lua_pop(lua, 1);
			continue;
		}
		lua_pushboolean(lua, true);
		lua_rawset(lua, 3);
	}
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(lua, 2, i);
		lua_pushvalue(lua, -1);
		bool wanted = lua_rawget(lua, 3) != LUA_TNIL;
		lua_pop(lua, 1);
		if (wanted)
			say_entry(lua);
		any = any || wanted;
		lua_pop(lua, 1);
	}
	return any;
}

static void say_all(lua_State *lua, lua_Integer count)
{
	say(lua, "All of Lua 5.4, and:\n\n");
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(lua, 2, i);
		say_entry(lua);
		lua_pop(lua, 1);
	}
	say(lua, "\n_ is the last value; release.name, release.version and arg are set.\n");
}

static int help(lua_State *lua)
{
	bool all = lua_isnone(lua, 1); /* nil is a name that is mistyped */
	lua_settop(lua, 1);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &docs_key);
	lua_Integer count = (lua_Integer)lua_rawlen(lua, 2);
	if (all) {
		say_all(lua, count);
		return 0;
	}
	if (lua_istable(lua, 1) && say_table(lua, count))
		return 0;
	lua_pushvalue(lua, 1);
	if (!lua_isfunction(lua, 1) || lua_rawget(lua, 2) != LUA_TTABLE)
		return luaL_error(lua, "there is no help for this; help() lists what there is");
	say_entry(lua);
	return 0;
}

void lua_api_help(lua_State *lua)
{
	lua_pushcfunction(lua, help);
	lua_api_document(lua, NULL, "help", "[function or table]", "this text, or what one function does");
	lua_setglobal(lua, "help");
}

/* Argument: the evaluator. */
static int define(lua_State *lua)
{
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &evaluator_key);
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &docs_key);
	lua_api_components(lua);
	lua_api_node(lua);
	lua_api_app(lua);
	lua_api_help(lua);
	lua_api_io(lua);
	return 0;
}

int lua_api_define(struct evaluator *evaluator, struct error *err)
{
	lua_State *lua = script_lua(evaluator->script);
	lua_pushcfunction(lua, define);
	lua_pushlightuserdata(lua, evaluator);
	if (lua_pcall(lua, 1, 0, 0) == LUA_OK)
		return 0;
	const char *message = lua_tostring(lua, -1);
	int rc = error_set(err, ERROR_FAILED, "cannot prepare a Lua state: %s", message != NULL ? message : "");
	lua_pop(lua, 1);
	return rc;
}
