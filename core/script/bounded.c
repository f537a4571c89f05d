/* SPDX-License-Identifier: MIT */
/*
 * Functions of Lua's library whose loops can be longer than anybody waits, without an instruction of Lua in between
 * where the hook could run: here they look for an interrupt themselves. Arguments are checked under the function's
 * name.
 */
#include "base/scope.h"
#include "script/internal.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>

enum { SHORT = 1 << 16, STEPS_OF_A_LOOK = 4096 };

static void step(lua_State *lua, lua_Integer number)
{
	if (number % STEPS_OF_A_LOOK == 0)
		script_look(lua);
}

/* to[t] = from[f] … */
static void copy_up(lua_State *lua, int from, lua_Integer f, int to, lua_Integer t, lua_Integer count)
{
	for (lua_Integer i = 0; i < count; i++) {
		step(lua, i);
		lua_geti(lua, from, f + i);
		lua_seti(lua, to, t + i);
	}
}

static void copy_down(lua_State *lua, int from, lua_Integer f, int to, lua_Integer t, lua_Integer count)
{
	for (lua_Integer i = count; i-- > 0;) {
		step(lua, i);
		lua_geti(lua, from, f + i);
		lua_seti(lua, to, t + i);
	}
}

/* A table, or what can be used like one. */
static void check_table(lua_State *lua, int index)
{
	static const char *const needed[] = { "__index", "__newindex", "__len" };
	int top = lua_gettop(lua);

	if (lua_istable(lua, index))
		return;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (luaL_getmetafield(lua, index, needed[i]) == LUA_TNIL)
			luaL_checktype(lua, index, LUA_TTABLE);
	}
	lua_settop(lua, top);
}

static int table_move(lua_State *lua)
{
	lua_Integer f = luaL_checkinteger(lua, 2), e = luaL_checkinteger(lua, 3), t = luaL_checkinteger(lua, 4);
	int to = lua_isnoneornil(lua, 5) ? 1 : 5;

	check_table(lua, 1);
	check_table(lua, to);
	if (e >= f) {
		luaL_argcheck(lua, f > 0 || e < LUA_MAXINTEGER + f, 3, "too many elements to move");
		luaL_argcheck(lua, t <= LUA_MAXINTEGER - (e - f), 4, "destination wrap around");
		if (t > e || t <= f || (to != 1 && !lua_compare(lua, 1, to, LUA_OPEQ)))
			copy_up(lua, 1, f, to, t, e - f + 1);
		else
			copy_down(lua, 1, f, to, t, e - f + 1);
	}
	lua_pushvalue(lua, to);
	return 1;
}

static int table_insert(lua_State *lua)
{
	check_table(lua, 1);
	lua_Integer end = (lua_Integer)((lua_Unsigned)luaL_len(lua, 1) + 1), position = end;

	if (lua_gettop(lua) != 2 && lua_gettop(lua) != 3)
		return luaL_error(lua, "wrong number of arguments to 'insert'");
	if (lua_gettop(lua) == 3) {
		position = luaL_checkinteger(lua, 2);
		luaL_argcheck(lua, (lua_Unsigned)position - 1 < (lua_Unsigned)end, 2, "position out of bounds");
		copy_down(lua, 1, position, 1, position + 1, end - position);
	}
	lua_seti(lua, 1, position);
	return 0;
}

static int table_remove(lua_State *lua)
{
	check_table(lua, 1);
	lua_Integer size = luaL_len(lua, 1), position = luaL_optinteger(lua, 2, size);

	if (position != size)
		luaL_argcheck(lua, (lua_Unsigned)position - 1 <= (lua_Unsigned)size, 2, "position out of bounds");
	lua_geti(lua, 1, position);
	if (position < size) {
		copy_up(lua, 1, position + 1, 1, position, size - position);
		position = size;
	}
	lua_pushnil(lua);
	lua_seti(lua, 1, position);
	return 1;
}

/* Upvalue: how often it was called. */
static int is_less(lua_State *lua)
{
	lua_Integer calls = lua_tointeger(lua, lua_upvalueindex(1)) + 1;

	lua_pushinteger(lua, calls);
	lua_replace(lua, lua_upvalueindex(1));
	step(lua, calls);
	lua_pushboolean(lua, lua_compare(lua, 1, 2, LUA_OPLT));
	return 1;
}

static int table_sort(lua_State *lua)
{
	check_table(lua, 1);
	lua_Integer size = luaL_len(lua, 1);

	lua_settop(lua, 2);
	if (size < 2)
		return 0;
	luaL_argcheck(lua, size < INT_MAX, 1, "array too big");
	if (!lua_isnil(lua, 2)) {
		luaL_checktype(lua, 2, LUA_TFUNCTION);
	} else if (size > SHORT) {
		lua_pushinteger(lua, 0);
		lua_pushcclosure(lua, is_less, 1);
		lua_replace(lua, 2);
	}
	return script_call_own(lua);
}

static int string_rep(lua_State *lua)
{
	struct slice text, between;
	lua_Integer count = luaL_checkinteger(lua, 2);
	luaL_Buffer out;

	text.data = luaL_checklstring(lua, 1, &text.size);
	between.data = luaL_optlstring(lua, 3, "", &between.size);
	if (count <= 0 || text.size + between.size == 0) { /* Lua's own would count to n all the same */
		lua_pushliteral(lua, "");
		return 1;
	}
	if (text.size + between.size > (size_t)INT_MAX / (lua_Unsigned)count)
		return luaL_error(lua, "resulting string too large");
	luaL_buffinitsize(lua, &out, text.size * (size_t)count + between.size * (size_t)(count - 1));
	for (lua_Integer i = 0; i < count; i++) {
		step(lua, i);
		if (i > 0)
			luaL_addlstring(&out, between.data, between.size);
		luaL_addlstring(&out, text.data, text.size);
	}
	luaL_pushresult(&out);
	return 1;
}

void script_open_bounded(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{ "move", table_move },
		{ "insert", table_insert },
		{ "remove", table_remove },
		{ NULL, NULL },
	};

	lua_getglobal(lua, LUA_TABLIBNAME);
	luaL_setfuncs(lua, functions, 0);
	lua_getfield(lua, -1, "sort");
	lua_pushcclosure(lua, table_sort, 1);
	lua_setfield(lua, -2, "sort");
	lua_getglobal(lua, LUA_STRLIBNAME);
	lua_pushcfunction(lua, string_rep);
	lua_setfield(lua, -2, "rep");
	lua_pop(lua, 2);
}
