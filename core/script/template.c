/* SPDX-License-Identifier: MIT */
/*
 * A template becomes a Lua chunk that calls two functions: __text(n) for the n-th piece of plain text and
 * __value(n, …) for the n-th expression. Each line of the template is the same line of the chunk, so that Lua's own
 * messages name the right one. Plain text never becomes part of the chunk, so nothing in it can be taken for code.
 */
#include "script/template.h"

#include "base/term.h"
#include "script/internal.h"

#include "base/scope.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { MEMORY_LIMIT_BYTES = 256 << 20, INSTRUCTIONS_MOST_MILLIONS = 200 };

struct template
{
	const char *name;
	const struct value *assigns;
	struct arena arena;
	struct buf source;
	struct slice *pieces; /* plain texts and expressions */
	size_t piece_count;
	size_t piece_capacity;
	size_t line;        /* of the template, from 1 */
	size_t source_line; /* of the chunk */
	struct buf *out;
};

static void template_done(struct template *template)
{
	buf_done(&template->source);
	arena_done(&template->arena);
}

/* ---- from text to Lua ------------------------------------------------------------------------------------------- */

static size_t count_lines(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.size; i++)
		count += text.data[i] == '\n';
	return count;
}

/* Ends lines of the chunk until it stands in the same line as the template. */
static void catch_up(struct template *template)
{
	for (; template->source_line < template->line; template->source_line++)
		buf_append_char(&template->source, '\n');
}

static size_t add_piece(struct template *template, struct slice text)
{
	if (template->piece_count == template->piece_capacity) {
		size_t capacity = template->piece_capacity ? template->piece_capacity * 2 : 64;
		struct slice *pieces = arena_array(&template->arena, capacity, sizeof(*pieces));

		if (template->piece_count)
			memcpy(pieces, template->pieces, template->piece_count * sizeof(*pieces));
		template->pieces = pieces;
		template->piece_capacity = capacity;
	}
	template->pieces[template->piece_count] = text;
	return template->piece_count++;
}

static void add_text(struct template *template, struct slice text)
{
	if (text.size == 0)
		return;
	catch_up(template);
	buf_printf(&template->source, ";__text(%zu)", add_piece(template, text));
	template->line += count_lines(text);
}

/* Code as it stands. A comment in it must not swallow what follows; the line this costs is made up for by catch_up().
 */
static void add_code(struct template *template, struct slice code)
{
	bool comment = memmem(code.data, code.size, "--", 2) != NULL;
	size_t lines = count_lines(code);

	buf_append_slice(&template->source, code);
	if (comment)
		buf_append_char(&template->source, '\n');
	template->line += lines;
	template->source_line += lines + comment;
}

static int refuse(const struct template *template, const char *problem, struct error *err)
{
	return error_set(err, ERROR_INVALID, "%s:%zu: error: %s", template->name, template->line, problem);
}

/* One tag, `text` beginning behind its "<%"; what follows it is left in `text`. */
static int add_tag(struct template *template, struct slice *text, struct error *err)
{
	bool is_value = slice_starts(*text, SLICE("="));
	const char *end = text->size ? memmem(text->data, text->size, "%>", 2) : NULL;
	struct slice code;
	bool swallow;

	if (!end)
		return refuse(template, "'<%' is never closed by '%>'; a literal '<%' is written '<%%'", err);
	code = (struct slice){ text->data + is_value, (size_t)(end - text->data) - is_value };
	*text = (struct slice){ end + 2, text->size - (size_t)(end + 2 - text->data) };
	swallow = slice_ends(code, SLICE("-"));
	code.size -= swallow;
	catch_up(template);
	if (is_value && slice_trim(code).size == 0)
		return refuse(template, "'<%=' without an expression", err);
	if (is_value)
		buf_printf(&template->source, ";__value(%zu,", add_piece(template, slice_trim(code)));
	else
		buf_append_char(&template->source, ' ');
	add_code(template, code);
	buf_append_char(&template->source, is_value ? ')' : ' ');
	if (swallow && slice_starts(*text, SLICE("\r\n")))
		*text = (struct slice){ text->data + 1, text->size - 1 };
	if (swallow && slice_starts(*text, SLICE("\n"))) {
		*text = (struct slice){ text->data + 1, text->size - 1 };
		template->line++;
	}
	return 0;
}

static int compile(struct template *template, struct slice text, struct error *err)
{
	const char *tag;

	while (text.size && (tag = memmem(text.data, text.size, "<%", 2))) {
		struct slice before = { text.data, (size_t)(tag - text.data) };
		int rc;

		text = (struct slice){ tag + 2, text.size - before.size - 2 };
		if (slice_starts(text, SLICE("%"))) {
			before.size += 2;
			text = (struct slice){ text.data + 1, text.size - 1 };
			add_text(template, before);
			continue;
		}
		add_text(template, before);
		rc = add_tag(template, &text, err);
		if (rc < 0)
			return rc;
	}
	add_text(template, text);
	catch_up(template); /* for what is missing at the end */
	if (template->source.failed)
		return error_set(err, ERROR_NO_MEMORY, "%s: no memory to render it", template->name);
	return 0;
}

/* ---- what the chunk calls ---------------------------------------------------------------------------------------- */

static struct template *template_of(lua_State *lua)
{
	return lua_touserdata(lua, lua_upvalueindex(1));
}

/* Said at once: a loop that only puts text would go on until its instructions are spent. */
static int put(lua_State *lua, struct template *template, struct slice text)
{
	buf_append_slice(template->out, text);
	if (!template->out->failed)
		return 0;
	if (!template->out->cap)
		return luaL_error(lua, "no memory for what it renders to");
	return luaL_error(lua, "it renders to more than %d bytes, the limit; does a loop go on for ever?",
			  (int)template->out->cap);
}

static int put_text(lua_State *lua)
{
	struct template *template = template_of(lua);
	size_t n = (size_t)luaL_checkinteger(lua, 1);

	luaL_argcheck(lua, n < template->piece_count, 1, "no such piece");
	return put(lua, template, template->pieces[n]);
}

static int put_value(lua_State *lua)
{
	struct template *template = template_of(lua);
	size_t n = (size_t)luaL_checkinteger(lua, 1);
	struct slice text;

	luaL_argcheck(lua, n < template->piece_count, 1, "no such piece");
	text = template->pieces[n];
	switch (lua_type(lua, 2)) {
	case LUA_TSTRING:
	case LUA_TNUMBER:
	case LUA_TBOOLEAN:
		break;
	default:
		if (luaL_getmetafield(lua, 2, "__tostring") != LUA_TNIL)
			break;
		lua_pushlstring(lua, text.data, text.size < 100 ? text.size : 100);
		return luaL_error(lua, "'%s' is %s%s", lua_tostring(lua, -1), lua_isnoneornil(lua, 2) ? "" : "a ",
				  luaL_typename(lua, 2));
	}
	text.data = luaL_tolstring(lua, 2, &text.size);
	return put(lua, template, text);
}

static const char *suggest_assign(const struct template *template, const char *name)
{
	SCOPE_FREE const char **names = NULL;
	size_t count = template->assigns ? template->assigns->map.count : 0;

	names = calloc(count + 1, sizeof(*names));
	if (!names)
		return NULL;
	for (size_t i = 0; i < count; i++)
		names[i] = template->assigns->map.members[i].key.data;
	return term_suggest(name, names, count);
}

/* A global that the template did not set and that is no assign: one of Lua's library, or a mistake. */
static int find_global(lua_State *lua)
{
	const char *name = lua_tostring(lua, 2), *suggestion;

	lua_pushglobaltable(lua);
	lua_pushvalue(lua, 2);
	if (lua_rawget(lua, -2) != LUA_TNIL || !name)
		return 1;
	suggestion = suggest_assign(template_of(lua), name);
	if (suggestion)
		return luaL_error(lua, "unknown name '%s' (did you mean '%s'?)", name, suggestion);
	return luaL_error(lua, "unknown name '%s'", name);
}

static void set_closure(lua_State *lua, struct template *template, lua_CFunction function, const char *name)
{
	lua_pushlightuserdata(lua, template);
	lua_pushcclosure(lua, function, 1);
	lua_setfield(lua, -2, name);
}

/* Gives the chunk its own globals: the assigns, with Lua's library behind them. */
static void set_environment(lua_State *lua, void *context)
{
	struct template *template = context;

	if (template->assigns)
		script_push_value(lua, template->assigns);
	else
		lua_newtable(lua);
	set_closure(lua, template, put_text, "__text");
	set_closure(lua, template, put_value, "__value");
	lua_newtable(lua);
	set_closure(lua, template, find_global, "__index");
	lua_setmetatable(lua, -2);
	lua_setupvalue(lua, -2, 1);
}

static int render(struct template *template, struct error *err)
{
	struct script_options options = { .memory_limit_bytes = MEMORY_LIMIT_BYTES,
					  .instruction_limit_millions = INSTRUCTIONS_MOST_MILLIONS };
	struct script_chunk chunk = { .text = buf_slice(&template->source),
				      .name = template->name,
				      .prepare = set_environment,
				      .context = template };
	struct script *script = script_new(&options, err);
	int results, rc;

	if (!script)
		return error_wrap(err, "%s", template->name);
	rc = script_run_chunk(script, &chunk, &results, err);
	script_free(script);
	if (rc < 0 && err && err->code == ERROR_FAILED) {
		err->code = ERROR_INVALID;
		/* Lua gives no position where its own stack ends */
		if (strncmp(err->message, template->name, strlen(template->name)) != 0)
			error_wrap(err, "%s", template->name);
	}
	if (rc == 0 && template->out->failed)
		return error_set(err, ERROR_NO_MEMORY, "%s: no memory for what it renders to", template->name);
	return rc == -(int)ERROR_FAILED ? -(int)ERROR_INVALID : rc;
}

int template_render(struct slice text, const char *name, const struct value *assigns, struct buf *out,
		    struct error *err)
{
	SCOPE(template_done)
	struct template template = { .name = name, .assigns = assigns, .line = 1, .source_line = 1, .out = out };
	size_t before = out->size;
	int rc = compile(&template, text, err);

	if (rc == 0)
		rc = render(&template, err);
	if (rc < 0 && !out->failed)
		out->size = before;
	return rc;
}
