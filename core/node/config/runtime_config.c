/* SPDX-License-Identifier: MIT */
/*
 * The file runs in a state of its own with the whole of Lua's library and a few functions more. config() only records:
 * what the settings may be is decided later, over all layers at once, so that one run reports all mistakes.
 *
 * Relative paths count from the bundle's root, wherever the node is started from.
 *
 * tonumber() of an environment variable that holds no number is an error here. In plain Lua it is nil, and
 * config("x", {port = tonumber(env("PORT"))}) would silently fall back to the default when somebody mistypes PORT.
 */
#include "node/config/runtime_config.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "script/script.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { RUNTIME_FILE_MAX_BYTES = 16 << 20, RUNTIME_MEMORY_BYTES = 256 << 20 /* as a console has */ };

struct run {
	struct arena *arena;
	struct arena scratch; /* of the last file read: Lua has its own copy, which counts */
	const struct release *release;
	const struct sys *sys;
	const char *shown;
	struct config_layers *layers;
};

static const char run_key; /* its address is the registry key of the struct run */
static const char env_key; /* … and this one's of the table: value of a variable → its name */

static struct run *run_of(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &run_key);
	struct run *run = lua_touserdata(lua, -1);
	lua_pop(lua, 1);
	return run;
}

/* Raises what `err` says with the position of the caller in front. */
static int raise(lua_State *lua, const struct error *err)
{
	return luaL_error(lua, "%s", err->message);
}

/* config("kv") without settings: what all before have said. */
static int settings_so_far(lua_State *lua, const struct run *run, const char *component)
{
	struct value *settings =
		run->layers->so_far != NULL ? run->layers->so_far(run->layers->context, component) : NULL;
	if (settings == NULL)
		lua_newtable(lua);
	else
		script_push_value(lua, settings);
	return 1;
}

static int lua_config(lua_State *lua)
{
	struct run *run = run_of(lua);
	const char *component = luaL_checkstring(lua, 1);
	if (lua_gettop(lua) == 1)
		return settings_so_far(lua, run, component);
	luaL_checktype(lua, 2, LUA_TTABLE);
	struct error err;
	struct value *settings = NULL;
	if (script_to_value(lua, 2, run->arena, &settings, &err) != 0)
		return raise(lua, &err);
	if (settings->type == VALUE_LIST)
		return luaL_argerror(lua, 2, "expected a table of settings by name, got a list");
	struct origin origin = { .file = run->shown };
	lua_Debug debug;
	if (lua_getstack(lua, 1, &debug) != 0 && lua_getinfo(lua, "l", &debug) != 0 && debug.currentline > 0)
		origin.line = (uint32_t)debug.currentline;
	config_stamp(settings, &origin, true);
	config_layers_add(run->arena, run->layers, arena_string(run->arena, component), settings, &origin);
	return 0;
}

static int lua_env(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 1);
	const char *value = getenv(name);
	if (value == NULL) {
		if (lua_gettop(lua) < 2)
			return luaL_error(lua, "environment variable %s is not set", name);
		lua_settop(lua, 2);
		return 1;
	}
	lua_pushstring(lua, value);
	if (value[0] != '\0') {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &env_key);
		lua_pushvalue(lua, -2);
		lua_pushstring(lua, name);
		lua_rawset(lua, -3);
		lua_pop(lua, 1);
	}
	return 1;
}

/* Upvalue 1: Lua's own tonumber. */
static int lua_number(lua_State *lua)
{
	luaL_checkany(lua, 1); /* here, where Lua knows the caller's line */
	if (!lua_isnoneornil(lua, 2)) {
		lua_Integer base = luaL_checkinteger(lua, 2);
		luaL_checktype(lua, 1, LUA_TSTRING);
		luaL_argcheck(lua, base >= 2 && base <= 36, 2, "base out of range");
	}
	lua_settop(lua, 2);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_pushvalue(lua, 1);
	lua_pushvalue(lua, 2);
	lua_call(lua, 2, 1);
	if (lua_isnil(lua, -1) && lua_type(lua, 1) == LUA_TSTRING) {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &env_key);
		lua_pushvalue(lua, 1);
		if (lua_rawget(lua, -2) == LUA_TSTRING)
			return luaL_error(lua, "environment variable %s is not a number", lua_tostring(lua, -1));
		lua_pop(lua, 2);
	}
	return 1;
}

typedef int parse_fn(struct arena *arena, const char *path, struct value **out, struct error *err);

static int parse_yaml(struct arena *arena, const char *path, struct value **out, struct error *err)
{
	return yaml_read(arena, path, path, &YAML_LIMITS_DEFAULT, out, err);
}

static int parse_json(struct arena *arena, const char *path, struct value **out, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read(path, RUNTIME_FILE_MAX_BYTES, &text, err);
	return rc != 0 ? rc : json_parse(arena, buf_slice(&text), path, out, err);
}

/* The path of argument 1. What is made of the file belongs to `scratch`, so that nothing is lost when Lua has no memory
 * for it and raises. */
static const char *begin_reading(lua_State *lua, struct run *run)
{
	const char *path = luaL_checkstring(lua, 1);
	arena_done(&run->scratch);
	return path_join(&run->scratch, run->release->root, path);
}

static int push_parsed(lua_State *lua, parse_fn *parse)
{
	struct run *run = run_of(lua);
	const char *path = begin_reading(lua, run);
	struct value *value = NULL;
	struct error err;
	if (parse(&run->scratch, path, &value, &err) != 0)
		return raise(lua, &err);
	script_push_value(lua, value);
	return 1;
}

static int lua_read_yaml(lua_State *lua)
{
	return push_parsed(lua, parse_yaml);
}

static int lua_read_json(lua_State *lua)
{
	return push_parsed(lua, parse_json);
}

static int read_into(struct arena *arena, const char *path, struct slice *out, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read(path, RUNTIME_FILE_MAX_BYTES, &text, err);
	if (rc == 0)
		*out = (struct slice){ arena_copy(arena, buf_slice(&text)), text.size };
	return rc;
}

static int lua_read_file(lua_State *lua)
{
	struct run *run = run_of(lua);
	const char *path = begin_reading(lua, run);
	struct slice content;
	struct error err;
	if (read_into(&run->scratch, path, &content, &err) != 0)
		return raise(lua, &err);
	lua_pushlstring(lua, content.data, content.size);
	return 1;
}

/* Argument: the run. */
static int define(lua_State *lua)
{
	struct run *run = lua_touserdata(lua, 1);
	const struct release *release = run->release;
	static const luaL_Reg functions[] = {
		{ "config", lua_config },       { "env", lua_env },
		{ "read_yaml", lua_read_yaml }, { "read_json", lua_read_json },
		{ "read_file", lua_read_file },
	};
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &run_key);
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &env_key);
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		lua_register(lua, functions[i].name, functions[i].func);
	lua_getglobal(lua, "tonumber");
	lua_pushcclosure(lua, lua_number, 1);
	lua_setglobal(lua, "tonumber");
	lua_newtable(lua);
	script_set_text(lua, "name", run->sys->release_name);
	script_set_text(lua, "version", run->sys->release_version);
	script_set_text(lua, "root", release->root);
	script_set_text(lua, "node", release->node);
	script_set_text(lua, "data", release->data);
	script_set_text(lua, "tmp", release->tmp);
	lua_setglobal(lua, "release");
	return 0;
}

static void print_to_stderr(void *context, struct slice text)
{
	(void)context;
	(void)fs_write_all(STDERR_FILENO, text.data, text.size, NULL);
}

static int run_text(struct run *run, struct slice text, const char *path, struct error *err)
{
	const struct script_options options = {
		.package_path = arena_printf(run->arena, "%s/?.lua", path_dir(run->arena, path)),
		.memory_limit_bytes = RUNTIME_MEMORY_BYTES,
	};
	struct script *script = script_new(&options, err);
	if (script == NULL)
		return -(int)ERROR_NO_MEMORY;
	lua_State *lua = script_lua(script);
	script_on_print(script, print_to_stderr, NULL);
	lua_pushcfunction(lua, define);
	lua_pushlightuserdata(lua, run);
	int results = 0;
	int rc = lua_pcall(lua, 1, 0, 0) == LUA_OK ? script_run(script, text, run->shown, &results, NULL, err)
						   : error_set(err, ERROR_NO_MEMORY, "no memory for a Lua state");
	script_free(script);
	arena_done(&run->scratch);
	return rc;
}

int runtime_config_run(struct arena *arena, const struct release *release, const struct sys *sys, const char *path,
		       const char *shown, struct config_layers *layers, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read_file(path, RUNTIME_FILE_MAX_BYTES, &text, err);
	if (rc != 0)
		return rc;
	struct run run = { .arena = arena, .release = release, .sys = sys, .shown = shown, .layers = layers };
	struct error why;
	if (run_text(&run, slice_skip_bom(buf_slice(&text)), path, &why) == 0)
		return 0;
	if (slice_starts(slice_of(why.message), slice_of(shown)))
		return error_set(err, ERROR_INVALID, "%s", why.message);
	/* os.exit(), or an error object that is no text: Lua knows no line */
	return error_set(err, ERROR_INVALID, "%s: %s", shown, why.message);
}
