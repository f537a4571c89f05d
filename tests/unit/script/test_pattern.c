/* SPDX-License-Identifier: MIT */
/* The pattern functions, held against Lua's own: results and messages. */
#include "script/script.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct script *ours;
static lua_State *theirs;

/* Calls a function of string with texts; everything that it returns, or its message, as one text. */
static const char describe[] =
	"local name, s, p, x, y = ...\n"
	"local out = {}\n"
	"local function put(...) for i = 1, select('#', ...) do out[#out + 1] = tostring((select(i, ...))) end end\n"
	"if name == 'gmatch' then\n"
	"  local ok, e = pcall(function() for a, b, c in string.gmatch(s, p) do put(a, b, c) if #out > 300 then break "
	"end end end)\n"
	"  if not ok then put((e:gsub('^.-:%d+: ', ''))) end\n"
	"else\n"
	"  put(select(2, pcall(string[name], s, p, x, y)))\n"
	"end\n"
	"return table.concat(out, '\\1')\n";

static void begin(void)
{
	struct error err;

	ours = script_new(&(struct script_options){ .memory_limit_bytes = 64 << 20 }, &err);
	theirs = luaL_newstate();
	cr_assert(ours && theirs);
	luaL_openlibs(theirs);
}

static void end(void)
{
	script_free(ours);
	lua_close(theirs);
}

TestSuite(pattern, .init = begin, .fini = end, .timeout = 60);

static const char *call(lua_State *lua, const char *name, struct slice s, struct slice p, const char *x)
{
	lua_settop(lua, 0);
	cr_assert_eq(luaL_loadstring(lua, describe), LUA_OK);
	lua_pushstring(lua, name);
	lua_pushlstring(lua, s.data, s.size);
	lua_pushlstring(lua, p.data, p.size);
	if (x)
		lua_pushstring(lua, x);
	else
		lua_pushinteger(lua, 1);
	cr_assert_eq(lua_pcall(lua, 4, 1, 0), LUA_OK, "%s", lua_tostring(lua, -1));
	return lua_tostring(lua, -1);
}

static void compare(const char *name, struct slice s, struct slice p, const char *x)
{
	const char *wanted = call(theirs, name, s, p, x), *came = call(script_lua(ours), name, s, p, x);

	cr_assert_str_eq(came, wanted, "%s('%.*s', '%.*s')", name, SLICE_FMT(s), SLICE_FMT(p));
}

static void compare_all(struct slice s, struct slice p)
{
	compare("find", s, p, NULL);
	compare("match", s, p, NULL);
	compare("gmatch", s, p, NULL);
	compare("gsub", s, p, "<%0%1>");
}

Test(pattern, are_what_lua_s_own_are)
{
	static const char *const patterns[] = {
		"",
		"a",
		"^a",
		"a$",
		"^$",
		"%a+",
		"(%w+) (%w+)",
		"()",
		"(a)(b)%2",
		"%bxy",
		"%f[%w]%w+",
		"[^a-c]*",
		"[]]",
		"[^]]",
		"[a-]",
		"[%a_-]",
		"[",
		"[a",
		"[%",
		"%",
		"(",
		")",
		"(()",
		"%1",
		"%b",
		"%bx",
		"%f",
		"%fa",
		"a-b",
		"a*a?b+",
		".-$",
		"[%d%s]+",
		"\303\244+",
		"(a*(.)%w(%s*))",
		"^^",
		"$a",
		"a$b",
		"%%",
		"%.",
		"%z",
		"%g+",
		"%P",
		"(.)%1",
		"[[:alpha:]]",
		"[a-%%]",
		"[%w-z]",
		"x*",
		"x-",
	};
	static const char *const subjects[] = { "",
						"a",
						"abc abc  x1",
						"x(a(b)c)y",
						"THE (quick) fox",
						"aab--]]^$%",
						"\303\244\303\244b",
						"xxyxyy",
						"key = value" };

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		for (size_t j = 0; j < ARRAY_LEN(subjects); j++)
			compare_all(slice_of(subjects[j]), slice_of(patterns[i]));
}

Test(pattern, are_what_lua_s_own_are_whatever_is_thrown_together)
{
	static const char *const pieces[] = { "a",  "b", ".", "%a", "%d", "[ab]", "[^a]",  "(",  ")",
					      "()", "*", "+", "-",  "?",  "%b()", "%f[a]", "%1", "^",
					      "$",  "%", "[", "]",  "x",  "%%",   "" };
	unsigned seed = 7;

	for (int round = 0; round < 20000; round++) {
		char pattern[64] = "", subject[32];
		size_t size = (size_t)(rand_r(&seed) % 20);

		for (int i = rand_r(&seed) % 7; i >= 0; i--)
			strcat(pattern, pieces[(size_t)rand_r(&seed) % ARRAY_LEN(pieces)]);
		for (size_t i = 0; i < size; i++)
			subject[i] = "aabbx1()\0 "[rand_r(&seed) % 10];
		compare_all((struct slice){ subject, size }, slice_of(pattern));
	}
}

Test(pattern, replacements_are_what_lua_s_own_are)
{
	static const char *const replacements[] = { "%", "%1%2", "%9", "%x", "%%", "", "[%0]" };

	for (size_t i = 0; i < ARRAY_LEN(replacements); i++) {
		compare("gsub", SLICE("hello world"), SLICE("(o)( ?)"), replacements[i]);
		compare("gsub", SLICE("hello world"), SLICE("()l"), replacements[i]);
		compare("gsub", SLICE("hello world"), SLICE("^h"), replacements[i]);
	}
}

static const char *run(const char *text)
{
	static char out[2048];
	struct error err;
	SCOPE(buf_done) struct buf shown = { 0 };
	int results = 0;

	if (script_run(ours, slice_of(text), "test", &results, NULL, &err) < 0) {
		snprintf(out, sizeof(out), "%s", err.message);
		return out;
	}
	for (int i = results; i > 0; i--) {
		script_show(ours, -i, &shown);
		buf_append_string(&shown, i > 1 ? " " : "");
	}
	lua_settop(script_lua(ours), 0);
	snprintf(out, sizeof(out), "%s", buf_string(&shown));
	return out;
}

Test(pattern, tables_and_functions_replace)
{
	cr_assert_str_eq(run("('a b c'):gsub('%w', {a = 1, b = false})"), "1 b c 3");
	cr_assert_str_eq(run("('a b c'):gsub('(%w) (%w)', function(x, y) return y .. x end)"), "ba c 1");
	cr_assert_str_eq(run("('abc'):gsub('.', {a = true})"), "test:1: invalid replacement value (a boolean)");
	cr_assert_str_eq(run("('abc'):gsub('.', true)"),
			 "test:1: bad argument #2 to 'gsub' (string/function/table expected, got boolean)");
	cr_assert_str_eq(run("('abcabc'):find('b', 3), ('a.b'):find('.', 1, true), ('abc'):find('c', -1)"), "5 2 3 3");
	cr_assert_str_eq(run("('abc'):find('', 4), ('abc'):find('', 5)"), "4 nil");
	cr_assert_str_eq(run("('abc'):gsub('', '-')"), "-a-b-c- 4");
	cr_assert_str_eq(run("('abc'):gsub('%w', '%0%0', 2)"), "aabbc 2");
}

static void *interrupt_soon(void *unused)
{
	(void)unused;
	usleep(50000);
	script_interrupt(ours);
	return NULL;
}

static void check_interruptible(const char *text)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
	cr_assert_str_eq(run(text), "interrupted", "%s", text);
	pthread_join(thread, NULL);
}

Test(pattern, what_would_never_end_can_be_interrupted)
{
	check_interruptible("(('a'):rep(40)):find(('a-'):rep(40) .. 'b')");
	check_interruptible("(('a'):rep(1 << 20)):find('.-.-.-.-b')");
	check_interruptible("(('a'):rep(1 << 20)):gsub('a*a*a*b', '')");
	check_interruptible("for x in (('a'):rep(1 << 20)):gmatch('a*a*a*b') do end");
	check_interruptible("(('a'):rep(1 << 23)):find(('a'):rep(1 << 22) .. 'b' .. ('a'):rep(1 << 10), 1, true)");
	check_interruptible("pcall(string.find, ('a'):rep(40), ('a-'):rep(40) .. 'b') while true do end");
	check_interruptible("table.move({}, 1, 1 << 60, 2)");
	check_interruptible("table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)");
	check_interruptible("table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)");
	check_interruptible(
		"local t = {} for i = 1, 1000000 do t[i] = -i % 9999991 end while true do table.sort(t) end");
}

Test(pattern, long_tables_are_moved_as_lua_does)
{
	cr_assert_str_eq(run("string.rep('', 1 << 60)"), "");
	cr_assert_str_eq(run("local t = {} for i = 1, 100000 do t[i] = i end table.move(t, 1, 100000, 2) "
			     "return t[1], t[2], t[50000], t[100001]"),
			 "1 1 49999 100000");
	cr_assert_str_eq(run("local t = {} for i = 1, 100000 do t[i] = i end table.insert(t, 2, 'x') "
			     "return #t, t[1], t[2], t[3], t[100001], table.remove(t, 1), #t, t[1], t[2], t[100000]"),
			 "100001 1 x 2 100000 1 100000 x 2 100000");
	cr_assert_str_eq(run("local t = {} for i = 1, 100000 do t[i] = i * 7919 % 100003 end table.sort(t) "
			     "for i = 2, #t do if t[i] < t[i - 1] then return false end end return true"),
			 "true");
	cr_assert_str_eq(run("table.move({1, 2, 3}, 2, 3, 1)[2]"), "3");
	cr_assert_str_eq(run("table.concat(table.move({1, 2, 3}, 1, 3, 2), ' ')"), "1 1 2 3");
	cr_assert_str_eq(run("local t = {} return table.remove(t), #t, table.remove({7}), table.remove({1, 2}, 3)"),
			 "nil 0 7 nil");
	cr_assert_str_eq(run("local t = {[0] = 5} return table.remove(t, #t), t[0], table.remove({}, nil)"),
			 "5 nil nil");
	cr_assert_str_eq(run("local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t"),
			 "{3, 2, 1}");
}

Test(pattern, texts_are_repeated_as_lua_does)
{
	cr_assert_str_eq(
		run("('ab'):rep(3), ('ab'):rep(3, ', '), ('ab'):rep(1, ','), ('ab'):rep(0) .. ('ab'):rep(-1, ','), "
		    "(''):rep(3, '-'), ('a\\0b'):rep(2) == 'a\\0ba\\0b', #('x'):rep(100000, 'yz')"),
		"ababab ab, ab, ab ab  -- true 299998");
	cr_assert_str_eq(run("('x'):rep(1 << 32)"), "test:1: resulting string too large");
	cr_assert_str_eq(run("('x'):rep(math.maxinteger, 'y')"), "test:1: resulting string too large");
	check_interruptible("while true do ('x'):rep(1 << 20, '') end");
}

Test(pattern, mistakes_name_the_function)
{
	cr_assert_str_eq(run("table.insert(nil, 1)"), "test:1: bad argument #1 to 'insert' (table expected, got nil)");
	cr_assert_str_eq(run("table.insert({}, 5, 1)"), "test:1: bad argument #2 to 'insert' (position out of bounds)");
	cr_assert_str_eq(run("table.insert({}, 1, 2, 3)"), "test:1: wrong number of arguments to 'insert'");
	cr_assert_str_eq(run("table.remove({1}, 7)"), "test:1: bad argument #2 to 'remove' (position out of bounds)");
	cr_assert_str_eq(run("table.sort({2, 1}, 1)"),
			 "test:1: bad argument #2 to 'sort' (function expected, got number)");
	cr_assert_str_eq(run("table.sort({2, 'x'})"), "attempt to compare string with number");
	cr_assert_str_eq(run("('x'):rep({})"), "test:1: bad argument #1 to 'rep' (number expected, got table)");
	cr_assert_str_eq(run("table.move({}, 1, 1 << 62, (1 << 62) + 2)"),
			 "test:1: bad argument #4 to 'move' (destination wrap around)");
}
