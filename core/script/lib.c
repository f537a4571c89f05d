/* SPDX-License-Identifier: MIT */
/*
 * What differs from Lua's own library: os.exit() ends the chunk and not the process, finalizers and message handlers
 * cannot hold up an end, and what would load code of the host or reach into functions of C is refused with a reason.
 */
#include "script/internal.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>

int script_call_own(lua_State *lua)
{
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
	return lua_gettop(lua);
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

/* Of the metatable at 2, if there is one. */
static void guard_finalizer(lua_State *lua)
{
	luaL_argexpected(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
	lua_settop(lua, 2);
	if (lua_isnil(lua, 2))
		return;
	lua_pushliteral(lua, "__gc");
	if (lua_rawget(lua, 2) == LUA_TFUNCTION && lua_tocfunction(lua, -1) != guarded_finalizer) {
		lua_pushliteral(lua, "__gc");
		lua_insert(lua, -2);
		lua_pushcclosure(lua, guarded_finalizer, 1);
		lua_rawset(lua, 2);
	}
	lua_settop(lua, 2);
}

static int guarded_setmetatable(lua_State *lua)
{
	luaL_checktype(lua, 1, LUA_TTABLE);
	guard_finalizer(lua);
	if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL)
		return luaL_error(lua, "cannot change a protected metatable");
	lua_setmetatable(lua, 1);
	return 1;
}

static int debug_setmetatable(lua_State *lua)
{
	luaL_argcheck(lua, !lua_islightuserdata(lua, 1), 1, "a pointer of C is no file");
	guard_finalizer(lua);
	lua_setmetatable(lua, 1);
	return 1;
}

/* ---- loading: text only, as compiled chunks can crash the interpreter ---- */

#define COMPILED_MESSAGE "compiled chunks are not supported: they can crash the interpreter"

/* Upvalue: Lua's own. */
static int text_load(lua_State *lua)
{
	enum { MODE = 3 };
	const char *mode = luaL_optstring(lua, MODE, "t");

	if (!strchr(mode, 't'))
		return luaL_error(lua, COMPILED_MESSAGE);
	if (lua_gettop(lua) < MODE)
		lua_settop(lua, MODE);
	lua_pushliteral(lua, "t");
	lua_replace(lua, MODE);
	return script_call_own(lua);
}

/* All that io.stdin has. */
static int load_stdin(lua_State *lua)
{
	struct slice text;
	int status;

	lua_getglobal(lua, LUA_IOLIBNAME);
	lua_getfield(lua, -1, "stdin");
	lua_getfield(lua, -1, "read");
	lua_insert(lua, -2);
	lua_pushliteral(lua, "a");
	lua_call(lua, 2, 1);
	text.data = lua_tolstring(lua, -1, &text.size);
	if (!text.data)
		return luaL_error(lua, "cannot read stdin");
	status = script_load(lua, text, "stdin", false);
	lua_replace(lua, -3);
	lua_pop(lua, 1);
	return status;
}

/* Leaves a function or a message on the stack; NULL: stdin, of whoever runs the text and not of the process. */
static int load_file(lua_State *lua, const char *path)
{
	return path ? luaL_loadfilex(lua, path, "t") : load_stdin(lua);
}

static int text_loadfile(lua_State *lua)
{
	const char *path = luaL_optstring(lua, 1, NULL), *mode = luaL_optstring(lua, 2, "t");
	bool has_environment = !lua_isnone(lua, 3);

	if (!strchr(mode, 't'))
		return luaL_error(lua, COMPILED_MESSAGE);
	lua_settop(lua, 3);
	if (load_file(lua, path) != LUA_OK) {
		luaL_pushfail(lua);
		lua_insert(lua, -2);
		return 2;
	}
	if (has_environment) {
		lua_pushvalue(lua, 3);
		if (!lua_setupvalue(lua, -2, 1))
			lua_pop(lua, 1);
	}
	return 1;
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
	if (load_file(lua, path) != LUA_OK)
		return lua_error(lua);
	lua_callk(lua, 0, LUA_MULTRET, 0, finish_dofile);
	return finish_dofile(lua, LUA_OK, 0);
}

/* The second of package.searchers, and the last: those behind it would load C. Upvalue: package. */
static int search_text(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1), *path;

	lua_getfield(lua, lua_upvalueindex(1), "searchpath");
	lua_pushvalue(lua, 1);
	lua_getfield(lua, lua_upvalueindex(1), "path");
	if (!lua_isstring(lua, -1))
		return luaL_error(lua, "'package.path' must be a string");
	lua_call(lua, 2, 2);
	path = lua_tostring(lua, -2);
	if (!path)
		return 1; /* where it looked */
	if (luaL_loadfilex(lua, path, "t") != LUA_OK)
		return luaL_error(lua, "error loading module '%s' from file '%s':\n\t%s", name, path,
				  lua_tostring(lua, -1));
	lua_pushstring(lua, path);
	return 2;
}

static void open_searchers(lua_State *lua)
{
	lua_getglobal(lua, LUA_LOADLIBNAME);
	lua_getfield(lua, -1, "searchers");
	lua_pushvalue(lua, -2);
	lua_pushcclosure(lua, search_text, 1);
	lua_rawseti(lua, -2, 2);
	for (lua_Integer i = (lua_Integer)lua_rawlen(lua, -1); i > 2; i--) {
		lua_pushnil(lua);
		lua_rawseti(lua, -2, i);
	}
	lua_pop(lua, 2);
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

/* ---- debug: not into functions of C, which trust what is on their stack and in their upvalues ---- */

/* [thread,] level, local, value */
static int debug_setlocal(lua_State *lua)
{
	int first = lua_isthread(lua, 1) ? 2 : 1;
	lua_State *of = first == 2 ? lua_tothread(lua, 1) : lua;
	lua_Integer level = luaL_checkinteger(lua, first), local = luaL_checkinteger(lua, first + 1);
	lua_Debug activation;
	const char *name;

	luaL_checkany(lua, first + 2);
	if (level < 0 || level > INT_MAX || !lua_getstack(of, (int)level, &activation))
		return luaL_argerror(lua, first, "level out of range");
	lua_getinfo(of, "S", &activation);
	luaL_argcheck(lua, strcmp(activation.what, "C") != 0, first, "locals of functions in C cannot be set");
	luaL_argcheck(lua, local >= INT_MIN && local <= INT_MAX && lua_checkstack(of, 1), first + 1, "out of range");
	lua_settop(lua, first + 2);
	lua_xmove(lua, of, 1);
	name = lua_setlocal(of, &activation, (int)local);
	if (!name)
		lua_pop(of, 1);
	lua_pushstring(lua, name);
	return 1;
}

/* Upvalue: Lua's own. */
static int debug_setupvalue(lua_State *lua)
{
	luaL_argcheck(lua, !lua_iscfunction(lua, 1), 1, "upvalues of functions in C cannot be set");
	return script_call_own(lua);
}

static void open_debug(lua_State *lua)
{
	lua_getglobal(lua, LUA_DBLIBNAME);
	lua_pushcfunction(lua, debug_setmetatable);
	lua_setfield(lua, -2, "setmetatable");
	lua_pushcfunction(lua, debug_setlocal);
	lua_setfield(lua, -2, "setlocal");
	wrap(lua, "setupvalue", debug_setupvalue);
	lua_pop(lua, 1);
	set_refused(lua, LUA_DBLIBNAME, "sethook",
		    "debug.sethook is not supported: the hook is what ends endless loops");
	set_refused(lua, LUA_DBLIBNAME, "getregistry", "debug.getregistry is not supported: it holds pointers of C");
	set_refused(lua, LUA_DBLIBNAME, "debug", "debug.debug is not supported: there are consoles");
}

void script_open_lib(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{ "setmetatable", guarded_setmetatable },
		{ "loadfile", text_loadfile },
		{ "dofile", text_dofile },
		{ NULL, NULL },
	};

	lua_pushglobaltable(lua);
	luaL_setfuncs(lua, functions, 0);
	wrap(lua, "xpcall", guarded_xpcall);
	wrap(lua, "load", text_load);
	lua_getglobal(lua, LUA_OSLIBNAME);
	lua_pushcfunction(lua, os_exit);
	lua_setfield(lua, -2, "exit");
	lua_pushcfunction(lua, os_setlocale);
	lua_setfield(lua, -2, "setlocale");
	lua_pop(lua, 2);
	open_debug(lua);
	open_searchers(lua);
	set_refused(lua, LUA_LOADLIBNAME, "loadlib",
		    "package.loadlib is not supported: modules in C belong into a component");
}
