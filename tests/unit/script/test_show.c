/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "script/script.h"

#include <criterion/criterion.h>

static struct script *script;
static struct error err;

static void begin(void)
{
	script = script_new(&(struct script_options){ 0 }, &err);
}

static void end(void)
{
	script_free(script);
}

TestSuite(show, .init = begin, .fini = end, .timeout = 60);

static const char *show(const char *text)
{
	static struct buf out;
	int results;

	buf_clear(&out);
	cr_assert_eq(script_run(script, slice_of(text), "c", &results, NULL, &err), 0, "%s", err.message);
	script_show(script, -1, &out);
	lua_pop(script_lua(script), results);
	cr_assert_eq(lua_gettop(script_lua(script)), 0);
	return buf_string(&out);
}

Test(show, scalars_are_plain)
{
	cr_assert_str_eq(show("nil"), "nil");
	cr_assert_str_eq(show("true"), "true");
	cr_assert_str_eq(show("42"), "42");
	cr_assert_str_eq(show("1.0"), "1.0");
	cr_assert_str_eq(show("'a\"\\nb'"), "a\"\nb");
	cr_assert(strstr(show("print"), "function: "));
}

Test(show, short_tables_take_one_line)
{
	cr_assert_str_eq(show("{}"), "{}");
	cr_assert_str_eq(show("{1, 'x', nil, true}"), "{1, \"x\", nil, true}");
	cr_assert_str_eq(show("{b = 1, a = {2, c = 'd'}, 'x'}"), "{\"x\", a = {2, c = \"d\"}, b = 1}");
}

Test(show, keys_are_sorted_numbers_first)
{
	cr_assert_str_eq(show("{z = 1, a = 2, [10] = 3, [2.5] = 4, [true] = 5, ['a b'] = 6, ['end'] = 7, [''] = 8}"),
			 "{\n  [2.5] = 4,\n  [10] = 3,\n  [\"\"] = 8,\n  a = 2,\n  [\"a b\"] = 6,\n  [\"end\"] = 7,\n  "
			 "z = 1,\n  [true] = 5\n}");
}

Test(show, strings_in_tables_are_quoted_and_escaped)
{
	cr_assert_str_eq(show("{'a\"\\\\\\n\\t\\0\\27é\\xff'}"), "{\"a\\\"\\\\\\n\\t\\x00\\x1bé\\xff\"}");
}

Test(show, long_tables_are_indented)
{
	cr_assert_str_eq(
		show("{name = 'kv', description = ('x'):rep(60), inner = {a = ('y'):rep(70)}}"),
		"{\n  description = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\n  inner = {\n"
		"    a = \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"\n  },\n  name = "
		"\"kv\"\n}");
}

Test(show, long_lists_fill_their_lines)
{
	const char *text = show("local t = {} for i = 1, 100 do t[i] = i end return t");

	cr_assert_eq(strncmp(text, "{\n  1, 2, 3,", 12), 0);
	cr_assert(strstr(text, "99, 100\n}"));
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		cr_assert_leq(strcspn(line, "\n"), 74, "%s", text);
}

Test(show, depth_length_and_cycles_are_limited)
{
	cr_assert_str_eq(show("{{{{{{{{1}}}}}}}}"), "{{{{{{{…}}}}}}}");
	cr_assert_str_eq(show("local t = {} t.t = t t[1] = {t} return t"), "{{<cycle>}, t = <cycle>}");
	cr_assert_str_eq(show("local s = {1} return {s, s}"), "{{1}, {1}}");
	cr_assert(strstr(show("local t = {} for i = 1, 1e6 do t[i] = i end return t"), " 200,\n  … 999800 more\n}"));
	cr_assert_lt(strlen(show("local function f(n) local t = {} for i = 1, 100 do t[i] = n > 0 and f(n - 1) or i "
				 "end return t end\n"
				 "return f(2)")),
		     200000);
}

Test(show, long_texts_in_tables_are_cut_at_a_whole_character)
{
	cr_assert(strstr(show("{('x'):rep(5000)}"), "x\"… 904 bytes more"));
	cr_assert(strstr(show("{('x'):rep(4095) .. 'é' .. ('x'):rep(10)}"), "x\"… 12 bytes more"));
	cr_assert_eq(strlen(show("('x'):rep(5000)")), 5000, "at top level a text is the result itself");
}

Test(show, a_metatable_may_say_how_its_table_reads)
{
	cr_assert_str_eq(show("setmetatable({}, {__tostring = function() return 'mine' end})"), "mine");
	cr_assert_str_eq(show("{setmetatable({}, {__tostring = function() return 'mine' end})}"), "{mine}");
	cr_assert(strstr(show("setmetatable({}, {__tostring = function() error('boo') end})"), "(cannot be shown: "));
	cr_assert_str_eq(
		show("setmetatable({1}, {__index = function() error('boo') end, __len = error, __pairs = error})"),
		"{1}");
}

Test(show, a_full_buffer_is_left_full)
{
	SCOPE(buf_done) struct buf out;
	int results;

	buf_init(&out, 10);
	script_run(script, SLICE("{1, 2, 3, 4, 5, 6, 7}"), "c", &results, NULL, &err);
	script_show(script, -1, &out);
	cr_assert(out.failed);
}

Test(show, all_of_luas_library_can_be_shown)
{
	cr_assert(strstr(show("_G"), "_VERSION = \"Lua 5.4\""));
	cr_assert(strstr(show("package.loaded"), "searchers = {"));
}

Test(show, a_text_in_a_table_commands_a_terminal_nothing)
{
	cr_assert_str_eq(show("{'a\\u{9b}31m', ['\\u{85}'] = '\\u{a0}é'}"),
			 "{\"a\\xc2\\x9b31m\", [\"\\xc2\\x85\"] = \"\u00a0é\"}");
}

Test(show, a_text_for_a_terminal_commands_nothing)
{
	SCOPE(buf_done) struct buf out = { 0 };

	script_show_text(SLICE("a\tb\n\x1b]0;title\a\x7fé\xc2\x9b\x9b\xc2"), &out);
	cr_assert_str_eq(buf_string(&out), "a\tb\n\\x1b]0;title\\x07\\x7fé\\xc2\\x9b\\x9b\\xc2");
}
