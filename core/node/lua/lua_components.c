/* SPDX-License-Identifier: MIT */
/*
 * A table for each component that has operations, made from the component's own list: nothing here knows kv. Arguments
 * are strings (numbers are written as such); results become Lua values; what is not OK is raised.
 */
#include "base/scope.h"
#include "node/components/call.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <string.h>

enum { ARGS_MAX = 1024, NAME_SHOWN_BYTES = 100 };

struct taken {
	struct arena *arena;
	size_t most_items; /* 0: any number */
	struct value *value;
	char reason[256];
	size_t reason_size;
};

/* Runs on the provider's thread while ours waits: it must not touch the Lua state. */
static void take(void *context, const struct kvrel_result *result)
{
	struct taken *taken = context;
	if (result->status == KVREL_OK && taken->most_items > 0 && result->count > taken->most_items) {
		taken->value = value_null(taken->arena);
		return;
	}
	if (result->status == KVREL_OK) {
		taken->value = call_result_value(taken->arena, result);
		return;
	}
	size_t size = result->bytes.size < sizeof(taken->reason) ? result->bytes.size : sizeof(taken->reason);
	if (size > 0)
		memcpy(taken->reason, result->bytes.data, size);
	taken->reason_size = size;
}

/* "bucket 'shopping' not found": the first argument names what an operation works on (component.h). */
static const char *push_not_found(lua_State *lua, const struct net_op *op, const struct kvrel_slice *args, int count)
{
	struct slice name;
	struct slice others;
	luaL_Buffer text;
	slice_split(slice_of(op->ref.op->params != NULL ? op->ref.op->params : ""), ',', &name, &others);
	if (count == 0 || name.size == 0 || name.data[0] == '[')
		return lua_pushliteral(lua, "not found");
	luaL_buffinit(lua, &text);
	luaL_addlstring(&text, name.data, name.size);
	luaL_addstring(&text, " '");
	for (size_t i = 0; i < args[0].size && i < NAME_SHOWN_BYTES; i++) {
		unsigned char c = (unsigned char)args[0].data[i];
		luaL_addchar(&text, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
	luaL_addstring(&text, args[0].size > NAME_SHOWN_BYTES ? "…' not found" : "' not found");
	luaL_pushresult(&text);
	return lua_tostring(lua, -1);
}

static int raise_status(lua_State *lua, const struct component *component, const struct net_op *op,
			enum kvrel_status status, const struct taken *taken, const char *not_found)
{
	static const char *const defaults[] = { "", "", "wrong arguments", "it could not be done" };
	lua_pushlstring(lua, taken->reason, taken->reason_size);
	const char *reason = taken->reason_size > 0      ? lua_tostring(lua, -1)
			     : status == KVREL_NOT_FOUND ? not_found
							 : defaults[status];
	return luaL_error(lua, "%s.%s: %s", component->sys->name, op->ref.op->name, reason);
}

/* Upvalues: the component, the operation. */
static int call_op(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	struct component *component = lua_touserdata(lua, lua_upvalueindex(1));
	const struct net_op *op = lua_touserdata(lua, lua_upvalueindex(2));
	int count = lua_gettop(lua);
	struct error err;
	if (component->state != COMPONENT_STARTED)
		return luaL_error(lua, "component %s is not started (app.start(\"%s\"))", component->sys->name,
				  component->sys->name);
	if (call_check_count(component, op, (size_t)count, &err) != 0)
		return lua_api_raise(lua, &err);
	if (count > ARGS_MAX)
		return luaL_error(lua, "more than %d arguments", ARGS_MAX);
	struct kvrel_slice *args = lua_newuserdatauv(lua, sizeof(*args) * ((size_t)count + 1), 0);
	for (int i = 0; i < count; i++)
		args[i].data = luaL_checklstring(lua, i + 1, &args[i].size);
	arena_done(evaluator->results);
	script_give_way(evaluator->script);
	struct taken taken = { .arena = evaluator->results, .most_items = evaluator->most_items };
	enum kvrel_status status =
		call_wait(&evaluator->node->components, component, op, args, (uint32_t)count, take, &taken);
	if (status != KVREL_OK)
		return raise_status(lua, component, op, status, &taken, push_not_found(lua, op, args, count));
	script_push_value(lua, taken.value);
	return 1;
}

static bool has_field(lua_State *lua, const char *name)
{
	bool found = lua_getfield(lua, -1, name) != LUA_TNIL;
	lua_pop(lua, 1);
	return found;
}

/* A component may bear the name of a table of Lua's or ours: its operations join what is there and replace nothing. One
 * that is called like a function is left to front-ends and to rpc.call() of other nodes. */
static void define_component(lua_State *lua, struct component *component)
{
	const struct kvrel_component *table = component->table;
	int there = lua_getglobal(lua, component->sys->name);
	if (there != LUA_TNIL && there != LUA_TTABLE) {
		lua_pop(lua, 1);
		return;
	}
	if (there == LUA_TNIL) {
		lua_pop(lua, 1);
		lua_createtable(lua, 0, (int)table->op_count);
	}
	for (size_t i = 0; i < table->op_count; i++) {
		if ((table->ops[i].flags & KVREL_OP_WAITS) != 0 || has_field(lua, table->ops[i].name))
			continue;
		lua_pushlightuserdata(lua, component);
		lua_pushlightuserdata(lua, &component->ops[i]);
		lua_pushcclosure(lua, call_op, 2);
		const struct kvrel_op *op = &table->ops[i];
		lua_api_document(lua, component->sys->name, op->name, op->params != NULL ? op->params : "",
				 op->doc != NULL ? op->doc : "");
		lua_setfield(lua, -2, op->name);
	}
	lua_setglobal(lua, component->sys->name);
}

void lua_api_components(lua_State *lua)
{
	struct components *components = &lua_api_evaluator(lua)->node->components;
	for (size_t i = 0; i < components->count; i++) {
		struct component *component = &components->items[i];
		if (component->state == COMPONENT_DEFINED || component->table->op_count == 0)
			continue;
		/* once a state: what was opened since is added later */
		if (lua_rawgetp(lua, LUA_REGISTRYINDEX, component) == LUA_TNIL) {
			define_component(lua, component);
			lua_pushboolean(lua, true);
			lua_rawsetp(lua, LUA_REGISTRYINDEX, component);
		}
		lua_pop(lua, 1);
	}
}
