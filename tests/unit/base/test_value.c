/* SPDX-License-Identifier: MIT */
#include "base/value.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct value *numbered_map(struct arena *arena, int count)
{
	struct value *map = value_map(arena);
	char key[16];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		value_map_set(arena, map, slice_of(key), value_int(arena, i));
	}
	return map;
}

Test(value, maps_keep_the_order_of_insertion)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *map = numbered_map(&arena, 100);

	for (size_t i = 0; i < 100; i++)
		cr_assert_eq(map->map.members[i].value->integer, (int64_t)i);
}

Test(value, every_key_is_found_in_maps_of_any_size)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	static const int sizes[] = { 0, 1, 15, 16, 17, 31, 32, 33, 64, 1000, 5000 };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct value *map = numbered_map(&arena, sizes[s]);

		for (int i = 0; i < sizes[s]; i++) {
			char key[16];

			snprintf(key, sizeof(key), "key%d", i);
			cr_assert_eq(value_get(map, key)->integer, i);
		}
		cr_assert_null(value_get(map, "key"));
		cr_assert_null(value_get(map, "key5000"));
	}
}

Test(value, set_replaces_and_add_trusts_its_caller)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *map = value_map(&arena);

	value_map_set(&arena, map, SLICE("a"), value_int(&arena, 1));
	value_map_set(&arena, map, SLICE("a"), value_int(&arena, 2));
	cr_assert_eq(map->map.count, 1);
	cr_assert_eq(value_get(map, "a")->integer, 2);
	value_map_add(&arena, map, SLICE("a"), value_int(&arena, 3));
	cr_assert_eq(map->map.count, 2);
	cr_assert_eq(value_get(map, "a")->integer, 2);
}

Test(value, keys_may_hold_nul_bytes)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *map = value_map(&arena);

	value_map_set(&arena, map, SLICE("a\0b"), value_int(&arena, 1));
	cr_assert_null(value_get(map, "a"));
	cr_assert_eq(value_member(map, SLICE("a\0b"))->value->integer, 1);
}

Test(value, looking_into_nothing_or_a_scalar_finds_nothing)
{
	SCOPE(arena_done) struct arena arena = { 0 };

	cr_assert_null(value_get(NULL, "a"));
	cr_assert_null(value_get(value_int(&arena, 1), "a"));
	cr_assert_null(value_path(NULL, "a.b"));
}

Test(value, a_dotted_path_walks_through_maps)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *outer = value_map(&arena), *inner = value_map(&arena);

	value_map_set(&arena, outer, SLICE("kv"), inner);
	value_map_set(&arena, inner, SLICE("port"), value_int(&arena, 4040));
	cr_assert_eq(value_path(outer, "kv.port")->integer, 4040);
	cr_assert_eq(value_path(outer, "kv"), inner);
	cr_assert_null(value_path(outer, "kv.port.more"));
	cr_assert_null(value_path(outer, "kv."));
}

Test(value, text_falls_back_for_what_is_no_string)
{
	SCOPE(arena_done) struct arena arena = { 0 };

	cr_assert_str_eq(value_text(value_string(&arena, SLICE("x")), "?"), "x");
	cr_assert_str_eq(value_text(value_int(&arena, 1), "?"), "?");
	cr_assert_null(value_text(NULL, NULL));
}

Test(value, equality_ignores_the_order_of_keys_and_the_origin)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *a = value_map(&arena), *b = value_map(&arena);

	value_map_set(&arena, a, SLICE("x"), value_int(&arena, 1));
	value_map_set(&arena, a, SLICE("y"), value_null(&arena));
	value_map_set(&arena, b, SLICE("y"), value_null(&arena));
	value_map_set(&arena, b, SLICE("x"), value_int(&arena, 1));
	b->origin.line = 7;
	cr_assert(value_equal(a, b));
	value_map_set(&arena, b, SLICE("x"), value_float(&arena, 1));
	cr_assert_not(value_equal(a, b));
	cr_assert_not(value_equal(a, NULL));
	cr_assert(value_equal(NULL, NULL));
}

Test(value, lists_are_equal_item_by_item)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *a = value_list(&arena), *b = value_list(&arena);

	for (int i = 0; i < 50; i++) {
		value_list_add(&arena, a, value_int(&arena, i));
		value_list_add(&arena, b, value_int(&arena, i));
	}
	cr_assert(value_equal(a, b));
	value_list_add(&arena, b, value_int(&arena, 50));
	cr_assert_not(value_equal(a, b));
}

Test(value, merging_goes_deep_into_maps_and_replaces_the_rest)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *base = value_map(&arena), *over = value_map(&arena), *base_kv = value_map(&arena),
		     *over_kv = value_map(&arena), *merged;

	value_map_set(&arena, base, SLICE("kv"), base_kv);
	value_map_set(&arena, base, SLICE("list"), value_list(&arena));
	value_map_set(&arena, base_kv, SLICE("a"), value_int(&arena, 1));
	value_map_set(&arena, base_kv, SLICE("b"), value_int(&arena, 1));
	value_map_set(&arena, over, SLICE("kv"), over_kv);
	value_map_set(&arena, over, SLICE("list"), value_int(&arena, 9));
	value_map_set(&arena, over_kv, SLICE("b"), value_int(&arena, 2));
	value_map_set(&arena, over_kv, SLICE("c"), value_int(&arena, 3));
	merged = value_merge(&arena, base, over);
	cr_assert_eq(value_path(merged, "kv.a")->integer, 1);
	cr_assert_eq(value_path(merged, "kv.b")->integer, 2);
	cr_assert_eq(value_path(merged, "kv.c")->integer, 3);
	cr_assert_eq(value_get(merged, "list")->integer, 9);
	cr_assert_eq(value_path(base, "kv.b")->integer, 1, "the inputs stay as they were");
	cr_assert_eq(base_kv->map.count, 2);
}

Test(value, merging_with_nothing_gives_the_other_one)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *one = value_int(&arena, 1);

	cr_assert_eq(value_merge(&arena, NULL, one), one);
	cr_assert_eq(value_merge(&arena, one, NULL), one);
	cr_assert_null(value_merge(&arena, NULL, NULL));
}

Test(value, merging_large_maps_takes_no_time)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *a = numbered_map(&arena, 100000), *b = numbered_map(&arena, 100000);

	/* without the index this would be ten thousand million comparisons */
	cr_assert_eq(value_merge(&arena, a, b)->map.count, 100000);
	cr_assert(value_equal(a, b));
}

Test(value, origins_read_as_compilers_write_them)
{
	char text[64];
	struct origin origin = { "releases.yaml", 12, 7 };

	cr_assert_str_eq(origin_text(&origin, text, sizeof(text)), "releases.yaml:12:7");
	origin.column = 0;
	cr_assert_str_eq(origin_text(&origin, text, sizeof(text)), "releases.yaml:12");
	origin.line = 0;
	cr_assert_str_eq(origin_text(&origin, text, sizeof(text)), "releases.yaml");
	origin.file = NULL;
	cr_assert_str_eq(origin_text(&origin, text, sizeof(text)), "unknown");
	cr_assert_str_eq(value_type_name(VALUE_INT), "integer");
}
