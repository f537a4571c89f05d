/* SPDX-License-Identifier: MIT */
/*
 * Values for people. A table is tried on one line first, in a buffer that refuses more than a line's width; only what
 * does not fit is spread over lines, so the work stays within the size of what is shown.
 *
 * Reading tables raw keeps metamethods out, except __tostring, which is there to be shown. All of it runs protected.
 */
#include "script/internal.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { DEPTH = 6, TABLE_ITEMS = 200, ALL_ITEMS = 5000, LINE_BYTES = 72, INDENT = 2, STRING_BYTES = 4096 };

struct shower {
	lua_State *lua;
	const void *path[DEPTH + 1]; /* the tables we are in */
	int depth;
	int items; /* shown so far */
};

struct key {
	enum { KEY_NUMBER, KEY_STRING, KEY_OTHER } kind;
	lua_Number number;
	lua_Integer integer;
	bool is_integer;
	struct slice string;
	int position; /* of KEY_OTHER, in the order met */
};

static void show_value(struct shower *shower, int index, struct buf *out, bool flat);

/* CSI and its like in UTF-8: terminals obey them, too. */
static bool is_control(struct slice text, size_t at)
{
	unsigned char c = (unsigned char)text.data[at], before = at > 0 ? (unsigned char)text.data[at - 1] : 0;
	unsigned char after = at + 1 < text.size ? (unsigned char)text.data[at + 1] : 0;

	return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c == 0xc2 && after >= 0x80 && after < 0xa0) ||
	       (before == 0xc2 && c >= 0x80 && c < 0xa0);
}

static void show_string(struct slice string, struct buf *out)
{
	size_t all = string.size, valid;

	if (string.size > STRING_BYTES) {
		string.size = STRING_BYTES;
		/* not in the middle of a character */
		while (string.size > STRING_BYTES - 3 && ((unsigned char)string.data[string.size] & 0xc0) == 0x80)
			string.size--;
	}
	valid = slice_utf8_prefix(string);
	buf_append_char(out, '"');
	for (size_t at = 0; at < string.size; at++) {
		unsigned char c = (unsigned char)string.data[at];

		if (at > valid)
			valid = at + slice_utf8_prefix((struct slice){ string.data + at, string.size - at });
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_append_string(out, "\\n");
		else if (c == '\t')
			buf_append_string(out, "\\t");
		else if (at >= valid || is_control(string, at))
			buf_printf(out, "\\x%02x", c);
		else
			buf_append_char(out, (char)c);
	}
	buf_append_char(out, '"');
	if (all > string.size)
		buf_printf(out, "… %zu bytes more", all - string.size);
}

void script_show_text(struct slice text, struct buf *out)
{
	size_t valid = slice_utf8_prefix(text);

	for (size_t at = 0; at < text.size; at++) {
		if (at > valid)
			valid = at + slice_utf8_prefix((struct slice){ text.data + at, text.size - at });
		if (at >= valid || is_control(text, at))
			buf_printf(out, "\\x%02x", (unsigned char)text.data[at]);
		else
			buf_append_char(out, text.data[at]);
	}
}

static bool is_identifier(struct slice s)
{
	static const char *const words[] = { "and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
					     "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
					     "repeat",   "return", "then", "true", "until",  "while" };

	for (size_t i = 0; i < s.size; i++) {
		char c = s.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (slice_is(s, words[i]))
			return false;
	}
	return s.size > 0;
}

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	if (x->kind == KEY_STRING)
		return slice_compare(x->string, y->string);
	if (x->kind == KEY_OTHER)
		return x->position - y->position;
	return (x->number > y->number) - (x->number < y->number);
}

static struct key key_at(lua_State *lua, int index, int position)
{
	struct key key = { .kind = KEY_OTHER, .position = position };

	if (lua_type(lua, index) == LUA_TSTRING) {
		key.kind = KEY_STRING;
		key.string.data = lua_tolstring(lua, index, &key.string.size);
	} else if (lua_type(lua, index) == LUA_TNUMBER) {
		key.kind = KEY_NUMBER;
		key.number = lua_tonumber(lua, index);
		key.is_integer = lua_isinteger(lua, index);
		key.integer = lua_tointeger(lua, index);
	}
	return key;
}

static bool is_item(const struct key *key, lua_Integer length)
{
	return key->is_integer && key->integer >= 1 && key->integer <= length;
}

/* The keys beside 1 … length, sorted; pushes the userdata that holds them. */
static struct key *collect_keys(lua_State *lua, int index, lua_Integer length, int *count)
{
	struct key *keys;
	int all = 0, used = 0, position = 0;

	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
		struct key key = key_at(lua, -2, 0);

		all += !is_item(&key, length);
	}
	keys = lua_newuserdatauv(lua, (size_t)all * sizeof(*keys) + 1, 0);
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
		struct key key = key_at(lua, -2, position++);

		if (used < all && !is_item(&key, length))
			keys[used++] = key;
	}
	if (used)
		qsort(keys, (size_t)used, sizeof(*keys), by_key);
	*count = used;
	return keys;
}

/* Pushes a key that is neither text nor a number: the one met as number `position`. */
static void push_other_key(lua_State *lua, int index, int position)
{
	for (lua_pushnil(lua); lua_next(lua, index) && position-- > 0; lua_pop(lua, 1))
		;
	lua_pop(lua, 1);
}

static void push_key(lua_State *lua, int index, const struct key *key)
{
	if (key->kind == KEY_STRING)
		lua_pushlstring(lua, key->string.data, key->string.size);
	else if (key->kind == KEY_OTHER)
		push_other_key(lua, index, key->position);
	else if (key->is_integer)
		lua_pushinteger(lua, key->integer);
	else
		lua_pushnumber(lua, key->number);
}

static void separate(struct shower *shower, struct buf *out, bool flat, int nth)
{
	if (flat) {
		buf_append_string(out, nth ? ", " : "");
		return;
	}
	buf_append_string(out, nth ? ",\n" : "\n");
	for (int i = 0; i < INDENT * shower->depth; i++)
		buf_append_char(out, ' ');
}

/* Whether one more item is shown; if not, says how many of this kind are left. */
static bool take_item(struct shower *shower, struct buf *out, bool flat, int nth, lua_Integer left)
{
	separate(shower, out, flat, nth);
	if (nth < TABLE_ITEMS && shower->items++ < ALL_ITEMS)
		return true;
	buf_printf(out, "… %lld more", (long long)left);
	return false;
}

static size_t line_size(const struct buf *out)
{
	const char *end = out->size ? memrchr(out->data, '\n', out->size) : NULL;

	return end ? out->size - (size_t)(end + 1 - out->data) : out->size;
}

/* A list of small things fills its lines instead of taking one for each: joins the item written from `start` to the
 * line before it. */
static void fill_line(struct buf *out, size_t start, size_t line_before, size_t indent)
{
	size_t break_size = 1 + indent; /* the newline and the indentation in front of the item */
	size_t item = out->size - start;

	if (out->failed || line_before + 1 + item > LINE_BYTES)
		return;
	memmove(out->data + start - break_size + 1, out->data + start, item);
	out->data[start - break_size] = ' ';
	out->size = start - break_size + 1 + item;
}

static void show_item(struct shower *shower, int index, struct buf *out, bool flat, int nth)
{
	int type = lua_type(shower->lua, index);
	size_t start = out->size, indent = (size_t)(INDENT * shower->depth), line_before = 0;

	show_value(shower, index, out, flat);
	if (flat || nth == 0 || out->failed || type == LUA_TTABLE)
		return;
	/* the line that ends with the comma, right before the line break of this item */
	line_before = line_size(&(struct buf){ .data = out->data, .size = start - 1 - indent });
	fill_line(out, start, line_before, indent);
}

/* The items 1 … length; their number, or -1 when the limit was reached. */
static int show_items(struct shower *shower, int index, lua_Integer length, struct buf *out, bool flat)
{
	lua_State *lua = shower->lua;
	int nth = 0;

	for (lua_Integer i = 1; i <= length && !out->failed; i++, nth++) {
		if (!take_item(shower, out, flat, nth, length - i + 1))
			return -1;
		lua_rawgeti(lua, index, i);
		show_item(shower, lua_gettop(lua), out, flat, nth);
		lua_pop(lua, 1);
	}
	return nth;
}

static void show_entries(struct shower *shower, int index, struct buf *out, bool flat)
{
	lua_State *lua = shower->lua;
	lua_Integer length = (lua_Integer)lua_rawlen(lua, index);
	int count, nth = show_items(shower, index, length, out, flat);
	const struct key *keys;

	if (nth < 0)
		return;
	keys = collect_keys(lua, index, length, &count);
	for (int i = 0; i < count && !out->failed; i++, nth++) {
		if (!take_item(shower, out, flat, nth, count - i))
			break;
		push_key(lua, index, &keys[i]);
		if (keys[i].kind == KEY_STRING && is_identifier(keys[i].string)) {
			buf_append_slice(out, keys[i].string);
		} else {
			buf_append_char(out, '[');
			show_value(shower, lua_gettop(lua), out, true);
			buf_append_char(out, ']');
		}
		buf_append_string(out, " = ");
		lua_rawget(lua, index);
		show_value(shower, lua_gettop(lua), out, flat);
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
}

/* True when it fits on one line. */
static bool show_flat(struct shower *shower, int index, struct buf *out)
{
	char room[LINE_BYTES + 1];
	struct buf line = { .data = room, .capacity = sizeof(room), .cap = LINE_BYTES };
	int items = shower->items, top = lua_gettop(shower->lua);

	/* the cap equals the room, so that this buffer never asks for memory and has nothing to free */
	buf_append_char(&line, '{');
	show_entries(shower, index, &line, true);
	buf_append_char(&line, '}');
	lua_settop(shower->lua, top);
	if (line.failed) {
		shower->items = items;
		return false;
	}
	buf_append_slice(out, buf_slice(&line));
	return true;
}

static void show_table(struct shower *shower, int index, struct buf *out, bool flat)
{
	const void *self = lua_topointer(shower->lua, index);

	for (int i = 0; i < shower->depth; i++) {
		if (shower->path[i] == self) {
			buf_append_string(out, "<cycle>");
			return;
		}
	}
	if (shower->depth == DEPTH) {
		buf_append_string(out, "{…}");
		return;
	}
	shower->path[shower->depth++] = self;
	if (flat) {
		buf_append_char(out, '{');
		show_entries(shower, index, out, true);
		buf_append_char(out, '}');
	} else if (!show_flat(shower, index, out)) {
		buf_append_char(out, '{');
		show_entries(shower, index, out, false);
		shower->depth--;
		separate(shower, out, false, 0);
		shower->depth++;
		buf_append_char(out, '}');
	}
	shower->depth--;
}

static void show_value(struct shower *shower, int index, struct buf *out, bool flat)
{
	lua_State *lua = shower->lua;
	struct slice text;

	luaL_checkstack(lua, 8, "a value is nested too deeply");
	if (lua_type(lua, index) == LUA_TTABLE && luaL_getmetafield(lua, index, "__tostring") == LUA_TNIL) {
		show_table(shower, index, out, flat);
		return;
	}
	if (lua_type(lua, index) == LUA_TTABLE)
		lua_pop(lua, 1);
	if (lua_type(lua, index) == LUA_TSTRING) {
		text.data = lua_tolstring(lua, index, &text.size);
		show_string(text, out);
		return;
	}
	text.data = luaL_tolstring(lua, index, &text.size);
	buf_append_slice(out, text);
	lua_pop(lua, 1);
}

struct job {
	struct buf *out;
};

static int show_protected(lua_State *lua)
{
	struct shower shower = { .lua = lua };
	struct job *job = lua_touserdata(lua, 1);
	struct slice text;

	if (lua_type(lua, 2) == LUA_TSTRING) {
		text.data = lua_tolstring(lua, 2, &text.size);
		buf_append_slice(job->out, text);
		return 0;
	}
	show_value(&shower, 2, job->out, false);
	return 0;
}

void script_show(struct script *script, int index, struct buf *out)
{
	lua_State *lua = script->lua;
	struct job job = { out };
	size_t before = out->size;
	int top = lua_gettop(lua);

	index = lua_absindex(lua, index);
	if (!lua_checkstack(lua, LUA_MINSTACK))
		return;
	lua_pushcfunction(lua, show_protected);
	lua_pushlightuserdata(lua, &job);
	lua_pushvalue(lua, index);
	if (lua_pcall(lua, 2, 0, 0) != LUA_OK) {
		const char *message = lua_tostring(lua, -1);

		if (!out->failed)
			out->size = before;
		buf_printf(out, "(cannot be shown: %s)", message ? message : "no reason given");
	}
	lua_settop(lua, top);
}
