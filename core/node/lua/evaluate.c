/* SPDX-License-Identifier: MIT */
#include "node/lua/evaluate.h"

#include "base/json.h"
#include "base/scope.h"
#include "node/lua/lua_api.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SHOWN_BYTES = 16 << 10, SHOWN_MAX_BYTES = 1 << 30 /* where the state has no limit */ };

void evaluator_print(struct evaluator *evaluator, struct slice text)
{
	evaluator->sink(evaluator->context, evaluator->json ? EVALUATE_ERR : EVALUATE_OUT, text);
}

static void on_print(void *context, struct slice text)
{
	evaluator_print(context, text);
}

int evaluator_init(struct evaluator *evaluator, size_t memory_limit_bytes, struct error *err)
{
	const struct release *release = &evaluator->node->release;
	SCOPE(arena_done) struct arena arena = { 0 };
	const struct script_options options = {
		.package_path = arena_printf(&arena, "%s/releases/%s/?.lua", release->root, release->version),
		.memory_limit_bytes = memory_limit_bytes,
		.gives_way = evaluator->guest,
	};
	evaluator->results = calloc(1, sizeof(*evaluator->results));
	if (evaluator->results == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a Lua state");
	evaluator->script = script_new(&options, err);
	if (evaluator->script == NULL) {
		free(TAKE_PTR(evaluator->results));
		return -(int)ERROR_NO_MEMORY;
	}
	evaluator->most_shown = memory_limit_bytes > 0 ? memory_limit_bytes : SHOWN_MAX_BYTES;
	script_on_print(evaluator->script, on_print, evaluator);
	int rc = lua_api_define(evaluator, err);
	if (rc != 0)
		evaluator_done(evaluator);
	return rc;
}

void evaluator_done(struct evaluator *evaluator)
{
	script_free(evaluator->script); /* finalizers print and call what any text does */
	evaluator->script = NULL;
	if (evaluator->results != NULL)
		arena_done(evaluator->results);
	free(TAKE_PTR(evaluator->results));
}

struct arguments {
	const char *chunk;
	const char *const *args;
	size_t count;
};

static int set_arguments(lua_State *lua)
{
	const struct arguments *arguments = lua_touserdata(lua, 1);
	lua_newtable(lua);
	lua_pushstring(lua, arguments->chunk);
	lua_rawseti(lua, -2, 0);
	for (size_t i = 0; i < arguments->count; i++) {
		lua_pushstring(lua, arguments->args[i]);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	lua_setglobal(lua, "arg");
	return 0;
}

void evaluator_set_arguments(struct evaluator *evaluator, const char *chunk, const char *const *args, size_t count)
{
	struct arguments arguments = { chunk, args, count };
	lua_State *lua = script_lua(evaluator->script);
	lua_pushcfunction(lua, set_arguments);
	lua_pushlightuserdata(lua, &arguments);
	if (lua_pcall(lua, 1, 0, 0) != LUA_OK)
		lua_pop(lua, 1); /* out of memory: the text will say so */
}

static void say(struct evaluator *evaluator, enum evaluate_stream stream, const struct buf *text)
{
	if (text->failed)
		evaluator->sink(evaluator->context, EVALUATE_ERR, SLICE("out of memory while showing a value\n"));
	else if (text->size > 0)
		evaluator->sink(evaluator->context, stream, buf_slice(text));
}

/* On a console nothing that a terminal would obey: what __tostring or an error says may come from anybody. */
static void say_shown(struct evaluator *evaluator, enum evaluate_stream stream, const struct buf *text)
{
	SCOPE(buf_done) struct buf shown = { 0 };
	if (!evaluator->keep_last || text->failed) {
		say(evaluator, stream, text);
		return;
	}
	buf_init(&shown, evaluator->most_shown);
	script_show_text(buf_slice(text), &shown);
	say(evaluator, stream, &shown);
}

/* A console shows the beginning of a long text. */
static bool show_text(struct evaluator *evaluator, int index)
{
	struct slice text = { 0 };
	if (!evaluator->keep_last || lua_type(script_lua(evaluator->script), index) != LUA_TSTRING)
		return false;
	text.data = lua_tolstring(script_lua(evaluator->script), index, &text.size);
	size_t size = text.size;
	if (size > TEXT_SHOWN_BYTES) {
		size = TEXT_SHOWN_BYTES;
		while (size > TEXT_SHOWN_BYTES - 3 && ((unsigned char)text.data[size] & 0xc0) == 0x80)
			size--; /* whole characters */
	}
	SCOPE(buf_done) struct buf line = { 0 };
	script_show_text((struct slice){ text.data, size }, &line);
	if (size < text.size)
		buf_printf(&line, "… %zu bytes more; print(_) shows all", text.size - size);
	buf_append_char(&line, '\n');
	say(evaluator, EVALUATE_OUT, &line);
	return true;
}

/* What write() returns, so that io.write("text") prints the text and nothing else. */
static bool is_stream(lua_State *lua, int index)
{
	if (luaL_getmetafield(lua, index, "__name") == LUA_TNIL)
		return false;
	bool stream = lua_type(lua, -1) == LUA_TSTRING && strcmp(lua_tostring(lua, -1), LUA_FILEHANDLE) == 0;
	lua_pop(lua, 1);
	return stream;
}

/* One value a line, nil not at all. */
static void show_values(struct evaluator *evaluator, int results)
{
	lua_State *lua = script_lua(evaluator->script);
	int first = lua_gettop(lua) - results + 1;
	if (results == 1 && is_stream(lua, first))
		return;
	for (int i = first; i < first + results; i++) {
		if (lua_isnil(lua, i) || show_text(evaluator, i))
			continue;
		SCOPE(buf_done) struct buf line = { 0 };
		buf_init(&line, evaluator->most_shown);
		script_show(evaluator->script, i, &line);
		buf_append_char(&line, '\n');
		say_shown(evaluator, EVALUATE_OUT, &line);
	}
}

static int to_tree(struct evaluator *evaluator, int results, struct arena *arena, struct value **out, struct error *err)
{
	lua_State *lua = script_lua(evaluator->script);
	int first = lua_gettop(lua) - results + 1;
	if (results == 0 || (results == 1 && is_stream(lua, first))) {
		*out = value_null(arena);
		return 0;
	}
	if (results == 1)
		return script_to_value(lua, first, arena, out, err);
	struct value *list = value_list(arena);
	for (int i = first; i < first + results; i++) {
		struct value *item = NULL;
		int rc = script_to_value(lua, i, arena, &item, err);
		if (rc != 0)
			return rc;
		value_list_add(arena, list, item);
	}
	*out = list;
	return 0;
}

static int show_json(struct evaluator *evaluator, int results)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	SCOPE(buf_done) struct buf text = { 0 };
	buf_init(&text, evaluator->most_shown);
	struct value *tree = NULL;
	struct error err;
	int rc = to_tree(evaluator, results, &arena, &tree, &err);
	if (rc != 0)
		buf_append_string(&text, err.message);
	else
		json_write(&text, tree, 0);
	buf_append_char(&text, '\n');
	say(evaluator, rc == 0 ? EVALUATE_OUT : EVALUATE_ERR, &text);
	return rc == 0 ? 0 : 1;
}

/* Raw: globals may have a metatable that refuses new ones. */
static int set_last(lua_State *lua)
{
	lua_pushglobaltable(lua);
	lua_insert(lua, 1);
	lua_pushliteral(lua, "_");
	lua_insert(lua, 2);
	lua_rawset(lua, 1);
	return 0;
}

static void keep_last(struct evaluator *evaluator, int results)
{
	lua_State *lua = script_lua(evaluator->script);
	if (!evaluator->keep_last || results == 0 || !lua_checkstack(lua, 2))
		return;
	int first = lua_gettop(lua) - results + 1;
	lua_pushcfunction(lua, set_last);
	lua_pushvalue(lua, first);
	if (lua_pcall(lua, 1, 0, 0) != LUA_OK)
		lua_pop(lua, 1); /* out of memory: `_` stays what it was */
}

static void show_failure(struct evaluator *evaluator, const struct error *err, struct buf *traceback)
{
	if (traceback->size == 0)
		buf_append_string(traceback, err->message);
	if (traceback->data != NULL && traceback->data[traceback->size - 1] != '\n')
		buf_append_char(traceback, '\n');
	say_shown(evaluator, EVALUATE_ERR, traceback);
}

int evaluator_run(struct evaluator *evaluator, struct slice text, const char *chunk)
{
	lua_State *lua = script_lua(evaluator->script);
	int before = lua_gettop(lua);
	int results = 0;
	SCOPE(buf_done) struct buf traceback = { 0 };
	struct error err;
	int rc = script_run(evaluator->script, text, chunk, &results, &traceback, &err);
	int code = rc == 0 ? 0 : 1;
	int asked = script_exit_code(evaluator->script);
	evaluator->exit_asked = asked >= 0;
	if (asked >= 0)
		code = asked;
	else if (rc != 0)
		show_failure(evaluator, &err, &traceback);
	else if (evaluator->json)
		code = show_json(evaluator, results);
	else
		show_values(evaluator, results);
	if (rc == 0)
		keep_last(evaluator, results);
	lua_settop(lua, before);
	return code;
}
