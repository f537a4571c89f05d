/* SPDX-License-Identifier: MIT */
/* node.*, rpc.* and release.* in Lua. */
#include "base/control.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/evaluate.h"
#include "node/lua_api.h"
#include "node/node.h"

#include <lauxlib.h>
#include <string.h>

static struct node *node_of(lua_State *lua)
{
	return lua_api_evaluator(lua)->node;
}

static bool is_alive(const struct node *node)
{
	return node->state == NODE_RUNNING && node->release.distribution != DISTRIBUTION_NONE;
}

static int node_name(lua_State *lua)
{
	lua_pushstring(lua, node_of(lua)->release.node);
	return 1;
}

/* Other nodes that this one has a link to: links need distribution 'name'. */
static int node_list(lua_State *lua)
{
	lua_newtable(lua);
	return 1;
}

static int other_node(lua_State *lua, const char *name)
{
	return luaL_error(lua, "cannot reach node '%s': links to other nodes are not supported yet", name);
}

static int node_ping(lua_State *lua)
{
	struct node *node = node_of(lua);
	const char *name = luaL_checkstring(lua, 1);
	if (strcmp(name, node->release.node) != 0)
		return other_node(lua, name);
	lua_pushboolean(lua, is_alive(node));
	return 1;
}

static int node_connect(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1);
	if (strcmp(name, node_of(lua)->release.node) != 0)
		return other_node(lua, name);
	lua_pushboolean(lua, is_alive(node_of(lua)));
	return 1;
}

static void end_node(void *context)
{
	node_end(context, NODE_END_STOP, "node.stop()");
}

static int node_stop_lua(lua_State *lua)
{
	struct node *node = node_of(lua);
	if (node->state != NODE_RUNNING)
		return luaL_error(lua, "no node runs here");
	mainloop_call(&node->main, end_node, node);
	return 0;
}

static int node_log_level(lua_State *lua)
{
	enum log_level level;
	if (!lua_isnoneornil(lua, 1)) {
		if (!log_level_parse(luaL_checkstring(lua, 1), &level))
			return luaL_argerror(lua, 1, "expected debug, info, notice, warn or error");
		log_set_level(level);
	}
	lua_pushstring(lua, log_level_name(log_level()));
	return 1;
}

/* "kv.get" → the function; the caller's own globals count. */
static void push_function(lua_State *lua, const char *name)
{
	struct slice rest = slice_of(name);
	lua_pushglobaltable(lua);
	while (rest.size > 0) {
		struct slice head;
		slice_split(rest, '.', &head, &rest);
		if (!lua_istable(lua, -1))
			break;
		lua_pushlstring(lua, head.data, head.size);
		lua_gettable(lua, -2);
		lua_remove(lua, -2);
	}
	if (!lua_isfunction(lua, -1))
		luaL_error(lua, "rpc.call: there is no function '%s'", name);
}

static int rpc_call(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1);
	const char *function = luaL_checkstring(lua, 2);
	if (strcmp(name, node_of(lua)->release.node) != 0)
		return other_node(lua, name);
	push_function(lua, function);
	lua_replace(lua, 2);
	lua_call(lua, lua_gettop(lua) - 2, LUA_MULTRET);
	return lua_gettop(lua) - 1;
}

static const struct lua_doc node_docs[] = {
	{ "name", "", "this node's name", node_name },
	{ "list", "", "the other nodes that this one is linked to", node_list },
	{ "ping", "node", "true when the node answers", node_ping },
	{ "connect", "node", "links this node to another one", node_connect },
	{ "stop", "", "stops this node in good order", node_stop_lua },
	{ "log_level", "[level]", "sets the log's level when given; returns it", node_log_level },
};

static const struct lua_doc rpc_docs[] = {
	{ "call", "node, function, …", "calls a function like \"kv.get\" on a node", rpc_call },
};

static void set_field(lua_State *lua, const char *key, const char *value)
{
	lua_pushstring(lua, value);
	lua_setfield(lua, -2, key);
}

void lua_api_node(lua_State *lua)
{
	const struct node *node = node_of(lua);
	lua_api_table(lua, "node", node_docs, ARRAY_LEN(node_docs));
	lua_api_table(lua, "rpc", rpc_docs, ARRAY_LEN(rpc_docs));
	lua_pop(lua, 2);
	lua_createtable(lua, 0, 3);
	set_field(lua, "name", node->sys.release_name);
	set_field(lua, "version", node->sys.release_version);
	set_field(lua, "root", node->release.root);
	lua_setglobal(lua, "release");
}
