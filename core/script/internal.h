/* SPDX-License-Identifier: MIT */
/* What the files of core/script share with each other. */
#ifndef SCRIPT_INTERNAL_H
#define SCRIPT_INTERNAL_H

#include "script/script.h"

#include <stdatomic.h>
#include <stdio.h>

struct script_chunk;

enum script_ending { SCRIPT_GOES_ON, SCRIPT_INTERRUPTED, SCRIPT_EXITS, SCRIPT_SPENT };

struct script {
	lua_State *lua;
	size_t memory_used;
	size_t memory_limit; /* 0: none */
	_Atomic int interrupted;
	enum script_ending ending;  /* why everything that runs has to end now */
	struct script_chunk *chunk; /* the one that runs, NULL: none */
	int exit_code;
	bool was_interrupted;
	bool gives_way;
	int64_t turn_ns;             /* since when it has the processor */
	size_t allocated;            /* since the clock was read */
	unsigned millions_most;      /* instructions of one run, 0: no limit */
	unsigned looks_left;         /* before what runs, or finalizers at the end, must end; 0: no limit */
	char place[LUA_IDSIZE + 16]; /* where memory was refused or no look was left, "": neither */
	script_print_fn *print;
	void *print_context;
	FILE *streams[SCRIPT_STREAM_COUNT]; /* NULL: Lua's own */
	unsigned programs;                  /* of io.popen(), not closed yet */
	bool warns;
	bool warning_goes_on; /* the last piece was not the end of one */
};

/* What to run: compiled as statements, or first as an expression when that is wished. */
struct script_chunk {
	struct slice text;
	const char *name;
	bool try_expression;
	/* NULL, or called with the compiled function on top of the stack and left there, e.g. to set its environment */
	void (*prepare)(lua_State *lua, void *context);
	void *context;
	struct buf *traceback;
	/* filled while it runs */
	bool compiled;
};

struct script *script_of(lua_State *lua);
/* Leaves a function or a message on the stack. Text only: compiled chunks can crash the interpreter. */
int script_load(lua_State *lua, struct slice text, const char *name, bool as_expression);
/* A function on the stack, or the message that helps more: of `1 +` the expression's, which breaks off at the end. */
bool script_compile(lua_State *lua, const struct script_chunk *chunk);
/* Called where an error is raised, with the error on the stack: makes it a text, with the chunk's traceback. */
int script_on_error(lua_State *lua);
/* The error of a chunk that ended with `status`, from the message on the stack. */
int script_fail(struct script *script, const struct script_chunk *chunk, int status, struct error *err);
/* Memory is refused here. */
void script_note_place(struct script *script);
/* As script_run(); the results are on the stack. */
int script_run_chunk(struct script *script, struct script_chunk *chunk, int *results, struct error *err);
/* Sets `ending` and raises; all the protected calls of the chunk are left as fast as they are entered. */
int script_end(lua_State *lua, enum script_ending ending);
/* For long loops in C: raises when everything has to end; lets others on the processor. Every few thousand steps. */
void script_look(lua_State *lua);
/* Calls Lua's own function, the upvalue, with all arguments; its results are the caller's. */
int script_call_own(lua_State *lua);
/* Each replaces functions of Lua's library. Raises. */
void script_open_patterns(lua_State *lua);
void script_open_bounded(lua_State *lua);
void script_open_coroutines(lua_State *lua);
/* Replaces print, io.stdout, what runs programs, and where warnings go. Raises. */
void script_open_streams(lua_State *lua);
/* After the state, whose finalizers may still use them. */
void script_close_streams(struct script *script);
/* What is refused, what would hold up an end, what would load code of the host. Raises. */
void script_open_lib(lua_State *lua);

#endif
