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
	lua_getglobal(lua, "xpcall");
	lua_pushcclosure(lua, guarded_xpcall, 1);
	lua_setglobal(lua, "xpcall");
	lua_getglobal(lua, LUA_OSLIBNAME);
	lua_pushcfunction(lua, os_exit);
	lua_setfield(lua, -2, "exit");
	lua_pop(lua, 1);
	set_refused(lua, LUA_LOADLIBNAME, "loadlib",
		    "package.loadlib is not supported: modules in C belong into a component");
	set_refused(lua, LUA_DBLIBNAME, "sethook",
		    "debug.sethook is not supported: the hook is what ends endless loops");
}
