/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/scope.h"
#include "script/script.h"

#include <criterion/criterion.h>

static struct script *script;
static struct arena arena;
static struct error err;

static void begin(void)
{
	script = script_new(&(struct script_options){ 0 }, &err);
}

static void end(void)
{
	script_free(script);
	arena_done(&arena);
}

TestSuite(value, .init = begin, .fini = end);

/* What the Lua expression becomes, as JSON; or the reason why not. */
static const char *as_json(const char *text)
{
	static struct buf out;
	struct value *value = NULL;
	int results, rc;

	buf_clear(&out);
	cr_assert_eq(script_run(script, slice_of(text), "c", &results, NULL, &err), 0, "%s", err.message);
	rc = script_to_value(script_lua(script), -1, &arena, &value, &err);
	lua_pop(script_lua(script), results);
	cr_assert_eq(lua_gettop(script_lua(script)), 0);
	if (rc < 0) {
		cr_assert_null(value);
		cr_assert(rc == -(int)ERROR_INVALID || rc == -(int)ERROR_LIMIT);
		return err.message;
	}
	json_write(&out, value, 0);
	return buf_string(&out);
}

Test(value, lua_values_become_trees)
{
	cr_assert_str_eq(as_json("{b = {1, 2.5, 'x'}, a = true, c = {}}"), "{\"a\":true,\"b\":[1,2.5,\"x\"],\"c\":{}}");
	cr_assert_str_eq(as_json("nil"), "null");
	cr_assert_str_eq(as_json("'a\\0b'"), "\"a\\u0000b\"");
	cr_assert_str_eq(as_json("{{}, {{1}}}"), "[{},[[1]]]");
}

Test(value, keys_are_sorted_in_large_maps_too)
{
	const char *json = as_json("local t = {} for i = 100, 999 do t['k' .. i] = i end return t");

	cr_assert_eq(strncmp(json, "{\"k100\":100,\"k101\":101,\"k102\":102", 33), 0);
}

Test(value, what_is_no_data_is_refused_with_its_place)
{
	cr_assert_str_eq(as_json("print"), "the value is a function, which is no data");
	cr_assert_str_eq(as_json("{a = {1, {b = print}}}"), "'a[2].b' is a function, which is no data");
	cr_assert_str_eq(as_json("{a = io.stdout}"), "'a' is a userdata, which is no data");
	cr_assert_str_eq(as_json("{1, 2, a = 3}"), "the value has both list items and named keys");
	cr_assert_str_eq(as_json("{x = {[1] = 1, [3] = 3}}"), "'x' is a list with holes");
	cr_assert_str_eq(as_json("{[0] = 1}"), "the value is a list with holes");
	cr_assert_str_eq(as_json("{[true] = 1}"), "the value has keys that are neither text nor 1, 2, 3 …");
	cr_assert_str_eq(as_json("{[1.5] = 1}"), "the value has keys that are neither text nor 1, 2, 3 …");
}

Test(value, a_table_that_contains_itself_is_refused)
{
	cr_assert(strstr(as_json("local t = {} t.t = t return t"), "contains itself"));
}

Test(value, a_small_table_that_would_be_a_huge_tree_is_refused)
{
	static const char text[] = "local t = {} for i = 1, 40 do t = {t, t} end return t";

	script_free(script);
	script = script_new(&(struct script_options){ .memory_limit_bytes = 8 << 20 }, &err);
	cr_assert_str_eq(as_json(text), "the value is too large as data: it takes more than 8 MiB");
	cr_assert_leq(arena.used, 8 << 20);
	cr_assert(strstr(as_json("local s = ('x'):rep(3 << 20) return {s, s}"), "too large"));
	arena_done(&arena);
	cr_assert_str_eq(as_json("#('x'):rep(3 << 20)"), "3145728");
}

Test(value, an_interrupt_ends_a_conversion)
{
	struct value *value = NULL;

	lua_newtable(script_lua(script));
	script_interrupt(script);
	cr_assert_lt(script_to_value(script_lua(script), -1, &arena, &value, &err), 0);
	cr_assert_str_eq(err.message, "interrupted");
	cr_assert_null(value);
}

Test(value, metamethods_are_not_asked)
{
	cr_assert_str_eq(as_json("setmetatable({1}, {__index = error, __len = error, __pairs = error})"), "[1]");
}

Test(value, trees_become_lua_values_and_come_back_the_same)
{
	struct slice json = SLICE("{\"a\":[1,2.5,\"x\\u0000\",true,[],{\"b\":{}}],\"z\":\"\"}");
	struct value *value, *again;

	cr_assert_eq(json_parse(&arena, json, "f", &value, &err), 0);
	value_get(value, "a")->list.items[4] = value_map(&arena); /* an empty table is a map */
	script_push_value(script_lua(script), value);
	cr_assert_eq(script_to_value(script_lua(script), -1, &arena, &again, &err), 0);
	cr_assert(value_equal(value, again));
}

Test(value, null_is_a_key_that_is_not_there)
{
	struct value *map = value_map(&arena), *again;

	value_map_set(&arena, map, SLICE("a"), value_null(&arena));
	script_push_value(script_lua(script), map);
	cr_assert_eq(script_to_value(script_lua(script), -1, &arena, &again, &err), 0);
	cr_assert_eq(again->map.count, 0);
}
