/* SPDX-License-Identifier: MIT */
/*
 * coroutine.wrap() as Lua's manual describes it, for one reason: when everything has to end, the error is raised within
 * a hook, and hooks stay switched off in the coroutine that it ends. Lua's own wrap() would then call the __close
 * functions of that coroutine, and nothing could end an endless one. Here they are passed over at such an end.
 */
#include "script/internal.h"

#include <lauxlib.h>
#include <lualib.h>

static void close_thread(lua_State *thread, lua_State *from)
{
#if LUA_VERSION_RELEASE_NUM >= 50406
	lua_closethread(thread, from);
#else
	(void)from;
	lua_resetthread(thread);
#endif
}

/* Its error is on top of the thread. */
static int pass_error_on(lua_State *lua, lua_State *thread)
{
	int status = lua_status(thread);
	bool failed = status != LUA_OK && status != LUA_YIELD; /* or it was dead before */

	if (failed && script_of(lua)->ending == SCRIPT_GOES_ON)
		close_thread(thread, lua); /* a __close function may have an error of its own */
	lua_xmove(thread, lua, 1);
	if (status != LUA_ERRMEM && lua_type(lua, -1) == LUA_TSTRING) {
		luaL_where(lua, 1);
		lua_insert(lua, -2);
		lua_concat(lua, 2);
	}
	return lua_error(lua);
}

/* Upvalue: the coroutine. */
static int resume_wrapped(lua_State *lua)
{
	lua_State *thread = lua_tothread(lua, lua_upvalueindex(1));
	int count = lua_gettop(lua), results, status;

	if (!lua_checkstack(thread, count))
		return luaL_error(lua, "too many arguments to resume");
	lua_xmove(lua, thread, count);
	status = lua_resume(thread, lua, count, &results);
	if (status != LUA_OK && status != LUA_YIELD)
		return pass_error_on(lua, thread);
	if (!lua_checkstack(lua, results + 1)) {
		lua_pop(thread, results);
		return luaL_error(lua, "too many results to resume");
	}
	lua_xmove(thread, lua, results);
	return results;
}

static int wrap(lua_State *lua)
{
	lua_State *thread;

	luaL_checktype(lua, 1, LUA_TFUNCTION);
	thread = lua_newthread(lua);
	lua_pushvalue(lua, 1);
	lua_xmove(lua, thread, 1);
	lua_pushcclosure(lua, resume_wrapped, 1);
	return 1;
}

void script_open_coroutines(lua_State *lua)
{
	lua_getglobal(lua, LUA_COLIBNAME);
	lua_pushcfunction(lua, wrap);
	lua_setfield(lua, -2, "wrap");
	lua_pop(lua, 1);
}
