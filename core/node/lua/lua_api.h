/* SPDX-License-Identifier: MIT */
/*
 * The node's functions in Lua: node.*, rpc.*, app.*, release.*, help(), and a table for each component with operations
 * (kv.put …). Defined by tables of functions with their documentation, so that help() and the reference cannot differ
 * from what there is.
 */
#ifndef NODE_LUA_API_H
#define NODE_LUA_API_H

#include "base/error.h"
#include "base/slice.h"

#include <lua.h>

struct evaluator;

/* Fills the evaluator's state. */
int lua_api_define(struct evaluator *evaluator, struct error *err);

/* ---- between the files that make up the API ---- */

struct lua_doc {
	const char *name;   /* "put_env" */
	const char *params; /* "component, key, value" */
	const char *doc;    /* one sentence */
	lua_CFunction function;
};

struct evaluator *lua_api_evaluator(lua_State *lua);
/* Raises the message with the caller's position in front. */
int lua_api_raise(lua_State *lua, const struct error *err);
/* A global table of functions; each is known to help(). Leaves it on the stack. */
void lua_api_table(lua_State *lua, const char *table, const struct lua_doc *docs, size_t count);
/* Makes the function on top of the stack known to help(). */
void lua_api_document(lua_State *lua, const char *table, const char *name, const char *params, const char *doc);

/* "kv.put(bucket, key, value)" of the function at `index`, NULL when help() does not know it. Lives as long as the
 * state. */
const char *lua_api_signature(lua_State *lua, int index);
/* "kv.put" …: all that help() knows, in the order of definition. */
void lua_api_each_function(lua_State *lua, void (*visit)(void *context, struct slice name), void *context);

/* The parts, each called once by lua_api_define() under protection. */
void lua_api_node(lua_State *lua);
void lua_api_app(lua_State *lua);
void lua_api_components(lua_State *lua);
void lua_api_help(lua_State *lua);
void lua_api_io(lua_State *lua);

#endif
