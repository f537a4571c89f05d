/* SPDX-License-Identifier: MIT */
/* What is said of a chunk that failed: its message with the whole name of the chunk, its traceback, its place. */
#include "script/internal.h"

#include "base/scope.h"

#include <lauxlib.h>
#include <stdio.h>

/* Lua calls no handler when there is no memory, so that the place is noted where memory is refused: from within the
 * allocator, hence by functions that allocate nothing. */
void script_note_place(struct script *script)
{
	lua_Debug activation;

	for (int level = 0; script->lua && lua_getstack(script->lua, level, &activation); level++) {
		if (!lua_getinfo(script->lua, "Sl", &activation) || activation.currentline <= 0)
			continue;
		snprintf(script->place, sizeof(script->place), "%s:%d", activation.short_src, activation.currentline);
		return;
	}
}

/* Lua shows at most 59 bytes of a chunk's name, the last ones behind "...": puts the whole name back. */
static void append_message(struct buf *out, struct slice message, const char *name)
{
	size_t shown = LUA_IDSIZE - sizeof("..."), size = strlen(name);

	if (size > LUA_IDSIZE - 1 && slice_starts(message, SLICE("...")) && message.size > shown + 3 &&
	    memcmp(message.data + 3, name + size - shown, shown) == 0) {
		buf_append_string(out, name);
		message.data += 3 + shown;
		message.size -= 3 + shown;
	}
	buf_append_slice(out, message);
}

/* The text of an error that is none: a table as a console shows it. */
static const char *push_object(lua_State *lua)
{
	struct buf text = { 0 };

	if (luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL)
		return luaL_tolstring(lua, 1, NULL);
	if (!lua_istable(lua, 1))
		return lua_pushfstring(lua, "(error object is a %s value)", luaL_typename(lua, 1));
	script_show(script_of(lua), 1, &text);
	lua_pushfstring(lua, "error object: %s", buf_string(&text));
	buf_done(&text);
	return lua_tostring(lua, -1);
}

int script_on_error(lua_State *lua)
{
	const struct script_chunk *chunk = script_of(lua)->chunk;
	const char *message = lua_tostring(lua, 1);
	size_t size;

	if (!message)
		message = push_object(lua);
	lua_pushstring(lua, message);
	if (chunk->traceback && chunk->compiled && script_of(lua)->ending == SCRIPT_GOES_ON) {
		luaL_traceback(lua, lua, message, 1);
		message = lua_tolstring(lua, -1, &size);
		buf_clear(chunk->traceback);
		append_message(chunk->traceback, (struct slice){ message, size }, chunk->name);
		lua_pop(lua, 1);
	}
	return 1;
}

static void append_spent(struct buf *out, const struct script *script, const struct script_chunk *chunk)
{
	append_message(out, slice_of(script->place[0] ? script->place : chunk->name), chunk->name);
	buf_printf(out, ": it has not ended after %u million instructions, the limit; does a loop go on for ever?",
		   script->millions_most);
}

static void append_out_of_memory(struct buf *out, const struct script *script, const struct script_chunk *chunk)
{
	append_message(out, slice_of(script->place[0] ? script->place : chunk->name), chunk->name);
	buf_append_string(out, ": out of memory");
	if (script->memory_limit)
		buf_printf(out, ": the limit is %zu MiB", script->memory_limit >> 20);
}

/* The first line, with those behind it that are indented: where require() looked, why it could not load. */
static void append_line(struct buf *out, const char *text)
{
	size_t size = strcspn(text, "\n");

	buf_append(out, text, size);
	while (strncmp(text + size, "\n\t", 2) == 0) {
		buf_append_string(out, size > 0 && text[size - 1] == ':' ? " " : "; ");
		text += size + 2;
		size = strcspn(text, "\n");
		buf_append(out, text, size);
	}
}

int script_fail(struct script *script, const struct script_chunk *chunk, int status, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	SCOPE(buf_done) struct buf line = { 0 };
	const char *message = lua_tostring(script->lua, -1);
	enum error_code code = status == LUA_ERRMEM ? ERROR_NO_MEMORY : ERROR_FAILED;

	if (status == LUA_ERRMEM)
		append_out_of_memory(&text, script, chunk);
	else if (script->ending == SCRIPT_SPENT)
		append_spent(&text, script, chunk);
	else if (script->ending == SCRIPT_INTERRUPTED)
		buf_append_string(&text, "interrupted");
	else if (script->ending == SCRIPT_EXITS)
		buf_printf(&text, "os.exit(%d)", script->exit_code);
	else
		append_message(&text, slice_of(message ? message : "(error without a message)"), chunk->name);
	if (chunk->traceback && chunk->traceback->size == 0)
		buf_append_slice(chunk->traceback, buf_slice(&text));
	append_line(&line, buf_string(&text));
	return error_set(err, code, "%s", buf_string(&line));
}
