/* SPDX-License-Identifier: MIT */
/*
 * What the Tab key offers in a console. Names come from the state itself, read raw, so that looking runs no code of the
 * user. Inside quotes an argument is completed by what help() knows of the function that is being called: a parameter
 * `component`, `node`, `function` or `level` by those, a parameter NAME of COMPONENT's operation by its operation
 * NAMEs, if it has one: so kv.get(" offers what kv.buckets() returns, and nothing here knows kv.
 */
#ifndef NODE_LUA_COMPLETE_H
#define NODE_LUA_COMPLETE_H

#include "base/buf.h"

struct evaluator;

/* On the state's thread. `line` is the text up to the cursor; `out` gets the payload of COMPLETIONS. Never raises. */
void lua_complete(struct evaluator *evaluator, struct slice line, struct buf *out);

#endif
