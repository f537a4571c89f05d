/* SPDX-License-Identifier: MIT */
/* rpc.call() of a function that is Lua on the other node, like "app.list". */
#ifndef NODE_LUA_THERE_H
#define NODE_LUA_THERE_H

#include "base/error.h"

#include <lua.h>
#include <stdint.h>

struct evaluator;
struct value;

/*
 * Runs it there with the arguments from index `first` on, and waits: its first result is in the evaluator's `results`.
 * What it prints is said here. Never raises.
 */
int lua_there_call(lua_State *lua, struct evaluator *evaluator, const char *name, const char *function, int first,
		   int64_t timeout_ms, struct value **out, struct error *err);

#endif
