/* SPDX-License-Identifier: MIT */
/* app.* in Lua: components and their settings, in OTP's words. */
#include "base/scope.h"
#include "node/components/supervise.h"
#include "node/config/reload.h"
#include "node/config/schema_parts.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <string.h>

static struct node *node_of(lua_State *lua)
{
	return lua_api_evaluator(lua)->node;
}

static struct component *check_component(lua_State *lua, int index)
{
	const char *name = luaL_checkstring(lua, index);
	struct component *component = component_find(&node_of(lua)->components, name);
	if (component == NULL)
		luaL_error(lua, "this release has no component '%s'", name);
	return component;
}

static int app_list(lua_State *lua)
{
	const struct components *components = &node_of(lua)->components;
	lua_createtable(lua, (int)components->count, 0);
	for (size_t i = 0; i < components->count; i++) {
		const struct component *component = &components->items[i];
		lua_createtable(lua, 0, 4);
		script_set_text(lua, "name", component->sys->name);
		script_set_text(lua, "version", component->sys->version);
		script_set_text(lua, "mode", component_mode_name(component->sys->mode));
		script_set_text(lua, "state", component_state_name(component->state));
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* ---- starting and stopping, on the main thread ---- */

struct change {
	struct node *node;
	struct component *component;
	int rc;
	struct error err;
};

static void start_on_main(void *context)
{
	struct change *change = context;
	change->rc = node_make_folders(change->node, &change->err);
	if (change->rc == 0)
		change->rc = component_start(&change->node->components, change->component, true, &change->err);
	if (change->rc == 0)
		supervise_resume(change->node);
}

static void stop_on_main(void *context)
{
	struct change *change = context;
	change->rc = component_stop(&change->node->components, change->component, &change->err);
}

static int change_component(lua_State *lua, void (*function)(void *context))
{
	struct change change = { .node = node_of(lua), .component = check_component(lua, 1) };
	if (!mainloop_call(&change.node->main, function, &change))
		return luaL_error(lua, "the node is stopping");
	if (change.rc != 0)
		return lua_api_raise(lua, &change.err);
	lua_api_components(lua); /* what was opened just now has operations */
	return 0;
}

static int app_start(lua_State *lua)
{
	return change_component(lua, start_on_main);
}

static int app_stop(lua_State *lua)
{
	return change_component(lua, stop_on_main);
}

/* ---- settings: read and changed on the main thread, too ---- */

struct reading {
	struct node *node;
	const char *component;
	const char *key; /* NULL: all of them */
	struct arena arena;
	struct value *value;
	bool known;
};

static struct value *shown_value(struct arena *arena, const struct setting *setting)
{
	return config_copy_value(arena, schema_masked(arena, setting->schema, setting->value));
}

static void read_on_main(void *context)
{
	struct reading *reading = context;
	const struct config_component *component = config_component(&reading->node->config, reading->component);
	if (component == NULL)
		return;
	if (reading->key != NULL) {
		const struct setting *setting =
			config_setting(&reading->node->config, reading->component, reading->key);
		reading->known = setting != NULL;
		if (setting != NULL)
			reading->value = shown_value(&reading->arena, setting);
		return;
	}
	reading->known = true;
	reading->value = value_map(&reading->arena);
	for (size_t i = 0; i < component->count; i++)
		value_map_add(&reading->arena, reading->value, slice_of(component->settings[i].key),
			      shown_value(&reading->arena, &component->settings[i]));
}

static int app_env(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	struct reading reading = {
		.node = evaluator->node,
		.component = check_component(lua, 1)->sys->name,
		.key = luaL_optstring(lua, 2, NULL),
	};
	arena_done(evaluator->results);
	if (!mainloop_call(&reading.node->main, read_on_main, &reading))
		return luaL_error(lua, "the node is stopping");
	*evaluator->results = reading.arena;
	if (!reading.known)
		return luaL_error(lua, "component '%s' has no setting '%s'", reading.component, reading.key);
	script_push_value(lua, reading.value);
	return 1;
}

struct writing {
	struct node *node;
	struct component *component;
	const char *key;
	struct value *value;
	int rc;
	struct error err;
};

static void write_on_main(void *context)
{
	struct writing *writing = context;
	writing->rc = reload_setting(writing->node, writing->component, writing->key, writing->value, &writing->err);
}

static int app_put_env(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	struct writing writing = {
		.node = evaluator->node,
		.component = check_component(lua, 1),
		.key = luaL_checkstring(lua, 2),
	};
	luaL_checkany(lua, 3);
	arena_done(evaluator->results);
	if (script_to_value(lua, 3, evaluator->results, &writing.value, &writing.err) != 0)
		return lua_api_raise(lua, &writing.err);
	if (!mainloop_call(&writing.node->main, write_on_main, &writing))
		return luaL_error(lua, "the node is stopping");
	if (writing.rc != 0)
		return lua_api_raise(lua, &writing.err);
	return 0;
}

static const struct lua_doc docs[] = {
	{ "list", "", "the components with version, mode and state", app_list },
	{ "start", "component", "starts a component and what it depends on", app_start },
	{ "stop", "component", "stops a component", app_stop },
	{ "env", "component, [key]", "the value of a setting, or all of them", app_env },
	{ "put_env", "component, key, value", "changes a setting that can change while the node runs", app_put_env },
};

void lua_api_app(lua_State *lua)
{
	lua_api_table(lua, "app", docs, ARRAY_LEN(docs));
	lua_pop(lua, 1);
}
