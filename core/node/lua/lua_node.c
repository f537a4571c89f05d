/* SPDX-License-Identifier: MIT */
/* node.*, rpc.* and release.* in Lua. */
#include "base/control.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "node/components/call.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"
#include "node/lua/lua_there.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <stdio.h>
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

/* Nothing is raised while they are a buffer's. */
static struct slice copy_names(struct evaluator *evaluator, struct dist *dist)
{
	SCOPE(buf_done) struct buf names = { 0 };
	dist_list(dist, &names);
	arena_done(evaluator->results);
	return (struct slice){ arena_copy(evaluator->results, buf_slice(&names)), names.size };
}

/* Other nodes that this one has a link to. */
static int node_list(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	struct dist *dist = evaluator->node->dist;
	struct slice rest;
	lua_newtable(lua);
	if (dist == NULL)
		return 1;
	rest = copy_names(evaluator, dist);
	for (lua_Integer i = 1; rest.size > 0; i++) {
		struct slice name;
		slice_split(rest, '\0', &name, &rest);
		lua_pushlstring(lua, name.data, name.size);
		lua_rawseti(lua, -2, i);
	}
	return 1;
}

enum { PING_MS = 5000, CALL_MS = 30000, CALL_ARGS_MAX = 1024, FUNCTION_MAX = 200 };

struct answer {
	struct arena *arena;
	struct value *value;
	char reason[512];
};

/* On the links' thread while ours waits: it must not touch the Lua state. */
static void take_answer(void *context, const struct kvrel_result *result)
{
	struct answer *answer = context;
	if (result->status == KVREL_OK)
		answer->value = call_result_value(answer->arena, result);
	else
		snprintf(answer->reason, sizeof(answer->reason), "%.*s", (int)result->bytes.size, result->bytes.data);
}

/* An empty reason when the other node answered. */
static void ask_node(lua_State *lua, const char *name, struct answer *answer)
{
	struct dist *dist = node_of(lua)->dist;
	const struct dist_request request = { .node = name, .timeout_ms = PING_MS };
	struct slice part;
	struct slice host;
	uint16_t port;
	if (!text_split_node(slice_of(name), &part, &host, &port) || host.size == 0)
		luaL_error(lua, "'%s' is no node name (expected NAME@HOST)", name);
	if (dist == NULL)
		luaL_error(lua, "cannot reach node '%s': this node has no links to others", name);
	dist_call(dist, &request, NULL, 0, take_answer, answer);
}

static int node_ping(lua_State *lua)
{
	struct node *node = node_of(lua);
	const char *name = luaL_checkstring(lua, 1);
	struct answer answer = { .arena = lua_api_evaluator(lua)->results };
	if (strcmp(name, node->release.node) == 0) {
		lua_pushboolean(lua, is_alive(node));
		return 1;
	}
	ask_node(lua, name, &answer);
	lua_pushboolean(lua, answer.reason[0] == '\0');
	return 1;
}

/* As ping, but says why not. */
static int node_connect(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1);
	struct answer answer = { .arena = lua_api_evaluator(lua)->results };
	if (strcmp(name, node_of(lua)->release.node) == 0) {
		lua_pushboolean(lua, is_alive(node_of(lua)));
		return 1;
	}
	ask_node(lua, name, &answer);
	if (answer.reason[0] != '\0')
		return luaL_error(lua, "%s", answer.reason);
	lua_pushboolean(lua, true);
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
			luaL_error(lua, "rpc.call: there is no function '%s'", name);
		lua_pushlstring(lua, head.data, head.size);
		lua_gettable(lua, -2);
		lua_remove(lua, -2);
	}
	if (!lua_isfunction(lua, -1))
		luaL_error(lua, "rpc.call: there is no function '%s'", name);
}

/* A function of the other node's Lua. */
static int run_there(lua_State *lua, const char *name, const char *function)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	struct value *value = NULL;
	struct error err;
	arena_done(evaluator->results);
	if (lua_there_call(lua, evaluator, name, function, 3, CALL_MS, &value, &err) != 0)
		return luaL_error(lua, "%s: %s", function, err.message);
	script_push_value(lua, value);
	return 1;
}

/* The project has a component of that name; here it may be another release's. */
static bool is_operation(const struct node *node, const char *function)
{
	char name[FUNCTION_MAX + 1];
	size_t size = strcspn(function, ".");
	memcpy(name, function, size);
	name[size] = '\0';
	return sys_project_has(&node->sys, name);
}

/* An operation of a component there: the other node checks name and arguments. */
static int call_there(lua_State *lua, const char *name, const char *function)
{
	static const char *const defaults[] = { "", "not found", "wrong arguments", "it could not be done" };
	struct evaluator *evaluator = lua_api_evaluator(lua);
	int count = lua_gettop(lua) - 2;
	const char *dot = strchr(function, '.');
	if (evaluator->node->dist == NULL)
		return luaL_error(lua, "cannot reach node '%s': this node has no links to others", name);
	if (strlen(function) > FUNCTION_MAX)
		return luaL_error(lua, "rpc.call: there is no function '%s'", function);
	if (dot == NULL || !is_operation(evaluator->node, function))
		return run_there(lua, name, function);
	if (count > CALL_ARGS_MAX)
		return luaL_error(lua, "more than %d arguments", CALL_ARGS_MAX);
	struct kvrel_slice *args = lua_newuserdatauv(lua, sizeof(*args) * ((size_t)count + 1), 0);
	for (int i = 0; i < count; i++)
		args[i].data = luaL_checklstring(lua, i + 3, &args[i].size);
	arena_done(evaluator->results);
	const struct kvrel_op op = { .name = dot + 1, .flags = KVREL_OP_WRITE };
	const struct dist_request request = {
		.node = name,
		.component = arena_copy(evaluator->results, (struct slice){ function, (size_t)(dot - function) }),
		.op = &op,
		.timeout_ms = CALL_MS,
		.direct = true,
	};
	struct answer answer = { .arena = evaluator->results };
	enum kvrel_status status =
		dist_call(evaluator->node->dist, &request, args, (uint32_t)count, take_answer, &answer);
	if (status != KVREL_OK)
		return luaL_error(lua, "%s: %s", function, answer.reason[0] != '\0' ? answer.reason : defaults[status]);
	script_push_value(lua, answer.value);
	return 1;
}

static int rpc_call(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1);
	const char *function = luaL_checkstring(lua, 2);
	if (strcmp(name, node_of(lua)->release.node) != 0)
		return call_there(lua, name, function);
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
	{ "call", "node, function, …", "calls a function like \"kv.get\" or \"app.list\" on a node", rpc_call },
};

void lua_api_node(lua_State *lua)
{
	const struct node *node = node_of(lua);
	lua_api_table(lua, "node", node_docs, ARRAY_LEN(node_docs));
	lua_api_table(lua, "rpc", rpc_docs, ARRAY_LEN(rpc_docs));
	lua_pop(lua, 2);
	lua_createtable(lua, 0, 3);
	script_set_text(lua, "name", node->sys.release_name);
	script_set_text(lua, "version", node->sys.release_version);
	script_set_text(lua, "root", node->release.root);
	lua_setglobal(lua, "release");
}
