/* SPDX-License-Identifier: MIT */
/*
 * What differs from Lua's own library: output goes to the print function of the state, os.exit() ends the chunk and
 * not the process, and what would undermine the limits or load code of the host is refused with a reason.
 */
#include "script/internal.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

static void put_out(lua_State *lua, const char *data, size_t size)
{
	const struct script *script = script_of(lua);

	if (script->print)
		script->print(script->print_context, (struct slice){ data, size });
	else
		fwrite(data, 1, size, stdout);
}

/* One call of the print function a call of print(), so that a line stays together. */
static int print(lua_State *lua)
{
	int count = lua_gettop(lua);
	luaL_Buffer line;
	const char *text;
	size_t size;

	luaL_buffinit(lua, &line);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&line, '\t');
		luaL_tolstring(lua, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_addchar(&line, '\n');
	luaL_pushresult(&line);
	text = lua_tolstring(lua, -1, &size);
	put_out(lua, text, size);
	return 0;
}

/* file:write(…). Upvalues: the original method, the file io.stdout. */
static int file_write(lua_State *lua)
{
	int count = lua_gettop(lua);

	if (!script_of(lua)->print || !lua_rawequal(lua, 1, lua_upvalueindex(2))) {
		lua_pushvalue(lua, lua_upvalueindex(1));
		lua_insert(lua, 1);
		lua_call(lua, count, LUA_MULTRET);
		return lua_gettop(lua);
	}
	for (int i = 2; i <= count; i++) {
		size_t size;
		const char *text = luaL_checklstring(lua, i, &size);

		put_out(lua, text, size);
	}
	lua_settop(lua, 1);
	return 1;
}

/* io.write(…) is io.output():write(…). Upvalues: io.output, the method above. */
static int io_write(lua_State *lua)
{
	int count = lua_gettop(lua);

	lua_pushvalue(lua, lua_upvalueindex(2));
	lua_insert(lua, 1);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_call(lua, 0, 1);
	lua_insert(lua, 2);
	lua_call(lua, count + 1, LUA_MULTRET);
	return lua_gettop(lua);
}

static void open_output(lua_State *lua)
{
	lua_pushcfunction(lua, print);
	lua_setglobal(lua, "print");

	lua_getglobal(lua, LUA_IOLIBNAME);
	lua_getfield(lua, -1, "output");
	lua_getfield(lua, -2, "stdout");
	luaL_getmetatable(lua, LUA_FILEHANDLE);
	lua_getfield(lua, -1, "__index");
	/* io, output, stdout, metatable, methods */
	lua_getfield(lua, -1, "write");
	lua_pushvalue(lua, -4);
	lua_pushcclosure(lua, file_write, 2);
	lua_pushvalue(lua, -1);
	lua_setfield(lua, -3, "write");
	lua_pushvalue(lua, -5);
	lua_insert(lua, -2);
	lua_pushcclosure(lua, io_write, 2);
	lua_setfield(lua, -6, "write");
	lua_pop(lua, 5);
}

static int os_exit(lua_State *lua)
{
	struct script *script = script_of(lua);
	lua_Integer code;

	if (lua_isboolean(lua, 1))
		code = lua_toboolean(lua, 1) ? 0 : 1;
	else
		code = luaL_optinteger(lua, 1, 0);
	script->exit_code = (int)(code & 0xff);
	return script_end(lua, SCRIPT_EXITS);
}

/* Upvalue: the handler. When everything has to end it is passed over: hooks do not run inside a handler that a hook's
 * error called, so nothing could end it. */
static int guarded_handler(lua_State *lua)
{
	if (script_of(lua)->ending != SCRIPT_GOES_ON)
		return 1;
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
	return lua_gettop(lua);
}

static int finish_xpcall(lua_State *lua, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(lua);
}

/* Upvalue: Lua's own xpcall. */
static int guarded_xpcall(lua_State *lua)
{
	int count = lua_gettop(lua);

	luaL_checktype(lua, 2, LUA_TFUNCTION);
	lua_pushvalue(lua, 2);
	lua_pushcclosure(lua, guarded_handler, 1);
	lua_replace(lua, 2);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_callk(lua, count, LUA_MULTRET, 0, finish_xpcall);
	return finish_xpcall(lua, LUA_OK, 0);
}

/* ---- finalizers ---- */

/*
 * Upvalue: a __gc function. Lua calls finalizers with hooks switched off, so that an endless one could not be ended; on
 * a thread of its own the hook runs.
 */
static int guarded_finalizer(lua_State *lua)
{
	lua_State *thread = lua_newthread(lua);

	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_pushvalue(lua, 1);
	lua_xmove(lua, thread, 2);
	if (lua_pcall(thread, 1, 0, 0) == LUA_OK)
		return 0;
	lua_xmove(thread, lua, 1);
	return lua_error(lua);
}

/* setmetatable and debug.setmetatable. Upvalue: Lua's own. Arguments are checked here, under the function's name. */
static int guarded_setmetatable(lua_State *lua)
{
	int count = lua_gettop(lua);

	luaL_argexpected(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");

	if (lua_istable(lua, 2)) {
		lua_pushliteral(lua, "__gc");
		if (lua_rawget(lua, 2) == LUA_TFUNCTION && lua_tocfunction(lua, -1) != guarded_finalizer) {
			lua_pushliteral(lua, "__gc");
			lua_insert(lua, -2);
			lua_pushcclosure(lua, guarded_finalizer, 1);
			lua_rawset(lua, 2);
		}
		lua_settop(lua, count);
	}
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, count, LUA_MULTRET);
	return lua_gettop(lua);
}

/* ---- loading: text only, as compiled chunks can crash the interpreter ---- */

static int load_text(lua_State *lua, int mode_index)
{
	int count = lua_gettop(lua);
	const char *mode = luaL_optstring(lua, mode_index, "t");

	if (!strchr(mode, 't'))
		return luaL_error(lua, "compiled chunks are not supported: they can crash the interpreter");
	if (count < mode_index)
		lua_settop(lua, count = mode_index);
	lua_pushliteral(lua, "t");
	lua_replace(lua, mode_index);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, count, LUA_MULTRET);
	return lua_gettop(lua);
}

/* Upvalue of both: Lua's own. */
static int text_load(lua_State *lua)
{
	return load_text(lua, 3);
}

static int text_loadfile(lua_State *lua)
{
	return load_text(lua, 2);
}

static int finish_dofile(lua_State *lua, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(lua) - 1;
}

static int text_dofile(lua_State *lua)
{
	const char *path = luaL_optstring(lua, 1, NULL);

	lua_settop(lua, 1);
	if (luaL_loadfilex(lua, path, "t") != LUA_OK)
		return lua_error(lua);
	lua_callk(lua, 0, LUA_MULTRET, 0, finish_dofile);
	return finish_dofile(lua, LUA_OK, 0);
}

/* The locale is the process's, not the state's: it is always "C". */
static int os_setlocale(lua_State *lua)
{
	const char *wanted = luaL_optstring(lua, 1, "C");

	if (strcmp(wanted, "C") == 0 || strcmp(wanted, "POSIX") == 0)
		lua_pushliteral(lua, "C");
	else
		lua_pushnil(lua);
	return 1;
}

/* Replaces a function of the library on top of the stack by one that has it as its upvalue. */
static void wrap(lua_State *lua, const char *name, lua_CFunction function)
{
	lua_getfield(lua, -1, name);
	lua_pushcclosure(lua, function, 1);
	lua_setfield(lua, -2, name);
}

/* Upvalue: the message. */
static int refuse(lua_State *lua)
{
	return luaL_error(lua, "%s", lua_tostring(lua, lua_upvalueindex(1)));
}

static void set_refused(lua_State *lua, const char *library, const char *function, const char *message)
{
	lua_getglobal(lua, library);
	lua_pushstring(lua, message);
	lua_pushcclosure(lua, refuse, 1);
	lua_setfield(lua, -2, function);
	lua_pop(lua, 1);
}

void script_open_lib(lua_State *lua)
{
	open_output(lua);
	lua_pushglobaltable(lua);
	wrap(lua, "xpcall", guarded_xpcall);
	wrap(lua, "setmetatable", guarded_setmetatable);
	wrap(lua, "load", text_load);
	wrap(lua, "loadfile", text_loadfile);
	wrap(lua, "dofile", text_dofile);
	lua_getglobal(lua, LUA_DBLIBNAME);
	wrap(lua, "setmetatable", guarded_setmetatable);
	lua_getglobal(lua, LUA_OSLIBNAME);
	lua_pushcfunction(lua, os_exit);
	lua_setfield(lua, -2, "exit");
	lua_pushcfunction(lua, os_setlocale);
	lua_setfield(lua, -2, "setlocale");
	lua_pop(lua, 3);
	set_refused(lua, LUA_LOADLIBNAME, "loadlib",
		    "package.loadlib is not supported: modules in C belong into a component");
	set_refused(lua, LUA_DBLIBNAME, "sethook",
		    "debug.sethook is not supported: the hook is what ends endless loops");
}
