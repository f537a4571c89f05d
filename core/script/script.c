/* SPDX-License-Identifier: MIT */
/*
 * States and running.
 *
 * A count hook looks at the interrupt flag every thousand instructions. The error it raises could be caught by a pcall
 * in the chunk; so from then on the hook runs at every instruction and raises again, until nothing of the chunk is
 * left. os.exit() ends a chunk in the same way. Everything that may raise runs inside one lua_pcall(), so that no
 * memory limit ever reaches Lua's panic function.
 *
 * A state that gives way offers its processor to others every few microseconds. The scheduler alone would look at a
 * thread that computes at each of its ticks, milliseconds apart: whoever is woken up right after it went on waits for
 * as long. Instructions are no measure of time (one may collect garbage or call an operation of a component), so the
 * clock decides; it is read where instructions, allocations and operations are counted anyway.
 */
#include "script/internal.h"

#include "base/scope.h"

#include <lauxlib.h>
#include <lualib.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	HOOK_INSTRUCTIONS = 1000,
	LOOKS_OF_CLOSING = 10000,
	TURN_NS = 5 * 1000,
	STACK_MOST_BYTES = 17 << 20, /* what Lua's own stack needs at most; while it moves it cannot be looked at */
	ALLOCATION_BYTES = 1 << 10,  /* what an allocation costs at least */
	ALLOCATED_BYTES = 64 << 10,  /* between two looks at the clock */
};

struct script *script_of(lua_State *lua)
{
	/* coroutines get a copy of the main state's extra space */
	return *(struct script **)lua_getextraspace(lua);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void script_give_way(struct script *script)
{
	if (!script->gives_way || now_ns() - script->turn_ns < TURN_NS)
		return;
	sched_yield();
	script->turn_ns = now_ns();
}

static void count_allocation(struct script *script, size_t size)
{
	script->allocated += ALLOCATION_BYTES + size;
	if (script->allocated < ALLOCATED_BYTES)
		return;
	script->allocated = 0;
	script_give_way(script);
}

static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
	struct script *script = context;
	size_t others;
	void *memory;

	if (!old)
		old_size = 0; /* Lua passes the kind of object there */
	count_allocation(script, size);
	others = script->memory_used - old_size;
	if (size == 0) {
		free(old);
		script->memory_used = others;
		return NULL;
	}
	if (script->memory_limit && size > old_size &&
	    (size > script->memory_limit || others > script->memory_limit - size)) {
		script->place[0] = '\0';
		if (!old || size > STACK_MOST_BYTES)
			script_note_place(script);
		return NULL;
	}
	memory = realloc(old, size);
	if (memory)
		script->memory_used = others + size;
	else if (size <= old_size)
		return old; /* Lua counts on shrinking */
	return memory;
}

static int raise_ending(lua_State *lua, const struct script *script)
{
	if (script->ending == SCRIPT_EXITS)
		return luaL_error(lua, "os.exit(%d)", script->exit_code);
	lua_pushliteral(lua, "interrupted");
	return lua_error(lua);
}

/* No finalizer or pcall() gets more than the next look. */
static void spend(struct script *script)
{
	script->looks_left = 1;
	if (script->ending != SCRIPT_GOES_ON)
		return;
	script->ending = SCRIPT_SPENT;
	script->interrupted = 1; /* what waits gives up, too */
	script_note_place(script);
}

void script_look(lua_State *lua)
{
	struct script *script = script_of(lua);

	script_give_way(script);
	if (script->looks_left && --script->looks_left == 0)
		spend(script);
	if (script->ending == SCRIPT_GOES_ON && script->interrupted)
		script->ending = SCRIPT_INTERRUPTED;
	if (script->ending != SCRIPT_GOES_ON)
		script_end(lua, script->ending);
}

static void hook(lua_State *lua, lua_Debug *activation)
{
	(void)activation;
	script_look(lua);
	/* a coroutine that survived an interrupt */
	if (lua_gethookcount(lua) != HOOK_INSTRUCTIONS)
		lua_sethook(lua, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

int script_end(lua_State *lua, enum script_ending ending)
{
	struct script *script = script_of(lua);

	script->ending = ending;
	lua_sethook(lua, hook, LUA_MASKCOUNT, 1);
	lua_sethook(script->lua, hook, LUA_MASKCOUNT, 1);
	return raise_ending(lua, script);
}

static int open_state(lua_State *lua)
{
	const struct script_options *options = lua_touserdata(lua, 1);

	lua_pushboolean(lua, true);
	lua_setfield(lua, LUA_REGISTRYINDEX, "LUA_NOENV");
	luaL_openlibs(lua);
	lua_getglobal(lua, LUA_LOADLIBNAME);
	lua_pushstring(lua, options->package_path ? options->package_path : "");
	lua_setfield(lua, -2, "path");
	lua_pushliteral(lua, "");
	lua_setfield(lua, -2, "cpath");
	script_open_streams(lua);
	script_open_lib(lua);
	script_open_coroutines(lua);
	script_open_patterns(lua);
	script_open_bounded(lua);
	return 0;
}

struct script *script_new(const struct script_options *options, struct error *err)
{
	struct script *script = calloc(1, sizeof(*script));

	if (!script) {
		error_set(err, ERROR_NO_MEMORY, "no memory for a Lua state");
		return NULL;
	}
	script->exit_code = -1;
	script->memory_limit = options->memory_limit_bytes;
	script->gives_way = options->gives_way;
	script->millions_most = options->instruction_limit_millions;
	script->lua = lua_newstate(allocate, script);
	if (!script->lua) {
		error_set(err, ERROR_NO_MEMORY, "no memory for a Lua state");
		free(script);
		return NULL;
	}
	*(struct script **)lua_getextraspace(script->lua) = script;
	lua_pushcfunction(script->lua, open_state);
	lua_pushlightuserdata(script->lua, (void *)options);
	if (lua_pcall(script->lua, 1, 0, 0) != LUA_OK) {
		error_set(err, ERROR_NO_MEMORY, "cannot open a Lua state: %s", lua_tostring(script->lua, -1));
		script_free(script);
		return NULL;
	}
	lua_sethook(script->lua, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
	return script;
}

void script_free(struct script *script)
{
	if (!script)
		return;
	script->ending = SCRIPT_GOES_ON;
	script->interrupted = 0;
	script->looks_left = LOOKS_OF_CLOSING; /* finalizers run now, and nobody is there to interrupt them */
	lua_close(script->lua);
	script_close_streams(script);
	free(script);
}

lua_State *script_lua(struct script *script)
{
	return script->lua;
}

void script_on_print(struct script *script, script_print_fn *print, void *context)
{
	script->print = print;
	script->print_context = context;
}

void script_interrupt(struct script *script)
{
	script->interrupted = 1;
}

bool script_is_interrupted(const struct script *script)
{
	return script->interrupted != 0;
}

void script_clear_interrupt(struct script *script)
{
	script->interrupted = 0;
}

int script_exit_code(const struct script *script)
{
	return script->exit_code;
}

bool script_was_interrupted(const struct script *script)
{
	return script->was_interrupted;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static int run_protected(lua_State *lua)
{
	struct script_chunk *chunk = lua_touserdata(lua, 1);
	struct script *script = script_of(lua);
	int base;

	if (!script_compile(lua, chunk))
		return lua_error(lua);
	if (chunk->prepare)
		chunk->prepare(lua, chunk->context);
	chunk->compiled = true;
	base = lua_gettop(lua) - 1;
	lua_call(lua, 0, LUA_MULTRET);
	/* in a function of C, and the hook did not run since */
	if (script->interrupted && script->ending == SCRIPT_GOES_ON)
		script->ending = SCRIPT_INTERRUPTED;
	if (script->ending != SCRIPT_GOES_ON)
		return script_end(lua, script->ending);
	return lua_gettop(lua) - base;
}

static int run(struct script *script, struct script_chunk *chunk, int *results, struct error *err)
{
	lua_State *lua = script->lua;
	int base = lua_gettop(lua), status;

	if (!lua_checkstack(lua, LUA_MINSTACK))
		return error_set(err, ERROR_NO_MEMORY, "%s: no memory for Lua's stack", chunk->name);
	lua_pushcfunction(lua, script_on_error);
	lua_pushcfunction(lua, run_protected);
	lua_pushlightuserdata(lua, chunk);
	status = lua_pcall(lua, 1, LUA_MULTRET, base + 1);
	/* what a function of C that had to give up complains of is not the reason */
	if (status == LUA_ERRRUN && script->interrupted && script->ending == SCRIPT_GOES_ON)
		script->ending = SCRIPT_INTERRUPTED;
	if (status != LUA_OK) {
		int rc = script_fail(script, chunk, status, err);

		lua_settop(lua, base);
		return rc;
	}
	lua_remove(lua, base + 1);
	*results = lua_gettop(lua) - base;
	return 0;
}

/* Between two runs nothing is left of how the last one ended. */
static void settle(struct script *script)
{
	script->was_interrupted = script->ending == SCRIPT_INTERRUPTED;
	if (script->ending != SCRIPT_GOES_ON)
		lua_sethook(script->lua, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
	script->ending = SCRIPT_GOES_ON;
	script->interrupted = 0;
}

int script_run_chunk(struct script *script, struct script_chunk *chunk, int *results, struct error *err)
{
	struct script_chunk *outer = script->chunk;
	int rc;

	if (chunk->traceback)
		buf_clear(chunk->traceback);
	if (!outer) {
		script->exit_code = -1;
		script->looks_left = script->millions_most * (1000000 / HOOK_INSTRUCTIONS);
	}
	script->place[0] = '\0';
	if (script->interrupted) {
		script->ending = SCRIPT_INTERRUPTED;
		rc = error_set(err, ERROR_FAILED, "interrupted");
	} else {
		script->chunk = chunk;
		rc = run(script, chunk, results, err);
		script->chunk = outer;
	}
	/* a chunk inside another one leaves the ending to it */
	if (!outer)
		settle(script);
	return rc;
}

int script_run(struct script *script, struct slice text, const char *chunk, int *results, struct buf *traceback,
	       struct error *err)
{
	struct script_chunk job = { .text = text, .name = chunk, .try_expression = true, .traceback = traceback };

	return script_run_chunk(script, &job, results, err);
}
