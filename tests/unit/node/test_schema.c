/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "base/yaml.h"
#include "node/schema.h"

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
