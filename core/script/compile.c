/* SPDX-License-Identifier: MIT */
/* From text to a function: an expression or statements, and whether more of it is to come. */
#include "script/internal.h"

#include "base/scope.h"

#include <lauxlib.h>

/* The text in up to two pieces: "return " and the text itself. */
struct pieces {
	struct slice piece[2];
	int next;
};

static const char *read_piece(lua_State *lua, void *context, size_t *size)
{
	struct pieces *pieces = context;

	(void)lua;
	while (pieces->next < 2) {
		struct slice piece = pieces->piece[pieces->next++];

		*size = piece.size;
		if (piece.size)
			return piece.data;
	}
	*size = 0;
	return NULL;
}

/* The first line of a script file may name its interpreter, behind a byte order mark; `#list` is an expression. */
static struct slice without_interpreter(struct slice text)
{
	const char *end;

	text = slice_skip_bom(text);
	if (!slice_starts(text, SLICE("#!")))
		return text;
	end = memchr(text.data, '\n', text.size);
	return end ? (struct slice){ end, text.size - (size_t)(end - text.data) } : (struct slice){ "", 0 };
}

int script_load(lua_State *lua, struct slice text, const char *name, bool as_expression)
{
	struct pieces pieces = { { as_expression ? SLICE("return ") : SLICE(""), without_interpreter(text) }, 0 };
	SCOPE(buf_done) struct buf chunk_name = { 0 };

	if (slice_starts(text, SLICE(LUA_SIGNATURE))) {
		lua_pushfstring(lua, "%s: compiled chunks are not supported: they can crash the interpreter", name);
		return LUA_ERRSYNTAX;
	}
	buf_printf(&chunk_name, "@%s", name);
	return lua_load(lua, read_piece, &pieces, buf_string(&chunk_name), "t");
}

static bool message_ends_early(lua_State *lua, int index)
{
	struct slice message = { 0 };

	message.data = lua_tolstring(lua, index, &message.size);
	return message.data && slice_ends(message, SLICE("<eof>"));
}

bool script_is_incomplete(struct script *script, struct slice text)
{
	lua_State *lua = script->lua;
	int top = lua_gettop(lua);
	bool incomplete = false;

	if (slice_starts(text, SLICE(LUA_SIGNATURE)))
		return false;
	for (int as_expression = 1; as_expression >= 0; as_expression--) {
		if (script_load(lua, text, "", as_expression) == LUA_OK) {
			incomplete = false;
			break;
		}
		incomplete = incomplete || message_ends_early(lua, -1);
	}
	lua_settop(lua, top);
	return incomplete;
}

bool script_compiles(struct script *script, struct slice text)
{
	lua_State *lua = script->lua;
	int top = lua_gettop(lua);
	bool compiles = !slice_starts(text, SLICE(LUA_SIGNATURE)) && script_load(lua, text, "", false) == LUA_OK;

	lua_settop(lua, top);
	return compiles;
}

int script_check(struct script *script, struct slice text, const char *chunk, struct error *err)
{
	const struct script_chunk what = { .text = text, .name = chunk, .try_expression = true };
	int top = lua_gettop(script->lua);
	int rc = script_compile(script->lua, &what) ? 0 : script_fail(script, &what, LUA_ERRSYNTAX, err);

	lua_settop(script->lua, top);
	return rc;
}

bool script_compile(lua_State *lua, const struct script_chunk *chunk)
{
	if (chunk->try_expression && script_load(lua, chunk->text, chunk->name, true) == LUA_OK)
		return true;
	if (script_load(lua, chunk->text, chunk->name, false) == LUA_OK)
		return true;
	if (chunk->try_expression && message_ends_early(lua, -2) && !message_ends_early(lua, -1))
		lua_pop(lua, 1);
	return false;
}
