/* SPDX-License-Identifier: MIT */
/*
 * io.stdin and io.stderr of a text that runs in a node are its caller's. stdin is a stream of the C library over the
 * evaluator's input, so that all of io.read(), io.lines() and file:read() is Lua's own.
 */
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>

/* stderr:write(…): to whoever asked for the text, not into the node's log. */
static int write_error(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	int count = lua_gettop(lua);
	for (int i = 2; i <= count; i++) {
		struct slice text;
		text.data = luaL_checklstring(lua, i, &text.size);
		evaluator->sink(evaluator->context, EVALUATE_ERR, text);
	}
	lua_settop(lua, 1);
	return 1;
}

static int do_nothing(lua_State *lua)
{
	lua_settop(lua, 1);
	return 1;
}

static void define_stderr(lua_State *lua)
{
	static const luaL_Reg methods[] = {
		{ "write", write_error },
		{ "flush", do_nothing },
		{ "setvbuf", do_nothing },
		{ NULL, NULL },
	};
	lua_getglobal(lua, "io");
	luaL_newlib(lua, methods);
	lua_createtable(lua, 0, 1);
	lua_pushliteral(lua, LUA_FILEHANDLE);
	lua_setfield(lua, -2, "__name");
	lua_setmetatable(lua, -2);
	lua_setfield(lua, -2, "stderr");
	lua_pop(lua, 1);
}

/* ---- stdin ---- */

static ssize_t read_cookie(void *cookie, char *to, size_t room)
{
	const struct evaluator *evaluator = cookie;
	ssize_t got = evaluator->input(evaluator->context, to, room);
	if (got < 0)
		errno = EINTR;
	return got;
}

/* As Lua does for the standard streams. */
static int keep_open(lua_State *lua)
{
	luaL_Stream *stream = luaL_checkudata(lua, 1, LUA_FILEHANDLE);
	stream->closef = keep_open;
	lua_pushnil(lua);
	lua_pushliteral(lua, "cannot close standard file");
	return 2;
}

static void define_stdin(lua_State *lua, struct evaluator *evaluator)
{
	luaL_Stream *stream = lua_newuserdatauv(lua, sizeof(*stream), 0);
	*stream = (luaL_Stream){ .closef = NULL };
	luaL_setmetatable(lua, LUA_FILEHANDLE);
	evaluator->input_file = fopencookie(evaluator, "r", (cookie_io_functions_t){ .read = read_cookie });
	if (evaluator->input_file == NULL)
		luaL_error(lua, "no memory for a stream");
	*stream = (luaL_Stream){ .f = evaluator->input_file, .closef = keep_open };
	lua_getglobal(lua, LUA_IOLIBNAME);
	lua_pushvalue(lua, -2);
	lua_setfield(lua, -2, "stdin");
	lua_getfield(lua, -1, "input");
	lua_pushvalue(lua, -3);
	lua_call(lua, 1, 0);
	lua_pop(lua, 2);
}

void lua_api_io(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	define_stderr(lua);
	if (evaluator->input != NULL)
		define_stdin(lua, evaluator);
}
