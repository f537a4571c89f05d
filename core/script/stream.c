/* SPDX-License-Identifier: MIT */
/*
 * io.stdin, io.stdout and io.stderr of a state are streams of the C library over functions of whoever owns the state,
 * so that all of io.read(), io.lines(), file:write() and the like is Lua's own.
 *
 * A stream is locked while it waits, and its owner may wait for hours. Nobody else has to do with it, so that it needs
 * no lock: fflush(NULL) takes those of all streams of the process, one after the other, and with them that of their
 * list, which every fopen() and fork() needs. For the same reason io.popen() is not Lua's own, which begins with
 * fflush(NULL) and would wait for a pipe that another state reads, and what it opens needs no lock either.
 */
#include "script/internal.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <spawn.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <sys/wait.h>
#include <unistd.h>

/* As Lua does for the standard streams. */
static int keep_open(lua_State *lua)
{
	luaL_Stream *stream = luaL_checkudata(lua, 1, LUA_FILEHANDLE);

	stream->closef = keep_open;
	luaL_pushfail(lua);
	lua_pushliteral(lua, "cannot close standard file");
	return 2;
}

/* A file object without a file. */
static luaL_Stream *push_file(lua_State *lua)
{
	luaL_Stream *stream = lua_newuserdatauv(lua, sizeof(*stream), 0);

	*stream = (luaL_Stream){ .closef = NULL };
	luaL_setmetatable(lua, LUA_FILEHANDLE);
	return stream;
}

void script_set_stream(lua_State *lua, enum script_stream which, const struct script_stream_functions *functions,
		       void *context)
{
	static const struct {
		const char *name, *mode, *select;
	} streams[] = {
		[SCRIPT_STDIN] = { "stdin", "r", "input" },
		[SCRIPT_STDOUT] = { "stdout", "w", "output" },
		[SCRIPT_STDERR] = { "stderr", "w", NULL },
	};
	FILE **file = &script_of(lua)->streams[which];
	luaL_Stream *stream = push_file(lua);

	*file = fopencookie(context, streams[which].mode,
			    (cookie_io_functions_t){ .read = functions->read, .write = functions->write });
	if (!*file)
		luaL_error(lua, "no memory for a stream");
	__fsetlocking(*file, FSETLOCKING_BYCALLER);
	if (functions->write)
		setvbuf(*file, NULL, _IONBF, 0);
	*stream = (luaL_Stream){ .f = *file, .closef = keep_open };
	lua_getglobal(lua, LUA_IOLIBNAME);
	lua_pushvalue(lua, -2);
	lua_setfield(lua, -2, streams[which].name);
	if (streams[which].select) {
		lua_getfield(lua, -1, streams[which].select);
		lua_pushvalue(lua, -3);
		lua_call(lua, 1, 0);
	}
	lua_pop(lua, 2);
}

void script_close_streams(struct script *script)
{
	for (int i = 0; i < SCRIPT_STREAM_COUNT; i++) {
		if (script->streams[i])
			fclose(script->streams[i]);
	}
}

/* ---- stdout: where print() goes, too ---- */

static void put_out(const struct script *script, const char *data, size_t size)
{
	if (script->print)
		script->print(script->print_context, (struct slice){ data, size });
	else
		fwrite(data, 1, size, stdout);
}

static ssize_t write_out(void *script, const char *data, size_t size)
{
	put_out(script, data, size);
	return (ssize_t)size;
}

/* One call of the print function a call of print(), so that a line stays together. */
static int print(lua_State *lua)
{
	int count = lua_gettop(lua);
	luaL_Buffer line;
	const char *text;
	size_t size;

	luaL_buffinit(lua, &line);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&line, '\t');
		luaL_tolstring(lua, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_addchar(&line, '\n');
	luaL_pushresult(&line);
	text = lua_tolstring(lua, -1, &size);
	put_out(script_of(lua), text, size);
	return 0;
}

/* ---- warnings: to stderr, as Lua's own program shows them; off until warn("@on") ---- */

static void show_warning(void *context, const char *message, int to_continue)
{
	struct script *script = context;
	FILE *out = script->streams[SCRIPT_STDERR] ? script->streams[SCRIPT_STDERR] : stderr;

	if (!script->warning_goes_on && !to_continue && *message == '@') {
		if (strcmp(message, "@on") == 0 || strcmp(message, "@off") == 0)
			script->warns = message[2] == 'n';
		return;
	}
	if (script->warns)
		fprintf(out, "%s%s%s", script->warning_goes_on ? "" : "Lua warning: ", message,
			to_continue ? "" : "\n");
	script->warning_goes_on = to_continue;
}

/* ---- programs ---- */

static int close_program(lua_State *lua)
{
	const luaL_Stream *stream = luaL_checkudata(lua, 1, LUA_FILEHANDLE);

	script_of(lua)->programs--;
	errno = 0;
	return luaL_execresult(lua, pclose(stream->f));
}

bool script_waits_at_its_end(const struct script *script)
{
	return script->programs > 0;
}

static int io_popen(lua_State *lua)
{
	const char *command = luaL_checkstring(lua, 1), *mode = luaL_optstring(lua, 2, "r");
	luaL_Stream *stream = push_file(lua);

	luaL_argcheck(lua, (*mode == 'r' || *mode == 'w') && !mode[1], 2, "invalid mode");
	errno = 0;
	stream->f = popen(command, *mode == 'r' ? "re" : "we");
	stream->closef = close_program;
	if (!stream->f)
		return luaL_fileresult(lua, 0, command);
	__fsetlocking(stream->f, FSETLOCKING_BYCALLER);
	script_of(lua)->programs++;
	return 1;
}

/* system() makes the whole process deaf to SIGINT and SIGQUIT while it waits: a node on a terminal could not be ended.
 */
static int run_program(const char *command)
{
	const char *const words[] = { "sh", "-c", "--", command, NULL };
	pid_t pid;
	int status;

	errno = posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *const *)words, environ);
	if (errno != 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

static int os_execute(lua_State *lua)
{
	const char *command = luaL_optstring(lua, 1, NULL);

	if (command)
		return luaL_execresult(lua, run_program(command));
	lua_pushboolean(lua, access("/bin/sh", X_OK) == 0);
	return 1;
}

void script_open_streams(lua_State *lua)
{
	lua_pushcfunction(lua, print);
	lua_setglobal(lua, "print");
	script_set_stream(lua, SCRIPT_STDOUT, &(struct script_stream_functions){ .write = write_out }, script_of(lua));
	lua_setwarnf(lua, show_warning, script_of(lua));
	lua_getglobal(lua, LUA_IOLIBNAME);
	lua_pushcfunction(lua, io_popen);
	lua_setfield(lua, -2, "popen");
	lua_getglobal(lua, LUA_OSLIBNAME);
	lua_pushcfunction(lua, os_execute);
	lua_setfield(lua, -2, "execute");
	lua_pop(lua, 2);
}
