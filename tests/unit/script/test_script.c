/* SPDX-License-Identifier: MIT */
#include "running.h"

#include <signal.h>

TestSuite(script, .init = begin, .fini = end, .timeout = 60);

Test(script, expressions_and_statements_are_run)
{
	cr_assert_str_eq(run("1 + 1"), "2");
	cr_assert_str_eq(run("x = 5"), "");
	cr_assert_str_eq(run("x, nil, 'y'"), "5 nil y");
	cr_assert_str_eq(run("local a = 2\nreturn a * x"), "10");
	cr_assert_str_eq(run("return"), "");
	cr_assert_str_eq(run(""), "");
	cr_assert_str_eq(run("-- nothing"), "");
	cr_assert_str_eq(run("1 -- one"), "1");
}

Test(script, results_stay_on_the_stack_for_the_caller)
{
	int results = 0;

	cr_assert_eq(script_run(script, SLICE("1, 2"), "c", &results, NULL, &err), 0);
	cr_assert_eq(script_run(script, SLICE("3"), "c", &results, NULL, &err), 0);
	cr_assert_eq(results, 1);
	cr_assert_eq(lua_gettop(script_lua(script)), 3);
}

Test(script, messages_name_chunk_and_line)
{
	cr_assert_str_eq(run("\n\nerror('boo')"), "rel/runtime.lua:3: boo");
	cr_assert_str_eq(run("\nlocal x = nil + 1"), "rel/runtime.lua:2: attempt to perform arithmetic on a nil value");
	cr_assert_str_eq(run("\n\n\nx = = 1"), "rel/runtime.lua:4: unexpected symbol near '='");
	cr_assert_str_eq(run("1 +"), "rel/runtime.lua:1: unexpected symbol near <eof>");
	cr_assert_eq(err.code, ERROR_FAILED);
}

Test(script, long_names_of_chunks_are_shown_whole)
{
	const char *name = "a/very/long/folder/with/a/very/long/name/that/lua/would/cut/releases/0.0.1/runtime.lua";
	int results;

	cr_assert_lt(script_run(script, SLICE("\nerror('boo')"), name, &results, &traceback, &err), 0);
	cr_assert_eq(strncmp(err.message, name, strlen(name)), 0, "%s", err.message);
	cr_assert_str_eq(err.message + strlen(name), ":2: boo");
	cr_assert_eq(strncmp(buf_string(&traceback), name, strlen(name)), 0);
}

Test(script, errors_come_with_a_traceback)
{
	run("local function f()\n  error('boo')\nend\nlocal function g() f() end\ng()");
	cr_assert_str_eq(buf_string(&traceback), "rel/runtime.lua:2: boo\n"
						 "stack traceback:\n"
						 "\t[C]: in function 'error'\n"
						 "\trel/runtime.lua:2: in upvalue 'f'\n"
						 "\trel/runtime.lua:4: in local 'g'\n"
						 "\trel/runtime.lua:5: in main chunk\n"
						 "\t[C]: in ?");
	run("x = =");
	cr_assert_null(strstr(buf_string(&traceback), "stack"), "a mistake of syntax has no stack");
}

Test(script, errors_that_are_no_text_are_described)
{
	cr_assert_str_eq(run("error({code = 7, reason = 'no'})"), "error object: {code = 7, reason = \"no\"}");
	cr_assert_str_eq(run("coroutine.wrap(function() error({1}) end)()"), "error object: {1}");
	cr_assert_str_eq(run("local t = {} t[1] = t error(t)"), "error object: {<cycle>}");
	cr_assert_str_eq(run("error(setmetatable({}, {__tostring = function() return 'mine' end}))"), "mine");
	cr_assert_str_eq(run("error(nil)"), "(error object is a nil value)");
	cr_assert_str_eq(run("error('a\\nb', 0)"), "a");
}

Test(script, compiled_chunks_are_refused)
{
	cr_assert_str_eq(run("\x1bLua"),
			 "rel/runtime.lua: compiled chunks are not supported: they can crash the interpreter");
}

Test(script, an_interpreter_line_is_skipped_and_counted)
{
	cr_assert_str_eq(run("#!/usr/bin/env lua\nerror('boo')"), "rel/runtime.lua:2: boo");
	cr_assert_str_eq(run("#!/usr/bin/env lua"), "");
	cr_assert_str_eq(run("#{ 1, 2 }"), "2");
}

/* ---- interrupts -------------------------------------------------------------------------------------------------- */

Test(script, an_endless_loop_can_be_interrupted)
{
	must_be_interrupted("while true do end");
	must_be_interrupted("local function f() return f() end f()");
	must_be_interrupted("coroutine.wrap(function() while true do end end)()");
}

Test(script, pcall_cannot_hold_an_interrupt_up)
{
	must_be_interrupted("while true do pcall(function() while true do end end) end");
	must_be_interrupted(
		"while true do xpcall(function() while true do end end, function() while true do end end) end");
	must_be_interrupted("local function f() pcall(f) while true do end end f()");
	must_be_interrupted("while true do coroutine.resume(coroutine.create(function() while true do end end)) end");
	must_be_interrupted(
		"while true do pcall(string.gsub, ('x'):rep(1000), 'x', function() while true do end end) end");
}

Test(script, what_a_coroutine_closes_cannot_hold_an_interrupt_up)
{
	must_be_interrupted("coroutine.wrap(function()\n"
			    "local x <close> = setmetatable({}, {__close = function() while true do end end})\n"
			    "while true do end end)()");
	must_be_interrupted("local x <close> = setmetatable({}, {__close = function() while true do end end})\n"
			    "while true do end");
}

Test(script, a_finalizer_cannot_hold_an_interrupt_up)
{
	must_be_interrupted("setmetatable({}, {__gc = function() while true do end end}) collectgarbage()");
	must_be_interrupted("debug.setmetatable({}, {__gc = function() while true do end end}) collectgarbage()");
}

Test(script, finalizers_run_and_their_errors_end_nothing)
{
	cr_assert_str_eq(
		run("local seen setmetatable({7}, {__gc = function(t) seen = t[1] end}) collectgarbage() return seen"),
		"7");
	cr_assert_str_eq(run("setmetatable({}, {__gc = function() error('boo') end}) collectgarbage() return 'on'"),
			 "on");
	cr_assert_str_eq(
		run("setmetatable({}, {__gc = function() coroutine.yield() end}) collectgarbage() return 'on'"), "on");
	cr_assert_str_eq(run("local m = {__gc = function() end} return setmetatable({}, m) ~= nil, "
			     "getmetatable(setmetatable({}, m)) == m"),
			 "true true");
	cr_assert(strstr(run("setmetatable({})"), "bad argument #2 to 'setmetatable'"));
	cr_assert_str_eq(run("setmetatable(1, {})"),
			 "rel/runtime.lua:1: bad argument #1 to 'setmetatable' (table expected, got number)");
	cr_assert_str_eq(run("setmetatable(setmetatable({}, {__metatable = 1}), {})"),
			 "rel/runtime.lua:1: cannot change a protected metatable");
	cr_assert_str_eq(run("local t = setmetatable({}, {}) return debug.setmetatable(t, nil) == t, getmetatable(t)"),
			 "true nil");
}

Test(script, a_state_is_freed_in_spite_of_endless_finalizers)
{
	struct script *other = script_new(&(struct script_options){ 0 }, &err);
	int results;

	cr_assert_eq(script_run(other,
				SLICE("for i = 1, 3 do _G[i] = setmetatable({}, {__gc = function() while true do "
				      "pcall(error) end end}) end"),
				"c", &results, NULL, &err),
		     0);
	script_free(other);
}

Test(script, a_coroutine_that_survives_an_interrupt_works_on)
{
	pthread_t thread;

	run("co = coroutine.wrap(function() while true do coroutine.yield(1) end end) co()");
	pthread_create(&thread, NULL, interrupt_soon, NULL);
	cr_assert_str_eq(run("while true do co() end"), "interrupted");
	pthread_join(thread, NULL);
	run("co2 = coroutine.wrap(function() pcall(function() while true do end end) return 7 end)");
	cr_assert_str_eq(run("1"), "1");
}

Test(script, an_interrupt_before_the_run_ends_it_once)
{
	script_interrupt(script);
	cr_assert_str_eq(run("1"), "interrupted");
	cr_assert_str_eq(run("1"), "1");
	script_interrupt(script);
	script_clear_interrupt(script);
	cr_assert_str_eq(run("1"), "1");
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	script_interrupt(script);
}

Test(script, a_signal_handler_may_interrupt)
{
	signal(SIGALRM, on_alarm);
	ualarm(20000, 0);
	cr_assert_str_eq(run("while true do end"), "interrupted");
}

/* ---- ends and limits --------------------------------------------------------------------------------------------- */

Test(script, exit_ends_the_chunk_and_not_the_process)
{
	cr_assert_str_eq(run("print('a') os.exit(7) print('b')"), "os.exit(7)");
	cr_assert_eq(script_exit_code(script), 7);
	cr_assert_str_eq(buf_string(&printed), "a\n|");
	cr_assert_str_eq(run("1"), "1");
	cr_assert_eq(script_exit_code(script), -1);
}

Test(script, exit_takes_what_lua_takes)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = { { "os.exit()", 0 },
		      { "os.exit(true)", 0 },
		      { "os.exit(false)", 1 },
		      { "os.exit(256 + 3)", 3 },
		      { "os.exit(-1)", 255 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(cases[i].text);
		cr_assert_eq(script_exit_code(script), cases[i].code, "%s", cases[i].text);
	}
	cr_assert(strstr(run("os.exit('x')"), "number expected"));
	cr_assert_eq(script_exit_code(script), -1);
}

Test(script, pcall_does_not_hold_an_exit_up)
{
	run("pcall(os.exit, 3) print('no')");
	cr_assert_eq(script_exit_code(script), 3);
	run("coroutine.wrap(function() pcall(function() os.exit(4) end) print('no') end)() print('no')");
	cr_assert_eq(script_exit_code(script), 4);
	run("while true do pcall(os.exit, 5) end");
	cr_assert_eq(script_exit_code(script), 5);
	cr_assert_str_eq(run("return pcall(os.exit, 6)"), "os.exit(6)");
	cr_assert_eq(script_exit_code(script), 6);
	cr_assert_eq(printed.size, 0);
}

Test(script, memory_is_limited_and_the_state_lives_on)
{
	cr_assert_str_eq(run("local s = ('x'):rep(1 << 30)"), "rel/runtime.lua:1: out of memory: the limit is 32 MiB");
	cr_assert_eq(err.code, ERROR_NO_MEMORY);
	cr_assert_str_eq(run("local t = {}\nfor i = 1, 1 << 30 do\n\tt[i] = i\nend"),
			 "rel/runtime.lua:3: out of memory: the limit is 32 MiB");
	cr_assert_str_eq(run("local t = {}\nlocal function fill()\n\tt = {t, {}}\nend\nwhile true do\n\tfill()\nend"),
			 "rel/runtime.lua:3: out of memory: the limit is 32 MiB");
	cr_assert(strstr(run("local s = 'x'\nwhile true do\n\ts = s .. s\nend"), "rel/runtime.lua:3: out of memory"));
	cr_assert_str_eq(run("pcall(string.rep, 'x', 1 << 30) error('other')"), "rel/runtime.lua:1: other");
	cr_assert_str_eq(run("1 + 1"), "2");
	cr_assert_null(script_new(&(struct script_options){ .memory_limit_bytes = 1000 }, &err));
	cr_assert_eq(err.code, ERROR_NO_MEMORY);
}

Test(script, deep_recursion_is_an_error)
{
	script_free(script);
	script = script_new(&(struct script_options){ 0 }, &err);
	cr_assert(strstr(
		run("local s = string.rep('(', 300) .. '1' .. string.rep(')', 300) assert(load('return ' .. s))"),
		"overflow"));
	cr_assert_str_eq(run("2"), "2");
}

Test(script, a_chunk_that_ends_too_early_is_incomplete)
{
	static const char *const incomplete[] = { "x =", "1 +",          "for i = 1, 3 do", "f(",
						  "{1,", "function f()", "[[long",          "return 1," };
	static const char *const complete[] = { "", "x = 1", "1", "x = = 1", ")", "return", "f()", "1 1" };

	for (size_t i = 0; i < ARRAY_LEN(incomplete); i++)
		cr_assert(script_is_incomplete(script, slice_of(incomplete[i])), "%s", incomplete[i]);
	for (size_t i = 0; i < ARRAY_LEN(complete); i++)
		cr_assert_not(script_is_incomplete(script, slice_of(complete[i])), "%s", complete[i]);
	cr_assert_eq(lua_gettop(script_lua(script)), 0);
}
