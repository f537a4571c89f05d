/* SPDX-License-Identifier: MIT */
/*
 * Lua 5.4, embedded once. Templates, runtime configuration, user commands and the console all make their states here,
 * so that every one of them has the same library, the same limits and never loads host modules: package.path and
 * package.cpath are set by the caller, LUA_* variables are ignored. Modules in C, compiled chunks and what of debug
 * reaches into functions of C are refused; the locale stays "C". A finalizer (__gc) is put behind a guard when
 * setmetatable() sees it, so that it can be interrupted; what finalizers do when the state is freed ends after ten
 * million instructions.
 *
 * A state belongs to one thread at a time. script_interrupt() alone may be called from any thread or a signal handler.
 */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include "base/error.h"
#include "base/value.h"

#include <lua.h>
#include <sys/types.h>

struct script_options {
	const char *package_path;            /* NULL: no file modules */
	size_t memory_limit_bytes;           /* 0: none */
	unsigned instruction_limit_millions; /* of one run, 0: none. Unlike a time the same on every host */
	bool gives_way; /* while it runs others that want its processor get it soon: sched_yield() now and then */
};

/* print() and io.stdout of the state go here instead of stdout. Called on the state's thread. */
typedef void script_print_fn(void *context, struct slice text);

enum script_stream { SCRIPT_STDIN, SCRIPT_STDOUT, SCRIPT_STDERR, SCRIPT_STREAM_COUNT };

/* As fopencookie() takes them; called on the state's thread, and must not raise. */
struct script_stream_functions {
	ssize_t (*read)(void *context, char *to, size_t room);
	ssize_t (*write)(void *context, const char *data, size_t size);
};

struct script; /* owns the lua_State */
struct script *script_new(const struct script_options *options, struct error *err);
void script_free(struct script *script);
/* Programs of io.popen() that were not closed: script_free() will wait for them, as Lua does. */
bool script_waits_at_its_end(const struct script *script);
lua_State *script_lua(struct script *script);
void script_on_print(struct script *script, script_print_fn *print, void *context);
/* Once a state and stream. May raise a Lua error (no memory): for functions called by Lua. */
void script_set_stream(lua_State *lua, enum script_stream which, const struct script_stream_functions *functions,
		       void *context);

/*
 * Compiles `text` as an expression, or else as statements, and runs it. On success the results are on the stack,
 * their number in *results. `chunk` names it in messages ("rel/runtime.lua", "(eval)").
 * On failure `err` holds one line ("rel/runtime.lua:3: …") and `traceback` (may be NULL) message and traceback.
 */
int script_run(struct script *script, struct slice text, const char *chunk, int *results, struct buf *traceback,
	       struct error *err);
/* How the last script_run() ended. os.exit() in a chunk ends the chunk, never the process: script_run() fails, and
 * this is the exit code it asked for, 0 to 255; else -1. */
int script_exit_code(const struct script *script);
bool script_was_interrupted(const struct script *script);
/* True when `text` compiles as statements. */
bool script_compiles(struct script *script, struct slice text);
/* True when `text` fails to compile only because it ends too early: a console then asks for another line. */
bool script_is_incomplete(struct script *script, struct slice text);
/* Whether script_run() could compile it; nothing runs. `err` is as there. */
int script_check(struct script *script, struct slice text, const char *chunk, struct error *err);
/* Ends the running chunk, or the next one when none is running, with the error "interrupted"; pcall() in the chunk
 * cannot hold it up. Patterns and the functions of tables look for it; others of C (a read, a program that is waited
 * for) are finished first. Any thread, signal-safe. */
void script_interrupt(struct script *script);
/* It was interrupted and has not ended yet: what waits on its behalf should give up. Any thread. */
bool script_is_interrupted(const struct script *script);
/* Forgets an interrupt that came while nothing was running: for consoles, before each new line. */
void script_clear_interrupt(struct script *script);
/* For functions of C that the state calls and that take microseconds: lets others on the processor when it is time. */
void script_give_way(struct script *script);

/* Readable text of the value at `index`: strings plain at top level and quoted inside tables; tables on one line when
 * short, else indented, list items first, then the keys sorted; depth and length limited, cycles shown. Never raises.
 */
void script_show(struct script *script, int index, struct buf *out);
/* A text for a terminal: lines and tabs as they are, what else a terminal would obey as \xNN. */
void script_show_text(struct slice text, struct buf *out);
/* Lua value ↔ tree. A table with keys 1..n is a list (an empty one a map), functions and the like an error, as are
 * tables with holes or with both kinds of keys. Maps come sorted by key. script_to_value() never raises; what it makes
 * counts as memory of the state, and an interrupt ends it. */
int script_to_value(lua_State *lua, int index, struct arena *arena, struct value **out, struct error *err);
/* May raise a Lua error (no memory): for functions called by Lua. null becomes nil: a key that is not there. */
void script_push_value(lua_State *lua, const struct value *value);
/* A field of the table on top. May raise. */
void script_set_text(lua_State *lua, const char *key, const char *text);

#endif
