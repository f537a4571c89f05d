/* SPDX-License-Identifier: MIT */
#include "script/script.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct script *script;
static struct error err;
static struct buf printed, traceback;

static void on_print(void *context, struct slice text)
{
	cr_assert_eq(context, &printed);
	buf_append_slice(&printed, text);
	buf_append_char(&printed, '|');
}

static void begin(void)
{
	script = script_new(&(struct script_options){ .memory_limit_bytes = 32 << 20 }, &err);
	cr_assert_not_null(script);
	script_on_print(script, on_print, &printed);
}

static void end(void)
{
	script_free(script);
	buf_done(&printed);
	buf_done(&traceback);
}

TestSuite(script, .init = begin, .fini = end, .timeout = 60);

/* The results on one line, or the error. */
static const char *run(const char *text)
{
	static struct buf out;
	int results = 0;

	buf_clear(&out);
	if (script_run(script, slice_of(text), "rel/runtime.lua", &results, &traceback, &err) < 0)
		return err.message;
	for (int i = results; i > 0; i--) {
		script_show(script, -i, &out);
		buf_append_string(&out, i > 1 ? " " : "");
	}
	lua_pop(script_lua(script), results);
	cr_assert_eq(lua_gettop(script_lua(script)), 0);
	return buf_string(&out);
}

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

Test(script, output_goes_to_the_print_function)
{
	run("print('a', 1, nil, true) io.write('b', 2, '\\n') io.stdout:write('c'):write('d') io.output():write('e')");
	cr_assert_str_eq(buf_string(&printed), "a\t1\tnil\ttrue\n|b|2|\n|c|d|e|");
	cr_assert(strstr(run("io.write({})"), "string expected"));
}

Test(script, other_files_are_written_as_ever)
{
	cr_assert_str_eq(run("local f = io.tmpfile() f:write('x', 1) f:seek('set') return f:read('a')"), "x1");
	cr_assert_str_eq(
		run("local old, f = io.output(), io.tmpfile() io.output(f) io.write('to file') io.output(old)\n"
		    "f:seek('set') return f:read('a')"),
		"to file");
	cr_assert_eq(printed.size, 0);
}

Test(script, nothing_of_the_host_is_loaded)
{
	setenv("LUA_PATH", "/usr/share/?.lua", 1);
	setenv("LUA_CPATH", "/usr/lib/?.so", 1);
	setenv("LUA_INIT", "error('no')", 1);
	end();
	begin();
	cr_assert_str_eq(run("package.path == '' and package.cpath == ''"), "true");
	cr_assert(strstr(run("require 'socket'"), "module 'socket' not found"));
	cr_assert(strstr(run("package.loadlib('x.so', '*')"), "not supported"));
	cr_assert(strstr(run("debug.sethook()"), "not supported"));
}

Test(script, modules_are_found_on_the_given_path)
{
	char dir[] = "/tmp/kvrel-unit-XXXXXX", path[64], file[64];
	struct script_options options = { .package_path = path };
	FILE *out;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/?.lua", dir);
	snprintf(file, sizeof(file), "%s/mod.lua", dir);
	out = fopen(file, "w");
	fputs("return {answer = 42}", out);
	fclose(out);
	script_free(script);
	script = script_new(&options, &err);
	cr_assert_str_eq(run("require('mod').answer"), "42");
	unlink(file);
	rmdir(dir);
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

static void *interrupt_soon(void *context)
{
	(void)context;
	usleep(20000);
	script_interrupt(script);
	return NULL;
}

static void must_be_interrupted(const char *text)
{
	pthread_t thread;

	pthread_create(&thread, NULL, interrupt_soon, NULL);
	cr_assert_str_eq(run(text), "interrupted", "%s", text);
	pthread_join(thread, NULL);
	cr_assert(script_was_interrupted(script));
	cr_assert_str_eq(run("1 + 1"), "2", "the state goes on afterwards");
	cr_assert_not(script_was_interrupted(script));
}

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

Test(script, load_takes_text_only_and_is_lua_s_own_otherwise)
{
	cr_assert_str_eq(run("load('return 1')()"), "1");
	cr_assert_str_eq(run("load('return x', 'c', 't', {x = 2})()"), "2");
	cr_assert_str_eq(run("load('return x', nil, nil, {x = 3})()"), "3");
	cr_assert_str_eq(run("local n = 0 return load(function() n = n + 1 return ({'return ', '4'})[n] end)()"), "4");
	cr_assert_str_eq(run("load('return +')"), "nil [string \"return +\"]:1: unexpected symbol near '+'");
	cr_assert(strstr(run("load(string.dump(function() end))"), "attempt to load a binary chunk"));
	cr_assert(strstr(run("load(string.dump(function() end), 'c', 'b')"), "can crash the interpreter"));
}

Test(script, the_locale_stays)
{
	cr_assert_str_eq(run("os.setlocale('de_DE.UTF-8'), os.setlocale(), os.setlocale('C', 'numeric')"), "nil C C");
}

Test(script, xpcall_is_lua_s_own_otherwise)
{
	cr_assert_str_eq(run("xpcall(function(a, b) return a + b end, print, 1, 2)"), "true 3");
	cr_assert_str_eq(run("xpcall(error, function(m) return 'handled ' .. m end, 'x')"), "false handled x");
	cr_assert_str_eq(run("local co = coroutine.wrap(function() return xpcall(function() return coroutine.yield(1) "
			     "end, print) end)\n"
			     "return co(), co(2)"),
			 "1 true 2");
	cr_assert(strstr(run("xpcall(print)"), "bad argument #2 to 'xpcall'"));
	run("xpcall(os.exit, function() while true do end end, 6)");
	cr_assert_eq(script_exit_code(script), 6);
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
