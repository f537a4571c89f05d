/* SPDX-License-Identifier: MIT */
/*
 * string.find, match, gmatch and gsub as Lua's manual describes them, for one reason: Lua's own run to their end, and
 * ("a-"):rep(30) .. "b" against ("a"):rep(30) has none that anybody would see. Here steps are counted, and every few
 * thousand an interrupt is looked for. Tests hold results and messages against Lua's own.
 */
#include "script/pattern.h"

#include "script/internal.h"

#include <ctype.h>
#include <lauxlib.h>

/* ---- what a match gives ---- */

static void push_capture(const struct matcher *m, int which, const char *s, const char *end)
{
	if (which >= m->level && which > 0)
		luaL_error(m->lua, "invalid capture index %%%d", which + 1);
	if (which >= m->level)
		lua_pushlstring(m->lua, s, (size_t)(end - s));
	else if (m->captures[which].size == SIZE_OPEN)
		luaL_error(m->lua, "unfinished capture");
	else if (m->captures[which].size == SIZE_POSITION)
		lua_pushinteger(m->lua, m->captures[which].start - m->subject.data + 1);
	else
		lua_pushlstring(m->lua, m->captures[which].start, (size_t)m->captures[which].size);
}

/* Without any, the whole match when there is one to be given. */
static int push_captures(const struct matcher *m, const char *s, const char *end)
{
	int count = m->level == 0 && s ? 1 : m->level;

	luaL_checkstack(m->lua, count, "too many captures");
	for (int i = 0; i < count; i++)
		push_capture(m, i, s, end);
	return count;
}

static struct slice check_text(lua_State *lua, int index)
{
	struct slice text;

	text.data = luaL_checklstring(lua, index, &text.size);
	return text;
}

/* From 0; behind the end when it is. */
static size_t start_of(lua_State *lua, int index, size_t size)
{
	lua_Integer init = luaL_optinteger(lua, index, 1);

	if (init > 0)
		return (lua_Unsigned)init - 1 > size ? size + 1 : (size_t)init - 1;
	return init == 0 || init < -(lua_Integer)size ? 0 : size - (size_t)-init;
}

/* ---- find and match ---- */

static bool is_plain(struct slice pattern)
{
	for (size_t i = 0; i < pattern.size; i++) {
		if (pattern.data[i] && strchr("^$*+?.([%-", pattern.data[i]))
			return false;
	}
	return true;
}

static const char *find_plain(struct matcher *m, const char *s, struct slice wanted)
{
	if (wanted.size == 0)
		return s;
	for (; (size_t)(m->end - s) >= wanted.size; s++) {
		s = memchr(s, wanted.data[0], (size_t)(m->end - s) - wanted.size + 1);
		if (!s || memcmp(s, wanted.data, wanted.size) == 0)
			return s;
		matcher_step(m, 1 + wanted.size / 64);
	}
	return NULL;
}

static int push_range(lua_State *lua, const struct matcher *m, const char *s, const char *end)
{
	lua_pushinteger(lua, s - m->subject.data + 1);
	lua_pushinteger(lua, end - m->subject.data);
	return 2;
}

static int search(lua_State *lua, bool find)
{
	struct slice subject = check_text(lua, 1), pattern = check_text(lua, 2);
	size_t start = start_of(lua, 3, subject.size);
	struct matcher m;
	const char *s = subject.data + start;

	matcher_begin(&m, lua, subject, pattern);
	lua_settop(lua, find ? 4 : 3);
	if (start > subject.size) {
		lua_pushnil(lua);
		return 1;
	}
	if (find && (lua_toboolean(lua, 4) || is_plain(pattern))) {
		s = find_plain(&m, s, pattern);
		if (s)
			return push_range(lua, &m, s, s + pattern.size);
		lua_pushnil(lua);
		return 1;
	}
	bool anchored = pattern.size > 0 && pattern.data[0] == '^';

	do {
		const char *end = matcher_match(&m, s, pattern.data + anchored);

		if (end)
			return find ? push_range(lua, &m, s, end) + push_captures(&m, NULL, NULL)
				    : push_captures(&m, s, end);
	} while (s++ < m.end && !anchored);
	lua_pushnil(lua);
	return 1;
}

static int string_find(lua_State *lua)
{
	return search(lua, true);
}

static int string_match(lua_State *lua)
{
	return search(lua, false);
}

/* ---- gmatch ---- */

/* Upvalues: text, pattern, where to go on, where the last match ended (-1: nowhere). */
static int next_match(lua_State *lua)
{
	struct slice subject = check_text(lua, lua_upvalueindex(1)), pattern = check_text(lua, lua_upvalueindex(2));
	lua_Integer last = lua_tointeger(lua, lua_upvalueindex(4));
	struct matcher m;

	matcher_begin(&m, lua, subject, pattern);
	for (size_t at = (size_t)lua_tointeger(lua, lua_upvalueindex(3)); at <= subject.size; at++) {
		const char *end = matcher_match(&m, subject.data + at, pattern.data);

		if (!end || end - subject.data == last)
			continue;
		lua_pushinteger(lua, end - subject.data);
		lua_pushvalue(lua, -1);
		lua_replace(lua, lua_upvalueindex(3));
		lua_replace(lua, lua_upvalueindex(4));
		return push_captures(&m, subject.data + at, end);
	}
	return 0;
}

static int string_gmatch(lua_State *lua)
{
	struct slice subject = check_text(lua, 1);

	check_text(lua, 2);
	size_t start = start_of(lua, 3, subject.size);

	lua_settop(lua, 2);
	lua_pushinteger(lua, (lua_Integer)start);
	lua_pushinteger(lua, -1);
	lua_pushcclosure(lua, next_match, 4);
	return 1;
}

/* ---- gsub ---- */

static void add_text(const struct matcher *m, luaL_Buffer *out, const char *s, const char *end)
{
	struct slice text;

	text.data = lua_tolstring(m->lua, 3, &text.size);
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (c != '%') {
			luaL_addchar(out, c);
			continue;
		}
		c = ++i < text.size ? text.data[i] : '\0';
		if (c == '%') {
			luaL_addchar(out, c);
		} else if (c == '0') {
			luaL_addlstring(out, s, (size_t)(end - s));
		} else if (isdigit((unsigned char)c)) {
			push_capture(m, c - '1', s, end);
			luaL_tolstring(m->lua, -1, NULL);
			lua_remove(m->lua, -2);
			luaL_addvalue(out);
		} else {
			luaL_error(m->lua, "invalid use of '%%' in replacement string");
		}
	}
}

static void add_replacement(const struct matcher *m, luaL_Buffer *out, const char *s, const char *end)
{
	lua_State *lua = m->lua;
	int type = lua_type(lua, 3);

	if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		add_text(m, out, s, end);
		return;
	}
	if (type == LUA_TTABLE) {
		push_capture(m, 0, s, end);
		lua_gettable(lua, 3);
	} else {
		lua_pushvalue(lua, 3);
		lua_call(lua, push_captures(m, s, end), 1);
	}
	if (!lua_toboolean(lua, -1)) {
		lua_pop(lua, 1);
		luaL_addlstring(out, s, (size_t)(end - s));
	} else if (!lua_isstring(lua, -1)) {
		luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
	} else {
		luaL_addvalue(out);
	}
}

static int string_gsub(lua_State *lua)
{
	struct slice subject = check_text(lua, 1), pattern = check_text(lua, 2);
	int type = lua_type(lua, 3);
	lua_Integer most = luaL_optinteger(lua, 4, (lua_Integer)subject.size + 1), count = 0;
	const char *s = subject.data, *last = NULL;
	bool anchored = pattern.size > 0 && pattern.data[0] == '^';
	struct matcher m;
	luaL_Buffer out;

	luaL_argexpected(lua, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE,
			 3, "string/function/table");
	matcher_begin(&m, lua, subject, pattern);
	luaL_buffinit(lua, &out);
	while (count < most) {
		const char *end = matcher_match(&m, s, pattern.data + anchored);

		if (end && end != last) {
			count++;
			add_replacement(&m, &out, s, end);
			s = last = end;
		} else if (s < m.end) {
			luaL_addchar(&out, *s++);
		} else {
			break;
		}
		if (anchored)
			break;
	}
	luaL_addlstring(&out, s, (size_t)(m.end - s));
	luaL_pushresult(&out);
	lua_pushinteger(lua, count);
	return 2;
}

void script_open_patterns(lua_State *lua)
{
	static const luaL_Reg functions[] = {
		{ "find", string_find },
		{ "match", string_match },
		{ "gmatch", string_gmatch },
		{ "gsub", string_gsub },
		{ NULL, NULL },
	};

	lua_getglobal(lua, "string");
	luaL_setfuncs(lua, functions, 0);
	lua_pop(lua, 1);
}
