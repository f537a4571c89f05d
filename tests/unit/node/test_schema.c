/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "node/config/report.h"
#include "node/config/schema_parts.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena arena;

static void end(void)
{
	arena_done(&arena);
}

TestSuite(schema, .fini = end);

static struct value *yaml(const char *text)
{
	struct value *value = NULL;
	struct error err;
	cr_assert(yaml_parse(&arena, slice_of(text), "t.yaml", &YAML_LIMITS_DEFAULT, &value, &err) == 0, "%s",
		  err.message);
	return value;
}

static const char *root(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "RELEASE_ROOT") == 0 ? "/srv/foo" : NULL;
}

static struct value *accept(const char *schema, const char *given)
{
	struct schema_context context = { .arena = &arena, .variable = root };
	struct value *out = NULL;
	struct error err;
	int rc = schema_check(&context, yaml(schema), value_get(yaml(given), "v"), &out, &err);
	cr_assert(rc == 0, "%s with %s: %s", schema, given, err.message);
	return out;
}

static void refuse(const char *schema, const char *given, const char *message)
{
	struct schema_context context = { .arena = &arena, .variable = root };
	struct value *out = NULL;
	struct error err;
	int rc = schema_check(&context, yaml(schema), value_get(yaml(given), "v"), &out, &err);
	cr_assert(rc == -ERROR_INVALID && out == NULL, "%s takes %s", schema, given);
	cr_assert_str_eq(err.message, message);
}

Test(schema, turns_sizes_into_bytes_and_durations_into_milliseconds)
{
	cr_assert_eq(accept("type: size", "v: 64KiB")->integer, 65536);
	cr_assert_eq(accept("type: size", "v: 12")->integer, 12);
	cr_assert_eq(accept("type: duration", "v: 250ms")->integer, 250);
	cr_assert_eq(accept("type: duration", "v: \"2\"")->integer, 2000);
	cr_assert_eq(accept("type: duration", "v: 2")->integer, 2000);
}

Test(schema, takes_a_whole_float_for_an_integer)
{
	struct value *value = accept("type: port", "v: 4040.0");
	cr_assert(value->type == VALUE_INT && value->integer == 4040);
	refuse("type: integer", "v: 1.5", "expected integer, got float 1.5");
}

Test(schema, says_what_was_expected_and_what_came)
{
	refuse("type: port", "v: abc", "expected port (0–65535), got string \"abc\"");
	refuse("type: port", "v: 65536", "expected port (0–65535), got integer 65536");
	refuse("type: port", "v: -1", "expected port (0–65535), got integer -1");
	refuse("type: boolean", "v: yes", "expected boolean (true or false), got string \"yes\"");
	refuse("type: string", "v: 1", "expected string, got integer 1");
	refuse("{type: integer, min: 1, max: 9}", "v: 10", "expected integer (1–9), got integer 10");
	refuse("{type: integer, min: 1}", "v: 0", "expected integer (at least 1), got integer 0");
	refuse("{type: enum, values: [always, everysec, none]}", "v: allways",
	       "expected always, everysec or none, got string \"allways\" (did you mean 'always'?)");
	refuse("type: list", "v: {a: 1}", "expected list, got map");
	refuse("type: map", "v: [1]", "expected map, got list");
	refuse("type: size", "v: -5", "expected size like 4096, \"64KiB\" or \"1GiB\", got integer -5");
}

Test(schema, never_shows_a_secret)
{
	refuse("{type: integer, secret: true}", "v: hunter2", "expected integer, got string");
}

Test(schema, keeps_the_parts_of_a_secret_secret)
{
	refuse("{type: list, secret: true, items: {type: integer}}", "v: [hunter2]",
	       "[1]: expected integer, got string");
	refuse("{type: map, secret: true, keys: {a: {type: enum, values: [one]}}}", "v: {a: onne}",
	       ".a: expected one, got string");
	refuse("{type: list, items: {type: map, keys: {a: {type: integer, secret: true}}}}", "v: [{a: hunter2}]",
	       "[1].a: expected integer, got string");
}

static const char *shown(const char *schema, const char *given)
{
	static struct buf text;
	buf_clear(&text);
	json_write(&text, schema_masked(&arena, yaml(schema), value_get(yaml(given), "v")), 0);
	return buf_string(&text);
}

Test(schema, masks_secrets_also_where_they_are_parts)
{
	static const char users[] =
		"{type: list, items: {type: map, keys: {name: {type: string}, password: {type: string, "
		"secret: true}}}}";
	cr_assert_str_eq(shown("{type: string, secret: true}", "v: hunter2"), "\"********\"");
	cr_assert_str_eq(shown("{type: list, secret: true}", "v: [hunter2]"), "\"********\"");
	cr_assert_str_eq(shown(users, "v: [{name: a, password: hunter2}, {name: b}]"),
			 "[{\"name\":\"a\",\"password\":\"********\"},{\"name\":\"b\"}]");
	cr_assert_str_eq(shown("{type: string, secret: true}", "w: 1"), "null");
	cr_assert_str_eq(shown("{type: map}", "v: {a: 1}"), "{\"a\":1}");
}

Test(schema, puts_variables_into_paths)
{
	cr_assert_str_eq(accept("type: path", "v: ${RELEASE_ROOT}/data")->string.data, "/srv/foo/data");
	cr_assert_str_eq(accept("type: path", "v: /a$b")->string.data, "/a$b");
	refuse("type: path", "v: ${NOWHERE}/x", "variable '${NOWHERE}' in a path is not set");
	refuse("type: path", "v: ${OPEN", "expected path, got one with an open '${'");
	refuse("type: path", "v: \"\"", "expected path, got string \"\"");
}

Test(schema, takes_an_empty_map_for_an_empty_list)
{
	cr_assert_eq(accept("type: list", "v: {}")->type, VALUE_LIST);
}

Test(schema, keeps_the_origin)
{
	struct value *value = accept("type: size", "\n\nv: 1KiB");
	cr_assert_eq(value->origin.line, 3);
}

static const char routes[] = "{type: list, items: {type: map, keys: {range: {type: range, required: true}, "
			     "node: {type: node, required: true}, weight: {type: integer, min: 1, default: 1}}}, "
			     "cover: range}";

Test(schema, takes_ranges_and_nodes)
{
	accept("{type: range}", "v: a-m");
	accept("{type: range}", "v: \"0x80-0xff\"");
	cr_assert_str_eq(accept("{type: range}", "v: 7")->string.data, "7");
	refuse("{type: range}", "v: m-a",
	       "expected range of first characters like a-m, 0-9 or 0x80-0xff, got string \"m-a\"");
	refuse("{type: range}", "v: 10",
	       "expected range of first characters like a-m, 0-9 or 0x80-0xff, got integer 10");
	accept("{type: node}", "v: self");
	accept("{type: node}", "v: foo@10.0.0.1:4000");
	refuse("{type: node}", "v: foo", "expected node like foo@host, or self, got string \"foo\"");
	refuse("{type: node}", "v: foo@", "expected node like foo@host, or self, got string \"foo@\"");
}

Test(schema, checks_and_completes_the_parts_of_a_list)
{
	const struct value *list = accept(routes, "v: [{range: a-m, node: self}, {range: n-z, node: b@h, weight: 3}]");
	cr_assert_eq(value_get(list->list.items[0], "weight")->integer, 1);
	cr_assert_eq(value_get(list->list.items[1], "weight")->integer, 3);
	refuse(routes, "v: [{range: a, node: self}, {range: a, node: x}]",
	       "[2].node: expected node like foo@host, or self, got string \"x\"");
	refuse(routes, "v: [{range: a, node: self, nod: x}]", "[1]: unknown key 'nod' (did you mean 'node'?)");
	refuse(routes, "v: [{range: a}]", "[1]: the key 'node' is missing");
	refuse(routes, "v: [a]", "[1]: expected map, got string \"a\"");
}

static const char *reported(const char *schema, const char *given, bool valid, bool warnings)
{
	struct report report = { 0 };
	struct schema_context context = { .arena = &arena, .variable = root, .report = &report, .label = "kv.routes" };
	struct value *out = NULL;
	struct error err;
	int rc = schema_check(&context, yaml(schema), value_get(yaml(given), "v"), &out, &err);
	cr_assert_eq(rc == 0, valid);
	cr_assert(valid || err.message[0] == '\0');
	const char *text = arena_string(&arena, buf_string(warnings ? &report.warnings : &report.text));
	report_done(&report);
	return text;
}

Test(schema, reports_every_mistake_in_a_list_at_its_place)
{
	cr_assert_str_eq(
		reported(routes, "v:\n- {range: zz, node: self}\n- {range: a, node: x, weight: 0}\n", false, false),
		"t.yaml:2:11: error: kv.routes[1].range: expected range of first characters like a-m, 0-9 or "
		"0x80-0xff, got string \"zz\"\n"
		"t.yaml:3:20: error: kv.routes[2].node: expected node like foo@host, or self, got string \"x\"\n"
		"t.yaml:3:31: error: kv.routes[2].weight: expected integer (at least 1), got integer 0\n");
}

Test(schema, warns_of_overlaps_and_gaps)
{
	cr_assert_str_eq(reported(routes, "v: [{range: \"0x00-0xff\", node: self}]", true, true), "");
	cr_assert_str_eq(reported(routes, "v: []", true, true), "");
	cr_assert_str_eq(reported(routes, "v: [{range: \"0x00-m\", node: self}, {range: k-z, node: b@h}]", true, true),
			 "t.yaml:1:44: warning: kv.routes[2].range: k-z overlaps kv.routes[1] from k on, and the first "
			 "match wins\n"
			 "t.yaml:1:4: warning: kv.routes leaves out 0x7b-0xff\n");
}
