/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "base/yaml.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct arena arena;
static struct buf out;
static struct error err;

static void done(void)
{
	arena_done(&arena);
	buf_done(&out);
}

TestSuite(yaml_write, .fini = done, .timeout = 60);

static struct value *parse(struct slice text)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *value = NULL;

	cr_assert_eq(yaml_parse(&arena, text, "f", &limits, &value, &err), 0, "%s in %.200s", err.message, text.data);
	return value;
}

static const char *written(const struct value *value)
{
	buf_clear(&out);
	yaml_write(&out, value);
	return buf_string(&out);
}

Test(yaml_write, the_text_is_what_people_would_write)
{
	static const char text[] = "format: 1\n"
				   "release:\n"
				   "  name: foo\n"
				   "  version: \"0.0.1\"\n"
				   "components:\n"
				   "  -\n"
				   "    name: kv\n"
				   "    mode: permanent\n"
				   "  - other\n"
				   "empty: {}\n"
				   "none: []\n"
				   "off: false\n"
				   "ratio: 0.5\n"
				   "nothing: null\n";
	struct value *value = parse(slice_of(text));

	/* `off` alone is a boolean to readers of YAML 1.1 */
	cr_assert_eq(strcmp(strstr(written(value), "\"off\": false"), "\"off\": false\nratio: 0.5\nnothing: null\n"),
		     0);
	cr_assert_eq(strncmp(written(value), text, (size_t)(strstr(text, "off:") - text)), 0, "%s", buf_string(&out));
}

Test(yaml_write, strings_that_could_be_something_else_are_quoted)
{
	static const char *const quoted[] = { "",   "yes",   "No",   "ON",    "null", "Null",       "~",    "true",
					      "1",  "1.5",   "0x1f", "-",     "- a",  "a: b",       "a #b", "#a",
					      "a:", " a",    "a ",   "*a",    "&a",   "!a",         "%a",   "@a",
					      "`a", "{a",    "[a",   "'a",    "a\nb", "2020-01-01", ".inf", "=",
					      "<<", "é",     "a,b",  "\ttab", "|",    ">",          "y",    "n",
					      "-1", "12:30", "?",    "nan" };
	static const char *const plain[] = { "foo",          "kv_server", "a-z", "rel/runtime.lua",
					     "/var/lib/bar", "foo@host",  "C++", "v1.0" };

	for (size_t i = 0; i < ARRAY_LEN(quoted); i++)
		cr_assert_eq(written(value_string(&arena, slice_of(quoted[i])))[0], '"', "'%s'", quoted[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		cr_assert_eq(strncmp(written(value_string(&arena, slice_of(plain[i]))), plain[i], strlen(plain[i])), 0);
}

Test(yaml_write, bytes_that_are_no_text_become_replacement_characters)
{
	cr_assert_str_eq(written(value_string(&arena, SLICE("a\xff"
							    "b\xc3"))),
			 "\"a\\ufffdb\\ufffd\"\n");
}

/* ---- whatever is written is read back -------------------------------------------------------------------------- */

static struct slice random_string(void)
{
	static const char *const pieces[] = { "a",
					      "B9",
					      " ",
					      ":",
					      "#",
					      "-",
					      "\n",
					      "\t",
					      "\r",
					      "'",
					      "\"",
					      "\\",
					      "é",
					      "€",
					      "😀",
					      "\xc2\x85",
					      "\xe2\x80\xa8",
					      "\xef\xbb\xbf",
					      "\xef\xbf\xbe",
					      "\x7f",
					      "\x1b",
					      "{",
					      "]",
					      ",",
					      "&",
					      "*",
					      "!",
					      "|",
					      ">",
					      "%",
					      "@",
					      "`",
					      "yes",
					      "null",
					      "0",
					      "1.5",
					      "~",
					      "?",
					      "<<",
					      "\xc2\x80" };
	SCOPE(buf_done) struct buf text = { 0 };
	long count = random() % 6 + (random() % 50 == 0 ? 900 : 0);

	for (long i = 0; i < count; i++) {
		if (random() % 30 == 0)
			buf_append_char(&text, '\0');
		buf_append_string(&text, pieces[(size_t)random() % ARRAY_LEN(pieces)]);
	}
	return (struct slice){ arena_copy(&arena, buf_slice(&text)), text.size };
}

static double random_float(void)
{
	static const double special[] = { 0, -0.0, 0.1, 1, 1e300, -5e-324, INFINITY, -INFINITY, NAN, 123456789012 };

	return random() % 2 ? special[(size_t)random() % ARRAY_LEN(special)]
			    : (double)random() / (double)(random() + 1);
}

static struct value *random_tree(int depth)
{
	struct value *tree;
	long count = random() % 5 + (random() % 40 == 0 ? 40 : 0);

	switch (random() % (depth > 5 ? 5 : 8)) {
	case 0:
		return value_null(&arena);
	case 1:
		return value_bool(&arena, random() % 2);
	case 2:
		return value_int(&arena, (int64_t)((uint64_t)random() << 33 ^ (uint64_t)random()) >> (random() % 64));
	case 3:
		return value_float(&arena, random_float());
	case 4:
		return value_string(&arena, random_string());
	case 5:
		tree = value_list(&arena);
		for (long i = 0; i < count; i++)
			value_list_add(&arena, tree, random_tree(depth + 1));
		return tree;
	default:
		tree = value_map(&arena);
		for (long i = 0; i < count; i++)
			value_map_set(&arena, tree, random_string(), random_tree(depth + 1));
		return tree;
	}
}

Test(yaml_write, random_trees_survive_the_way_through_text)
{
	srandom(20260131);
	for (int i = 0; i < 3000; i++) {
		struct value *tree = random_tree(0), *again;

		written(tree);
		cr_assert_not(out.failed);
		again = parse(buf_slice(&out));
		cr_assert(value_equal(tree, again), "tree %d:\n%s", i, buf_string(&out));
		arena_done(&arena);
	}
}

Test(yaml_write, the_same_tree_gives_the_same_text)
{
	SCOPE_FREE char *first = NULL;
	struct value *tree;

	srandom(7);
	tree = random_tree(0);
	first = strdup(written(tree));
	cr_assert_str_eq(written(tree), first);
	cr_assert_str_eq(written(parse(slice_of(first))), first);
}

Test(yaml_write, long_keys_are_written_so_that_they_can_be_read)
{
	SCOPE(buf_done) struct buf key = { 0 };
	struct value *outer = value_list(&arena), *map = value_map(&arena), *inner = value_map(&arena);

	for (int i = 0; i < 5000; i++)
		buf_append_char(&key, (char)('a' + i % 26));
	value_map_set(&arena, inner, buf_slice(&key), value_int(&arena, 1));
	value_map_set(&arena, map, buf_slice(&key), inner);
	value_list_add(&arena, outer, map);
	cr_assert(value_equal(outer, parse(slice_of(written(outer)))));
}
