/* SPDX-License-Identifier: MIT */
#include "node/lua/lua_complete.h"

#include "base/log.h"
#include "base/scope.h"
#include "node/lua/complete_line.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"
#include "node/node.h"
#include "script/script.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_DEPTH = 4, LISTED_MAX = 20000 /* a list of more is not made for Tab */ };

static void offer(struct completion *completion, struct slice word, const char *suffix)
{
	if (completion->count == WORDS_MAX || !slice_starts(word, completion->prefix))
		return;
	const char *text = arena_printf(&completion->arena, "%.*s%s", SLICE_FMT(word), suffix);
	completion->words[completion->count++] = slice_of(text);
}

/* ---- names ---- */

static bool is_name(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (!complete_is_name_char(text.data[i]))
			return false;
	}
	return text.size > 0 && (text.data[0] < '0' || text.data[0] > '9');
}

/* Replaces the value on top by its __index table; false when there is none. */
static bool go_to_index(lua_State *lua)
{
	if (!lua_getmetatable(lua, -1))
		return false;
	lua_pushliteral(lua, "__index");
	lua_rawget(lua, -2);
	lua_replace(lua, -3);
	lua_pop(lua, 1);
	return lua_istable(lua, -1);
}

/* Replaces the value on top by its field, as far as that runs no code; false when it has none. */
static bool go_to_field(lua_State *lua, struct slice name)
{
	for (int depth = 0; depth < INDEX_DEPTH; depth++) {
		if (lua_istable(lua, -1)) {
			lua_pushlstring(lua, name.data, name.size);
			if (lua_rawget(lua, -2) != LUA_TNIL) {
				lua_replace(lua, -2);
				return true;
			}
			lua_pop(lua, 1);
		}
		if (!go_to_index(lua))
			return false;
	}
	return false;
}

/* Pushes what the path leads to; false (nothing pushed) when it leads nowhere. */
static bool push_path(lua_State *lua, struct slice path)
{
	lua_pushglobaltable(lua);
	while (path.size > 0) {
		size_t size = 0;
		while (size < path.size && path.data[size] != '.' && path.data[size] != ':')
			size++;
		if (!go_to_field(lua, (struct slice){ path.data, size })) {
			lua_pop(lua, 1);
			return false;
		}
		size += size < path.size;
		path = (struct slice){ path.data + size, path.size - size };
	}
	return true;
}

/* The fields of the table on top. */
static void offer_fields(lua_State *lua, struct completion *completion, bool functions_only)
{
	for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING)
			continue;
		struct slice name;
		name.data = lua_tolstring(lua, -2, &name.size);
		int type = lua_type(lua, -1);
		if (is_name(name) && (type == LUA_TFUNCTION || !functions_only))
			offer(completion, name, type == LUA_TFUNCTION ? "(" : type == LUA_TTABLE ? "." : "");
	}
}

static void offer_keywords(struct completion *completion)
{
	static const char *const words[] = { "and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
					     "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
					     "repeat",   "return", "then", "true", "until",  "while" };
	for (size_t i = 0; completion->prefix.size > 0 && i < ARRAY_LEN(words); i++)
		offer(completion, slice_of(words[i]), "");
}

static void complete_name(lua_State *lua, struct completion *completion, struct slice line)
{
	struct slice path = complete_path_at_end(line);
	size_t base = path.size;
	while (base > 0 && path.data[base - 1] != '.' && path.data[base - 1] != ':')
		base--;
	completion->prefix = (struct slice){ path.data + base, path.size - base };
	bool method = base > 0 && path.data[base - 1] == ':';
	if (base == 0)
		offer_keywords(completion);
	if (!push_path(lua, (struct slice){ path.data, base > 0 ? base - 1 : 0 }))
		return;
	for (int depth = 0; depth < INDEX_DEPTH; depth++) {
		if (lua_istable(lua, -1))
			offer_fields(lua, completion, method);
		if (!go_to_index(lua))
			return;
	}
}

/* ---- arguments ---- */

/* The parameter's name, without brackets; a list that ends with "..." goes on with its last name. */
static struct slice parameter(struct slice signature, unsigned number)
{
	struct slice found = { 0 };
	struct slice rest;
	slice_split(signature, '(', &found, &rest);
	slice_split(rest, ')', &rest, &found);
	found = (struct slice){ 0 };
	for (unsigned i = 0; i <= number && rest.size > 0; i++) {
		struct slice name;
		slice_split(rest, ',', &name, &rest);
		name = slice_trim(name);
		if (slice_is(name, "..."))
			return found;
		if (name.size > 1 && name.data[0] == '[')
			name = (struct slice){ name.data + 1, name.size - 2 };
		found = i == number ? name : (rest.size > 0 ? name : (struct slice){ 0 });
	}
	return found;
}

static void offer_quoted(struct completion *completion, struct slice word)
{
	char suffix[2] = { completion->quote, '\0' };
	for (size_t i = 0; i < word.size; i++) { /* those would have to be written with escapes */
		unsigned char c = (unsigned char)word.data[i];
		if (c < 0x20 || c == 0x7f || c == '\\' || c == (unsigned char)completion->quote)
			return;
	}
	if (slice_utf8_prefix(word) == word.size)
		offer(completion, word, suffix);
}

static void offer_components(lua_State *lua, struct completion *completion)
{
	const struct components *components = &lua_api_evaluator(lua)->node->components;
	for (size_t i = 0; i < components->count; i++)
		offer_quoted(completion, slice_of(components->items[i].sys->name));
}

/* The strings of the list on top. */
static void offer_list(lua_State *lua, struct completion *completion)
{
	if (!lua_istable(lua, -1))
		return;
	lua_Integer count = (lua_Integer)lua_rawlen(lua, -1);
	for (lua_Integer i = 1; i <= count && completion->count < WORDS_MAX; i++) {
		struct slice word = { 0 };
		if (lua_rawgeti(lua, -1, i) == LUA_TSTRING) {
			word.data = lua_tolstring(lua, -1, &word.size);
			offer_quoted(completion, word);
		}
		lua_pop(lua, 1);
	}
}

static void offer_nodes(lua_State *lua, struct completion *completion)
{
	offer_quoted(completion, slice_of(lua_api_evaluator(lua)->node->release.node));
	/* not one that the user put in its place */
	if (push_path(lua, SLICE("node.list")) && lua_api_signature(lua, -1) != NULL &&
	    lua_pcall(lua, 0, 1, 0) == LUA_OK)
		offer_list(lua, completion);
}

static void offer_function(void *context, struct slice name)
{
	offer_quoted(context, name);
}

static void offer_levels(struct completion *completion)
{
	for (int level = 0; level < LOG_LEVEL_COUNT; level++)
		offer_quoted(completion, slice_of(log_level_name((enum log_level)level)));
}

static void offer_settings(lua_State *lua, struct completion *completion, const struct call *call)
{
	struct node *node = lua_api_evaluator(lua)->node;
	const char *name = arena_copy(&completion->arena, call->literals[0]);
	const struct config_component *component = config_component(&node->config, name);
	for (size_t i = 0; component != NULL && i < component->count; i++)
		offer_quoted(completion, slice_of(component->settings[i].key));
}

/* kv.buckets() for a bucket, kv.keys(bucket) for a key: the operation that bears the parameter's name in the plural. */
static bool push_lister(lua_State *lua, struct completion *completion, const struct call *call, struct slice name)
{
	struct slice table;
	struct slice ignored;
	slice_split(call->path, '.', &table, &ignored);
	return push_path(lua,
			 slice_of(arena_printf(&completion->arena, "%.*s.%.*ss", SLICE_FMT(table), SLICE_FMT(name))));
}

/* Pushes what it is to be called with: of what was typed before, the argument that it must have; what is there of the
 * word where it takes a pattern. The number of arguments, negative when it needs others. */
static int push_arguments(lua_State *lua, struct completion *completion, const struct call *call, const char *lister,
			  const char *own)
{
	struct slice first = parameter(slice_of(lister), 0);
	const char *prefix = arena_copy(&completion->arena, completion->prefix);
	if (first.size == 0)
		return 0;
	if (strchr(lister, '[') != NULL) {
		bool pattern = slice_is(first, "pattern") && strpbrk(prefix, "*?[\\") == NULL;
		if (pattern)
			lua_pushfstring(lua, "%s*", prefix);
		return pattern ? 1 : 0;
	}
	if (call->argument == 0 || call->literals[0].data == NULL || !slice_equal(first, parameter(slice_of(own), 0)))
		return -1;
	lua_pushlstring(lua, call->literals[0].data, call->literals[0].size);
	return 1;
}

static void offer_by_operation(lua_State *lua, struct completion *completion, const struct call *call,
			       const char *signature, struct slice name)
{
	if (!push_lister(lua, completion, call, name))
		return;
	const char *lister = lua_api_signature(lua, -1);
	int count = lister != NULL ? push_arguments(lua, completion, call, lister, signature) : -1;
	struct evaluator *evaluator = lua_api_evaluator(lua);
	evaluator->most_items = LISTED_MAX;
	if (count >= 0 && lua_pcall(lua, count, 1, 0) == LUA_OK)
		offer_list(lua, completion);
	evaluator->most_items = 0;
}

static void complete_argument(lua_State *lua, struct completion *completion)
{
	if (completion->depth == 0)
		return;
	const struct call *call = &completion->calls[completion->depth - 1];
	const char *signature = NULL;
	if (call->path.size > 0 && push_path(lua, call->path))
		signature = lua_api_signature(lua, -1);
	if (signature == NULL)
		return;
	struct slice name = parameter(slice_of(signature), call->argument);
	if (slice_is(name, "component"))
		offer_components(lua, completion);
	else if (slice_is(name, "node"))
		offer_nodes(lua, completion);
	else if (slice_is(name, "level"))
		offer_levels(completion);
	else if (slice_is(name, "function") || slice_is(name, "operation"))
		lua_api_each_function(lua, offer_function, completion);
	else if (slice_is(name, "key") && slice_starts(call->path, SLICE("app.")))
		offer_settings(lua, completion, call);
	else if (name.size > 0)
		offer_by_operation(lua, completion, call, signature, name);
}

/* ---- the answer ---- */

struct job {
	struct completion *completion;
	struct slice line;
};

static int complete_protected(lua_State *lua)
{
	const struct job *job = lua_touserdata(lua, 1);
	luaL_checkstack(lua, LUA_MINSTACK, NULL);
	if (!complete_read_line(job->completion, job->line))
		return 0;
	if (job->completion->quote != 0)
		complete_argument(lua, job->completion);
	else
		complete_name(lua, job->completion, job->line);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void write_words(struct completion *completion, struct buf *out)
{
	qsort(completion->words, completion->count, sizeof(completion->words[0]), by_text);
	buf_printf(out, "%zu", completion->prefix.size);
	for (size_t i = 0; i < completion->count; i++) {
		if (i > 0 && slice_equal(completion->words[i], completion->words[i - 1]))
			continue;
		buf_append_char(out, '\0');
		buf_append_slice(out, completion->words[i]);
	}
}

void lua_complete(struct evaluator *evaluator, struct slice line, struct buf *out)
{
	struct completion *completion = calloc(1, sizeof(*completion));
	lua_State *lua = script_lua(evaluator->script);
	int top = lua_gettop(lua);
	struct job job = { completion, line };
	if (completion == NULL || !lua_checkstack(lua, LUA_MINSTACK)) {
		buf_append_char(out, '0');
		free(completion);
		return;
	}
	lua_pushcfunction(lua, complete_protected);
	lua_pushlightuserdata(lua, &job);
	(void)lua_pcall(lua, 1, 0, 0); /* what was found before a failure is right all the same */
	lua_settop(lua, top);
	write_words(completion, out);
	arena_done(&completion->arena);
	free(completion);
}
