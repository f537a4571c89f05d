/* SPDX-License-Identifier: MIT */
#include "base/yaml.h"

#include "base/scope.h"
#include "scratch.h"

#include <math.h>
#include <time.h>

static struct arena arena;
static struct error err;

static void done(void)
{
	arena_done(&arena);
}

TestSuite(yaml, .fini = done, .timeout = 60);

static struct value *parse(struct slice text)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *value = NULL;

	err.message[0] = '\0';
	cr_assert_eq(yaml_parse(&arena, text, "f.yaml", &limits, &value, &err), 0, "%s", err.message);
	return value;
}

/* The message of a text that is refused. */
static const char *refusal(struct slice text)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *untouched = NULL;

	err.message[0] = '\0';
	cr_assert_eq(yaml_parse(&arena, text, "f.yaml", &limits, &untouched, &err), -(int)ERROR_INVALID);
	cr_assert_null(untouched);
	cr_assert_null(strchr(err.message, '\n'));
	return err.message;
}

Test(yaml, scalars_mean_what_the_core_schema_says)
{
	static const struct {
		const char *text;
		enum value_type type;
	} cases[] = {
		{ "null", VALUE_NULL },    { "~", VALUE_NULL },       { "true", VALUE_BOOL },
		{ "False", VALUE_BOOL },   { "yes", VALUE_STRING },   { "no", VALUE_STRING },
		{ "on", VALUE_STRING },    { "off", VALUE_STRING },   { "42", VALUE_INT },
		{ "-7", VALUE_INT },       { "+7", VALUE_INT },       { "0x1F", VALUE_INT },
		{ "0o17", VALUE_INT },     { "0.10", VALUE_FLOAT },   { "1e3", VALUE_FLOAT },
		{ ".5", VALUE_FLOAT },     { ".inf", VALUE_FLOAT },   { ".nan", VALUE_FLOAT },
		{ "0.0.1", VALUE_STRING }, { "1_000", VALUE_STRING }, { "12:30", VALUE_STRING },
		{ "0x", VALUE_STRING },    { "'42'", VALUE_STRING },  { "\"true\"", VALUE_STRING },
		{ "a-z", VALUE_STRING },   { "nullx", VALUE_STRING }, { "0xg", VALUE_STRING },
		{ "-", VALUE_LIST },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_assert_eq(parse(slice_of(cases[i].text))->type, cases[i].type, "%s", cases[i].text);
	cr_assert_eq(parse(SLICE("0x1F"))->integer, 31);
	cr_assert_eq(parse(SLICE("0o17"))->integer, 15);
	cr_assert_eq(parse(SLICE("-9223372036854775808"))->integer, INT64_MIN);
	cr_assert_eq(parse(SLICE("-.inf"))->number, -INFINITY);
}

Test(yaml, what_was_written_stays_visible)
{
	struct value *version = parse(SLICE("0.10")), *quoted = parse(SLICE("\"0.10\""));

	cr_assert(slice_is(version->text, "0.10"));
	cr_assert_not(version->quoted);
	cr_assert(quoted->quoted);
	cr_assert(slice_is(quoted->string, "0.10"));
	cr_assert(parse(SLICE("|\n  block\n"))->quoted);
}

Test(yaml, structures_keep_order_and_places)
{
	struct value *root = parse(SLICE("releases:\n  foo:\n    version: \"1\"\n    list: [a, b]\n"));
	const struct member *foo = value_member(value_get(root, "releases"), SLICE("foo"));
	char text[64];

	cr_assert_str_eq(origin_text(&foo->origin, text, sizeof(text)), "f.yaml:2:3");
	cr_assert_str_eq(origin_text(&value_path(root, "releases.foo.version")->origin, text, sizeof(text)),
			 "f.yaml:3:14");
	cr_assert_str_eq(origin_text(&value_path(root, "releases.foo.list")->list.items[1]->origin, text, sizeof(text)),
			 "f.yaml:4:15");
}

Test(yaml, columns_count_bytes)
{
	struct value *root = parse(SLICE("é: [ü, x]\nb: {ö: ß, k: v}\n"));
	const struct value *x = root->map.members[0].value->list.items[1];
	const struct member *k = value_member(value_get(root, "b"), SLICE("k"));

	cr_assert_eq(x->origin.column, 10);
	cr_assert_eq(k->origin.line, 2);
	cr_assert_eq(k->origin.column, 13);
}

Test(yaml, an_empty_document_is_null)
{
	cr_assert_eq(parse(SLICE(""))->type, VALUE_NULL);
	cr_assert_eq(parse((struct slice){ NULL, 0 })->type, VALUE_NULL);
	cr_assert_eq(parse(SLICE("# only a comment\n"))->type, VALUE_NULL);
	cr_assert_eq(parse(SLICE("---\n"))->type, VALUE_NULL);
}

Test(yaml, a_byte_order_mark_windows_lines_and_a_version_directive_are_fine)
{
	cr_assert_eq(value_get(parse(SLICE("\xef\xbb\xbf"
					   "a: 1\r\nb: 2\r\n")),
			       "b")
			     ->integer,
		     2);
	cr_assert_eq(value_get(parse(SLICE("%YAML 1.2\n---\na: 1\n...\n")), "a")->integer, 1);
}

static void hear(void *context, const struct origin *at, const char *message)
{
	buf_printf(context, "%u:%u %.*s\n", at->line, at->column, (int)strcspn(message, "('"), message);
}

/* What can be read of a text, with all its mistakes. */
static struct value *parse_hearing(const char *text, struct buf *heard)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *value = NULL;

	limits.mistake = hear;
	limits.context = heard;
	cr_assert_eq(yaml_parse(&arena, slice_of(text), "f.yaml", &limits, &value, &err), 0);
	return value;
}

Test(yaml, a_caller_who_wants_to_hears_of_all_mistakes_that_can_be_read_over)
{
	struct buf heard = { 0 };
	struct value *value = parse_hearing("a: 1\na: 2\nb: &x {k: !!str 1, k: 2}\nb: {l: 3}\n", &heard);

	cr_assert_str_eq(buf_string(&heard), "2:1 duplicate key \n3:4 anchors \n3:11 tags \n3:20 duplicate key \n"
					     "4:1 duplicate key \n");
	cr_assert_eq(value_get(value, "a")->integer, 1);
	cr_assert_eq(value_path(value, "b.k")->type, VALUE_STRING);
	cr_assert_eq(value->map.count, 3, "both maps of one name are there to be checked");
	buf_done(&heard);
}

Test(yaml, what_cannot_be_read_is_nothing_to_a_caller_who_wants_to_hear_of_all)
{
	const struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct buf heard = { 0 };
	struct value *value =
		parse_hearing("a: *x\nb: 99999999999999999999\nc:\n  <<: {k: {l: [1]}}\n  m: 1\nc: 1\n", &heard);

	cr_assert_str_eq(buf_string(&heard),
			 "1:4 aliases \n2:4 the number 99999999999999999999 does not fit into 64 bits; "
			 "quote it if it is no number\n4:3 merge keys \n6:1 duplicate key \n");
	cr_assert_eq(value_get(value, "a")->type, VALUE_NULL);
	cr_assert_eq(value_get(value, "b")->type, VALUE_NULL);
	cr_assert_eq(value_get(value, "c")->map.count, 1);
	cr_assert_eq(value_path(value, "c.m")->integer, 1);
	buf_done(&heard);
	cr_assert_lt(yaml_parse(&arena, SLICE("*x : 1"), "f.yaml", &limits, &value, &err), 0);
}

Test(yaml, duplicate_keys_name_both_places)
{
	cr_assert_str_eq(refusal(SLICE("a: 1\nb: 2\n\"a\": 3\n")),
			 "f.yaml:3:1: error: duplicate key 'a', first in line 1; remove one of the two");
	cr_assert(strstr(refusal(SLICE("{x: {k: 1, k: 2}}")), "f.yaml:1:12: error: duplicate key 'k'"));
}

Test(yaml, what_is_not_supported_is_refused_where_it_stands)
{
	cr_assert(strstr(refusal(SLICE("a: &x 1\n")), "f.yaml:1:4: error: anchors ('&x') are not supported"));
	cr_assert(strstr(refusal(SLICE("a: *x\n")), "f.yaml:1:4: error: aliases ('*x') are not supported"));
	cr_assert(strstr(refusal(SLICE("a: !!str 1\n")), "f.yaml:1:4: error: tags ('!!str') are not supported"));
	cr_assert(strstr(refusal(SLICE("- !mine {}\n")), "f.yaml:1:3: error: tags ('!mine') are not supported"));
	cr_assert(strstr(refusal(SLICE("a: 1\n---\nb: 2\n")), "f.yaml:2:1: error: a second document"));
	cr_assert(strstr(refusal(SLICE("<<: {a: 1}\n")), "f.yaml:1:1: error: merge keys"));
	cr_assert(strstr(refusal(SLICE("? [a]\n: 1\n")), "f.yaml:1:3: error: a key must be a plain name, not a list"));
	cr_assert(strstr(refusal(SLICE("?\n: 1\n")), "error: a key is missing"));
	cr_assert(strstr(refusal(SLICE("%TAG ! tag:x,2000:\n---\na: 1\n")), "error: tags (%TAG)"));
	cr_assert(strstr(refusal(SLICE("a: 9223372036854775808\n")),
			 "f.yaml:1:4: error: the number 9223372036854775808"));
}

Test(yaml, a_bomb_of_anchors_ends_at_the_first_one)
{
	cr_assert(strstr(refusal(SLICE("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n")), "f.yaml:1:4: error: anchors"));
}

Test(yaml, bytes_that_are_no_text_are_found)
{
	cr_assert(strstr(refusal(SLICE("a: 1\nb: \0\n")), "f.yaml:2:4: error: a NUL byte"));
	cr_assert(strstr(refusal(SLICE("a: 1\nbb: x\xe9\n")), "f.yaml:2:6: error: the byte 0xe9 is no UTF-8"));
	cr_assert(strstr(refusal(SLICE("é: \x1b[2J\n")), "f.yaml:1:5: error: the control byte 0x1b"));
	cr_assert(strstr(refusal(SLICE("\xff\xfe"
				       "a\0:\0")),
			 "f.yaml:1:1: error: the byte 0xff is no UTF-8"));
}

Test(yaml, mistakes_of_syntax_have_a_place_and_advice)
{
	cr_assert(strstr(refusal(SLICE("a:\n\tb: 1\n")), "f.yaml:2:1: error: "));
	cr_assert(strstr(err.message, "indent with blanks, not with tabs"));
	cr_assert(strstr(refusal(SLICE("a: b: c\n")), "f.yaml:1:5: error: "));
	cr_assert(strstr(err.message, "quote the text if the ':' belongs to it"));
	cr_assert(strstr(refusal(SLICE("a: @home\n")), "f.yaml:1:4: error: "));
	cr_assert(strstr(err.message, "quote the text"));
	cr_assert(strstr(refusal(SLICE("a: 1\n  b: 2\n")), "f.yaml:2:4: error: "));
	cr_assert(strstr(refusal(SLICE("a: [1, 2\n")), "f.yaml:2:1: error: "));
}

/* `count` times the text. */
static struct slice repeat(const char *text, size_t count)
{
	struct buf buf = { 0 };
	char *copy;

	for (size_t i = 0; i < count; i++)
		buf_append_string(&buf, text);
	copy = arena_copy(&arena, buf_slice(&buf));
	buf_done(&buf);
	return (struct slice){ copy, count * strlen(text) };
}

Test(yaml, ten_thousand_levels_get_a_message)
{
	cr_assert_str_eq(refusal(repeat("[", 10000)),
			 "f.yaml:1:65: error: nested deeper than 64 levels; flatten the structure");
	cr_assert(strstr(refusal(repeat("{a: ", 10000)), "nested deeper than 64 levels"));
	cr_assert(strstr(refusal(repeat("- ", 10000)), "nested deeper than 64 levels"));
	cr_assert(strstr(refusal(repeat("[\n", 10000)), "f.yaml:65:1: error: nested deeper than 64 levels"));
	cr_assert(strstr(refusal(repeat("? ", 10000)), "f.yaml:1:3: error: "));
}

Test(yaml, the_depth_allowed_is_exact)
{
	struct yaml_limits limits = { .size_bytes = 100, .depth = 3 };
	struct value *value;

	cr_assert_eq(yaml_parse(&arena, SLICE("a: [{}]"), "f", &limits, &value, &err), 0);
	cr_assert_eq(yaml_parse(&arena, SLICE("a: [{b: []}]"), "f", &limits, &value, &err), -(int)ERROR_INVALID);
}

Test(yaml, a_file_that_is_too_large_is_refused_before_it_is_read)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct value *value = NULL;

	scratch_begin();
	write_file(at("large"), "");
	cr_assert_eq(truncate(at("large"), 100 << 20), 0);
	cr_assert_eq(yaml_read(&arena, at("large"), "large.yaml", &limits, &value, &err), -(int)ERROR_INVALID);
	cr_assert_eq(strncmp(err.message, "large.yaml:1:1: error: the file is larger than 67108864 bytes", 61), 0);
	cr_assert_eq(yaml_read(&arena, at("none"), NULL, &limits, &value, &err), -(int)ERROR_NOT_FOUND);
	write_file(at("small"), "a: 1\n");
	cr_assert_eq(yaml_read(&arena, at("small"), "small.yaml", &limits, &value, &err), 0);
	cr_assert_str_eq(value->origin.file, "small.yaml");
	scratch_end();
}

Test(yaml, more_values_than_memory_should_hold_are_refused)
{
	cr_assert(strstr(refusal(repeat("-\n", 2100000)), "more than 2000000 values"));
}

static double seconds_to_parse(struct slice text)
{
	struct yaml_limits limits = YAML_LIMITS_DEFAULT;
	struct timespec start, end;
	struct value *value;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	yaml_parse(&arena, text, "f.yaml", &limits, &value, &err);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* Generous bounds, twenty times what it takes: they catch what grows with the square, not a slow machine. */
Test(yaml, time_grows_with_the_size_only)
{
	SCOPE(buf_done) struct buf keys = { 0 };

	for (int i = 0; i < 10000; i++)
		buf_printf(&keys, "key%d: é\n", i);
	cr_assert_lt(seconds_to_parse(buf_slice(&keys)), 1);
	cr_assert_lt(seconds_to_parse(repeat("[", 1000000)), 1);
	cr_assert_lt(seconds_to_parse(repeat("é,", 1000000)), 5);
	buf_clear(&keys);
	buf_append_char(&keys, '[');
	buf_append_slice(&keys, repeat("é,", 300000));
	cr_assert_lt(seconds_to_parse(buf_slice(&keys)), 5);
}
