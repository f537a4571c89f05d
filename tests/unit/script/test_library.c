/* SPDX-License-Identifier: MIT */
/* What differs from Lua's own library, and that nothing else does. */
#include "running.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

TestSuite(library, .init = begin, .fini = end, .timeout = 60);

Test(library, output_goes_to_the_print_function)
{
	run("print('a', 1, nil, true) io.write('b', 2, '\\n') io.stdout:write('c'):write('d') io.output():write('e')");
	cr_assert_str_eq(buf_string(&printed), "a\t1\tnil\ttrue\n|b|2|\n|c|d|e|");
	cr_assert_str_eq(run("io.write('a', {})"),
			 "rel/runtime.lua:1: bad argument #2 to 'write' (string expected, got table)");
	cr_assert_str_eq(run("io.stdout:write(nil)"),
			 "rel/runtime.lua:1: bad argument #1 to 'write' (string expected, got nil)");
	cr_assert_str_eq(run("io.type(io.stdout), io.stdout:close()"), "file nil cannot close standard file");
}

Test(library, finalizers_print_when_the_state_is_freed)
{
	run("x = setmetatable({}, {__gc = function() print('bye') end})");
	script_free(script);
	script = NULL;
	cr_assert_str_eq(buf_string(&printed), "bye\n|");
}

static ssize_t read_line(void *context, char *to, size_t room)
{
	const char **line = context;
	size_t size = strlen(*line);

	cr_assert_geq(room, size);
	memcpy(to, *line, size);
	*line += size;
	return (ssize_t)size;
}

static ssize_t write_printed(void *context, const char *data, size_t size)
{
	on_print(context, (struct slice){ data, size });
	return (ssize_t)size;
}

static int set_stderr(lua_State *lua)
{
	script_set_stream(lua, SCRIPT_STDERR, &(struct script_stream_functions){ .write = write_printed }, &printed);
	return 0;
}

Test(library, stderr_and_warnings_are_what_the_owner_gives)
{
	lua_pushcfunction(script_lua(script), set_stderr);
	lua_call(script_lua(script), 0, 0);
	cr_assert_str_eq(run("warn('unseen') warn('@on') warn('a', 'b') warn('@other') warn('@off') warn('unseen')"),
			 "");
	cr_assert_str_eq(buf_string(&printed), "Lua warning: a|b\n|");
	buf_clear(&printed);
	cr_assert_str_eq(run("local out = io.output() io.output(io.stderr) io.write('x') io.output(out) return "
			     "io.type(io.stderr)"),
			 "file");
	cr_assert_str_eq(buf_string(&printed), "x|");
}

static int set_stdin(lua_State *lua)
{
	script_set_stream(lua, SCRIPT_STDIN, &(struct script_stream_functions){ .read = read_line },
			  lua_touserdata(lua, 1));
	return 0;
}

static void give_stdin(const char **text)
{
	lua_pushcfunction(script_lua(script), set_stdin);
	lua_pushlightuserdata(script_lua(script), text);
	lua_call(script_lua(script), 1, 0);
}

Test(library, stdin_is_what_the_owner_gives)
{
	const char *text = "one\n2\nthree";

	give_stdin(&text);
	cr_assert_str_eq(run("io.read(), io.stdin:read('n', 'l'), io.read('a'), io.read()"), "one 2 three nil");
}

Test(library, a_chunk_may_come_from_stdin)
{
	const char *text = "#!/usr/bin/lua\nlocal name = ... x = 7 return 'from stdin', name";
	const char *broken = "return +", *none = "";

	give_stdin(&text);
	cr_assert_str_eq(run("dofile(), x"), "from stdin 7");
	end();
	begin();
	give_stdin(&broken);
	cr_assert_str_eq(run("loadfile()"), "nil stdin:1: unexpected symbol near '+'");
	end();
	begin();
	give_stdin(&none);
	cr_assert_str_eq(run("dofile()"), "");
}

/* ---- a stream that waits holds nobody up ---- */

static int waiting_pipe[2];

static ssize_t wait_for_pipe(void *context, char *to, size_t room)
{
	(void)context;
	return read(waiting_pipe[0], to, room);
}

static int set_waiting_stdin(lua_State *lua)
{
	script_set_stream(lua, SCRIPT_STDIN, &(struct script_stream_functions){ .read = wait_for_pipe }, NULL);
	return 0;
}

static void *read_stdin(void *context)
{
	(void)context;
	cr_assert_str_eq(run("io.read()"), "done");
	return NULL;
}

static void *flush_all(void *context)
{
	fflush(NULL);
	*(_Atomic bool *)context = true;
	return NULL;
}

static void *run_program(void *context)
{
	struct script *other = script_new(&(struct script_options){ 0 }, &err);
	int results;

	cr_assert_eq(script_run(other, SLICE("assert(io.popen('exit 3'):close() == nil)"), "c", &results, NULL, NULL),
		     0);
	script_free(other);
	*(_Atomic bool *)context = true;
	return NULL;
}

static void must_end_meanwhile(void *(*function)(void *context))
{
	_Atomic bool ended = false;
	pthread_t thread;

	pthread_create(&thread, NULL, function, &ended);
	for (int i = 0; i < 2000 && !ended; i++)
		usleep(10000);
	cr_assert(ended);
	pthread_join(thread, NULL);
}

Test(library, a_read_that_waits_holds_up_neither_programs_nor_streams_of_others)
{
	pthread_t thread;

	cr_assert_eq(pipe(waiting_pipe), 0);
	lua_pushcfunction(script_lua(script), set_waiting_stdin);
	lua_call(script_lua(script), 0, 0);
	pthread_create(&thread, NULL, read_stdin, NULL);
	usleep(50000);
	must_end_meanwhile(run_program);
	must_end_meanwhile(flush_all);
	cr_assert_eq(write(waiting_pipe[1], "done\n", 5), 5);
	pthread_join(thread, NULL);
}

Test(library, a_pipe_that_is_read_holds_up_no_other_program)
{
	char dir[] = "/tmp/kvrel-unit-XXXXXX", fifo[64], text[128];
	pthread_t thread;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	snprintf(text, sizeof(text), "io.input(io.popen('timeout 30 cat %s'))", fifo);
	run(text);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	pthread_create(&thread, NULL, read_stdin, NULL);
	usleep(50000);
	must_end_meanwhile(run_program);
	cr_assert_eq(write(fd, "done\n", 5), 5);
	close(fd);
	pthread_join(thread, NULL);
	unlink(fifo);
	rmdir(dir);
}

static volatile sig_atomic_t heard;

static void hear(int number)
{
	heard = number;
}

Test(library, a_program_that_runs_makes_nobody_deaf)
{
	char text[64];

	signal(SIGINT, hear);
	snprintf(text, sizeof(text), "os.execute('kill -INT %d')", getpid());
	cr_assert_str_eq(run(text), "true exit 0");
	cr_assert_eq(heard, SIGINT);
	cr_assert_str_eq(run("os.execute(), select(2, os.execute('exit 3')), select(3, os.execute('exit 3'))"),
			 "true exit 3");
	cr_assert_str_eq(run("os.execute('kill -9 $$')"), "nil signal 9");
	cr_assert_str_eq(run("select(3, os.execute('-no-such-program 2>/dev/null'))"), "127");
	cr_assert(strstr(run("os.execute({})"), "bad argument #1 to 'execute'"));
}

Test(library, programs_that_run_are_known)
{
	run("f = io.popen('cat', 'w')");
	cr_assert(script_waits_at_its_end(script));
	run("f:close() g = io.popen('true') g = nil collectgarbage()");
	cr_assert_not(script_waits_at_its_end(script));
}

Test(library, programs_are_run_as_lua_does)
{
	cr_assert_str_eq(run("local f = io.popen('echo a; exit 3') return f:read('a'), f:close()"), "a\n nil exit 3");
	cr_assert_str_eq(run("local f = io.popen('cat >/dev/null', 'w') return f:write('x') == f, f:close()"),
			 "true true exit 0");
	cr_assert_str_eq(run("io.popen('true', 'rw')"), "rel/runtime.lua:1: bad argument #2 to 'popen' (invalid mode)");
	cr_assert_str_eq(run("local f = io.popen('true') f:close() return tostring(f)"), "file (closed)");
}

Test(library, other_files_are_written_as_ever)
{
	cr_assert_str_eq(run("local f = io.tmpfile() f:write('x', 1) f:seek('set') return f:read('a')"), "x1");
	cr_assert_str_eq(
		run("local old, f = io.output(), io.tmpfile() io.output(f) io.write('to file') io.output(old)\n"
		    "f:seek('set') return f:read('a')"),
		"to file");
	cr_assert_eq(printed.size, 0);
}

Test(library, nothing_of_the_host_is_loaded)
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
	cr_assert(strstr(run("package.cpath = '/usr/lib/x86_64-linux-gnu/lua/5.4/?.so' require 'socket.core'"),
			 "module 'socket.core' not found"));
}

Test(library, functions_of_c_are_out_of_reach)
{
	cr_assert(strstr(run("debug.setupvalue(print, 1, nil)"), "upvalues of functions in C cannot be set"));
	cr_assert(strstr(run("table.sort({2, 1}, function() debug.setlocal(2, 1, nil) end)"),
			 "locals of functions in C cannot be set"));
	cr_assert(strstr(run("debug.getregistry()"), "not supported"));
	cr_assert(strstr(run("debug.debug()"), "not supported"));
	cr_assert(strstr(run("local function f() return f end debug.setmetatable(debug.upvalueid(f, 1), {})"),
			 "bad argument #1 to 'setmetatable'"));
	cr_assert_str_eq(run("local a, b = 1, 2 return debug.setlocal(1, 2, 7), a, b"), "b 1 7");
	cr_assert_str_eq(run("local co = coroutine.create(function(a) coroutine.yield() return a end)\n"
			     "coroutine.resume(co, 1) return debug.setlocal(co, 1, 1, 5), coroutine.resume(co)"),
			 "a true 5");
	cr_assert_str_eq(run("debug.setlocal(1, 99, 1), debug.setlocal(1, 1 << 40, 1)"),
			 "rel/runtime.lua:1: bad argument #2 to 'setlocal' (out of range)");
	cr_assert(strstr(run("debug.setlocal(99, 1, 1)"), "level out of range"));
	cr_assert_str_eq(run("local x = 1 local function f() return x end return debug.setupvalue(f, 1, 9), f()"),
			 "x 9");
}

Test(library, modules_are_found_on_the_given_path)
{
	char dir[] = "/tmp/kvrel-unit-XXXXXX", path[64], file[64];
	struct script_options options = { .package_path = path };
	FILE *out;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/?.lua", dir);
	snprintf(file, sizeof(file), "%s/mod.lua", dir);
	out = fopen(file, "w");
	fputs("return {answer = 42, file = select(2, ...)}", out);
	fclose(out);
	script_free(script);
	script = script_new(&options, &err);
	cr_assert_str_eq(run("require('mod').answer"), "42");
	cr_assert_str_eq(run("require('mod').file"), file);
	cr_assert(strstr(run("require('absent')"),
			 "module 'absent' not found: no field package.preload['absent']; no file '"));
	cr_assert(strstr(run("package.path = nil require('absent')"), "'package.path' must be a string"));
	out = fopen(file, "w");
	fputs("\x1bLua", out);
	fclose(out);
	end();
	script = script_new(&options, &err);
	cr_assert(strstr(run("require('mod')"), "mod.lua': attempt to load a binary chunk"));
	unlink(file);
	rmdir(dir);
}

Test(library, load_takes_text_only_and_is_lua_s_own_otherwise)
{
	cr_assert_str_eq(run("load('return 1')()"), "1");
	cr_assert_str_eq(run("load('return x', 'c', 't', {x = 2})()"), "2");
	cr_assert_str_eq(run("load('return x', nil, nil, {x = 3})()"), "3");
	cr_assert_str_eq(run("local n = 0 return load(function() n = n + 1 return ({'return ', '4'})[n] end)()"), "4");
	cr_assert_str_eq(run("load('return +')"), "nil [string \"return +\"]:1: unexpected symbol near '+'");
	cr_assert(strstr(run("load(string.dump(function() end))"), "attempt to load a binary chunk"));
	cr_assert(strstr(run("load(string.dump(function() end), 'c', 'b')"), "can crash the interpreter"));
}

Test(library, the_locale_stays)
{
	cr_assert_str_eq(run("os.setlocale('de_DE.UTF-8'), os.setlocale(), os.setlocale('C', 'numeric')"), "nil C C");
}

Test(library, xpcall_is_lua_s_own_otherwise)
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

Test(library, wrapped_coroutines_are_lua_s_own_otherwise)
{
	cr_assert_str_eq(run("local f = coroutine.wrap(function(...) local x = coroutine.yield(...) return x, 3 end)\n"
			     "return select('#', f(1, nil, 2)), f('x')"),
			 "3 x 3");
	cr_assert_str_eq(run("local f = coroutine.wrap(function() end) f() f()"),
			 "rel/runtime.lua:1: cannot resume dead coroutine");
	cr_assert_str_eq(run("coroutine.wrap(function() error('boo') end)()"),
			 "rel/runtime.lua:1: rel/runtime.lua:1: boo");
	cr_assert_str_eq(
		run("local log = ''\n"
		    "local ok, e = pcall(coroutine.wrap(function()\n"
		    "local x <close> = setmetatable({}, {__close = function(_, e) log = e[1] error({2}) end})\n"
		    "error({1}) end)) return log, e"),
		"1 {2}");
	cr_assert_str_eq(run("local f f = coroutine.wrap(function() f() end) f()"),
			 "rel/runtime.lua:1: rel/runtime.lua:1: cannot resume non-suspended coroutine");
	cr_assert_str_eq(run("coroutine.wrap(1)"),
			 "rel/runtime.lua:1: bad argument #1 to 'wrap' (function expected, got number)");
}
