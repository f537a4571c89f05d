/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static struct arena arena;
static struct error err;

static void done(void)
{
	arena_done(&arena);
}

TestSuite(json, .fini = done);

/* Read and written again on one line; the message when it is refused. */
static const char *again(struct slice text)
{
	static struct buf out;
	struct value *value;

	if (json_parse(&arena, text, "f.json", &value, &err) < 0)
		return err.message;
	buf_clear(&out);
	json_write(&out, value, 0);
	return buf_string(&out);
}

Test(json, everything_of_json_is_read_and_written)
{
	struct slice all = SLICE("{\"a\":[1,-2,3.5,true,false,null,\"x\"],\"b\":{},\"c\":[],\"9\":\"\\u00e9\\n\"}");

	cr_assert_str_eq(again(all), "{\"a\":[1,-2,3.5,true,false,null,\"x\"],\"b\":{},\"c\":[],\"9\":\"é\\n\"}");
	cr_assert_str_eq(again(SLICE(" 42 ")), "42");
	cr_assert_str_eq(again(SLICE("\"\\u0000\"")), "\"\\u0000\"");
}

Test(json, integers_keep_all_their_bits_and_floats_stay_floats)
{
	cr_assert_str_eq(again(SLICE("[9223372036854775807,-9223372036854775808,1.0,1e300,0.1]")),
			 "[9223372036854775807,-9223372036854775808,1.0,1e+300,0.1]");
}

Test(json, mistakes_have_a_file_a_line_and_a_column)
{
	cr_assert_str_eq(again(SLICE("{\n  \"a\": 1,\n  \"a\": 2\n}")),
			 "f.json:3:5: error: duplicate object key near '\"a\"'");
	cr_assert(strstr(again(SLICE("[1,]")), "f.json:1:4: error: "));
	cr_assert(strstr(again(SLICE("[1] 2")), "f.json:1:5: error: end of file expected"));
	cr_assert(strstr(again(SLICE("{\"a\":\n\n")), "error: "));
	cr_assert(strstr(again(SLICE("[\"\xff\"]")), "error: unable to decode byte 0xff"));
	cr_assert_str_eq(again(SLICE("")), "f.json:1:1: error: the JSON document is empty");
	cr_assert_str_eq(again((struct slice){ NULL, 0 }), "f.json:1:1: error: the JSON document is empty");
	cr_assert(strstr(again(SLICE("123456789012345678901234567890")), "too big"));
}

Test(json, depth_is_limited)
{
	char text[100001];

	memset(text, '[', sizeof(text));
	cr_assert(strstr(again((struct slice){ text, 100000 }), "error: "));
	memset(text + 129, ']', 129);
	cr_assert(strstr(again((struct slice){ text, 258 }), "nested deeper than 128 levels"));
	memset(text + 128, ']', 128);
	cr_assert_eq(strlen(again((struct slice){ text, 256 })), 256);
}

Test(json, values_know_their_file)
{
	struct value *value;
	char text[32];

	cr_assert_eq(json_parse(&arena, SLICE("{\"a\":1}"), "f.json", &value, &err), 0);
	cr_assert_str_eq(origin_text(&value_get(value, "a")->origin, text, sizeof(text)), "f.json");
}

Test(json, indentation_makes_it_readable)
{
	SCOPE(buf_done) struct buf out = { 0 };
	struct value *value;

	cr_assert_eq(json_parse(&arena, SLICE("{\"a\":[1,{\"b\":[]}],\"c\":{}}"), "f", &value, &err), 0);
	json_write(&out, value, 2);
	cr_assert_str_eq(buf_string(&out),
			 "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
}

Test(json, strings_are_escaped_and_bad_bytes_replaced)
{
	SCOPE(buf_done) struct buf out = { 0 };

	json_write_string(&out, SLICE("\"\\\b\n\r\t\x7f\0é\xff\xe2\x82x"));
	cr_assert_str_eq(buf_string(&out), "\"\\\"\\\\\\u0008\\n\\r\\t\\u007f\\u0000é\\ufffd\\ufffd\\ufffdx\"");
}

Test(json, what_json_has_no_word_for_becomes_null)
{
	SCOPE(buf_done) struct buf out = { 0 };

	json_write(&out, value_float(&arena, NAN), 0);
	json_write(&out, value_float(&arena, -INFINITY), 0);
	cr_assert_str_eq(buf_string(&out), "nullnull");
}

static void add_numbers(void *context, struct arena *scratch, struct value *list, size_t index)
{
	/* none for an odd index, two for an even one */
	for (int i = 0; i < 2 && index % 2 == 0; i++)
		value_list_add(scratch, list, value_int(scratch, (int64_t)index + *(const int *)context));
}

Test(json, lists_written_item_by_item_read_like_lists_written_at_once)
{
	int base = 100;
	FILE *file = tmpfile();
	const struct json_list lists[] = {
		{ "numbers", 4, add_numbers, &base },
		{ "none", 0, add_numbers, &base },
		{ "odd", 1, add_numbers, &base },
	};
	struct value *map = value_map(&arena);
	char text[256];

	value_map_add(&arena, map, SLICE("a"), value_int(&arena, 1));
	cr_assert(file != NULL);
	cr_assert_eq(json_write_lists(fileno(file), map, lists, 3, 1, &err), 0, "%s", err.message);
	rewind(file);
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	fclose(file);
	cr_assert_str_eq(text, "{\n \"a\": 1,\n \"numbers\": [\n  100,\n  100,\n  102,\n  102\n ],\n \"none\": [],\n"
			       " \"odd\": [\n  100,\n  100\n ]\n}\n");
	cr_assert_str_eq(again(slice_of(text)),
			 "{\"a\":1,\"numbers\":[100,100,102,102],\"none\":[],\"odd\":[100,100]}");
}

Test(json, a_list_can_be_written_where_nothing_else_is)
{
	int base = 0;
	FILE *file = tmpfile();
	const struct json_list list = { "numbers", 1, add_numbers, &base };
	char text[64] = "";

	cr_assert(file != NULL);
	cr_assert_eq(json_write_lists(fileno(file), value_map(&arena), &list, 1, 0, &err), 0);
	rewind(file);
	cr_assert(fgets(text, sizeof(text), file) != NULL);
	fclose(file);
	cr_assert_str_eq(text, "{\"numbers\":[0,0]}\n");
}

Test(json, values_that_follow_each_other_are_read_one_by_one)
{
	struct slice text = SLICE("{\"a\":1} , [2]");
	struct value *value;

	cr_assert_eq(json_parse_next(&arena, &text, "f.json", &value, &err), 0);
	cr_assert_eq(value->type, VALUE_MAP);
	text = slice_trim(text);
	cr_assert_eq(*text.data, ',');
	text = (struct slice){ text.data + 1, text.size - 1 };
	cr_assert_eq(json_parse_next(&arena, &text, "f.json", &value, &err), 0);
	cr_assert_eq(value->type, VALUE_LIST);
	cr_assert_eq(text.size, 0);
	cr_assert(json_parse_next(&arena, &text, "f.json", &value, &err) < 0);
}
