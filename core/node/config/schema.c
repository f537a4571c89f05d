/* SPDX-License-Identifier: MIT */
#include "node/config/schema.h"

#include "base/scope.h"
#include "base/term.h"
#include "base/text.h"
#include "node/config/schema_parts.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX_BYTES = 60, VARIABLE_NAME_MAX = 64 };

static bool flag_is_set(const struct value *schema, const char *name)
{
	const struct value *flag = value_get(schema, name);
	return flag != NULL && flag->type == VALUE_BOOL && flag->boolean;
}

bool schema_is_secret(const struct value *schema)
{
	return flag_is_set(schema, "secret");
}

bool schema_is_live(const struct value *schema)
{
	return flag_is_set(schema, "live");
}

bool schema_is_required(const struct value *schema)
{
	return flag_is_set(schema, "required");
}

/* "string "abc"", "integer 70000", "a list" */
static void describe(const struct value *value, bool secret, char *out, size_t size)
{
	const char *type = value_type_name(value->type);
	if (secret || value->type == VALUE_LIST || value->type == VALUE_MAP || value->type == VALUE_NULL)
		snprintf(out, size, "%s", type);
	else if (value->type == VALUE_BOOL)
		snprintf(out, size, "%s %s", type, value->boolean ? "true" : "false");
	else if (value->type == VALUE_INT)
		snprintf(out, size, "%s %lld", type, (long long)value->integer);
	else if (value->type == VALUE_FLOAT)
		snprintf(out, size, "%s %.14g", type, value->number);
	else if (value->string.size > SHOWN_MAX_BYTES)
		snprintf(out, size, "%s \"%.*s…\"", type,
			 (int)slice_utf8_prefix((struct slice){ value->string.data, SHOWN_MAX_BYTES }),
			 value->string.data);
	else
		snprintf(out, size, "%s \"%.*s\"", type, SLICE_FMT(value->string));
}

static int expected(const struct value *schema, const struct value *given, struct error *err, const char *what)
{
	char got[160];
	describe(given, schema_is_secret(schema), got, sizeof(got));
	return error_set(err, ERROR_INVALID, "expected %s, got %s", what, got);
}

/* Lua has one number type to people: 4040.0 is an integer. */
static bool as_integer(const struct value *given, int64_t *out)
{
	if (given->type == VALUE_INT) {
		*out = given->integer;
		return true;
	}
	const double exact = 9007199254740992.0; /* 2^53: beyond it doubles skip integers */
	if (given->type != VALUE_FLOAT || !(given->number >= -exact && given->number <= exact))
		return false;
	int64_t number = (int64_t)given->number;
	if ((double)number != given->number)
		return false;
	*out = number;
	return true;
}

static struct value *integer_at(struct arena *arena, int64_t number, const struct value *given)
{
	struct value *value = value_int(arena, number);
	value->origin = given->origin;
	return value;
}

static bool limit(const struct value *schema, const char *name, int64_t *out)
{
	const struct value *value = value_get(schema, name);
	if (value == NULL || value->type != VALUE_INT)
		return false;
	*out = value->integer;
	return true;
}

static int in_range(const struct value *schema, const char *type, const struct value *given, int64_t number,
		    struct error *err)
{
	int64_t min = INT64_MIN;
	int64_t max = INT64_MAX;
	bool has_min = limit(schema, "min", &min);
	bool has_max = limit(schema, "max", &max);
	if (number >= min && number <= max)
		return 0;
	char what[128];
	if (has_min && has_max)
		snprintf(what, sizeof(what), "%s (%lld–%lld)", type, (long long)min, (long long)max);
	else
		snprintf(what, sizeof(what), "%s (%s %lld)", type, has_min ? "at least" : "at most",
			 (long long)(has_min ? min : max));
	return expected(schema, given, err, what);
}

static int check_string(const struct schema_context *context, const struct value *schema, struct value *given,
			struct value **out, struct error *err)
{
	(void)context;
	if (given->type != VALUE_STRING)
		return expected(schema, given, err, "string");
	*out = given;
	return 0;
}

static int check_integer(const struct schema_context *context, const struct value *schema, struct value *given,
			 struct value **out, struct error *err)
{
	int64_t number;
	if (!as_integer(given, &number))
		return expected(schema, given, err, "integer");
	int rc = in_range(schema, "integer", given, number, err);
	if (rc == 0)
		*out = integer_at(context->arena, number, given);
	return rc;
}

static int check_boolean(const struct schema_context *context, const struct value *schema, struct value *given,
			 struct value **out, struct error *err)
{
	(void)context;
	if (given->type != VALUE_BOOL)
		return expected(schema, given, err, "boolean (true or false)");
	*out = given;
	return 0;
}

static int check_port(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	int64_t number;
	if (!as_integer(given, &number) || number < 0 || number > 65535)
		return expected(schema, given, err, "port (0–65535)");
	*out = integer_at(context->arena, number, given);
	return 0;
}

/* A bare number means seconds, as in the text form. */
static int check_duration(const struct schema_context *context, const struct value *schema, struct value *given,
			  struct value **out, struct error *err)
{
	static const char what[] = "duration like \"250ms\", \"30s\" or \"5m\"";
	uint64_t ms = 0;
	int64_t seconds;
	if (as_integer(given, &seconds) && seconds >= 0 && seconds <= INT64_MAX / 1000)
		ms = (uint64_t)seconds * 1000;
	else if (given->type != VALUE_STRING || !text_to_duration_ms(given->string, &ms) || ms > INT64_MAX)
		return expected(schema, given, err, what);
	int rc = in_range(schema, "milliseconds", given, (int64_t)ms, err);
	if (rc == 0)
		*out = integer_at(context->arena, (int64_t)ms, given);
	return rc;
}

static int check_size(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	int64_t number;
	uint64_t bytes = 0;
	if (as_integer(given, &number) && number >= 0)
		bytes = (uint64_t)number;
	else if (given->type != VALUE_STRING || !text_to_size(given->string, &bytes) || bytes > INT64_MAX)
		return expected(schema, given, err, "size like 4096, \"64KiB\" or \"1GiB\"");
	int rc = in_range(schema, "size in bytes", given, (int64_t)bytes, err);
	if (rc == 0)
		*out = integer_at(context->arena, (int64_t)bytes, given);
	return rc;
}

int schema_expand(const struct schema_context *context, struct slice text, struct buf *out, struct error *err)
{
	while (text.size > 0) {
		if (!slice_starts(text, SLICE("${"))) {
			buf_append_char(out, text.data[0]);
			text = (struct slice){ text.data + 1, text.size - 1 };
			continue;
		}
		struct slice name;
		struct slice rest;
		if (!slice_split((struct slice){ text.data + 2, text.size - 2 }, '}', &name, &rest) ||
		    name.size >= VARIABLE_NAME_MAX)
			return error_set(err, ERROR_INVALID, "expected path, got one with an open '${'");
		char key[VARIABLE_NAME_MAX];
		memcpy(key, name.data, name.size);
		key[name.size] = '\0';
		const char *value = context->variable != NULL ? context->variable(context->context, key) : NULL;
		if (value == NULL)
			return error_set(err, ERROR_INVALID, "variable '${%s}' in a path is not set", key);
		buf_append_string(out, value);
		text = rest;
	}
	return 0;
}

static int check_path(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	if (given->type != VALUE_STRING || given->string.size == 0)
		return expected(schema, given, err, "path");
	if (memchr(given->string.data, '\0', given->string.size) != NULL)
		return error_set(err, ERROR_INVALID, "expected path, got one with a NUL byte");
	if (memchr(given->string.data, '$', given->string.size) == NULL) {
		*out = given;
		return 0;
	}
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = schema_expand(context, given->string, &text, err);
	if (rc != 0)
		return rc;
	*out = value_string(context->arena, buf_slice(&text));
	(*out)->origin = given->origin;
	return 0;
}

/* A digit alone is a number to YAML and Lua. */
static int check_range(const struct schema_context *context, const struct value *schema, struct value *given,
		       struct value **out, struct error *err)
{
	unsigned first;
	unsigned last;
	int64_t number;
	if (as_integer(given, &number) && number >= 0 && number <= 9) {
		char digit = (char)('0' + number);
		*out = value_string(context->arena, (struct slice){ &digit, 1 });
		(*out)->origin = given->origin;
		return 0;
	}
	if (given->type != VALUE_STRING || !text_to_byte_range(given->string, &first, &last))
		return expected(schema, given, err, "range of first characters like a-m, 0-9 or 0x80-0xff");
	*out = given;
	return 0;
}

static int check_node(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	struct slice name;
	struct slice host;
	uint16_t port;
	(void)context;
	bool sound =
		given->type == VALUE_STRING && (slice_is(given->string, "self") ||
						(text_split_node(given->string, &name, &host, &port) && host.size > 0));
	if (!sound)
		return expected(schema, given, err, "node like foo@host, or self");
	*out = given;
	return 0;
}

/* An empty Lua table is an empty map and an empty list alike. */
static int check_list(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	if (given->type == VALUE_MAP && given->map.count == 0) {
		*out = value_list(context->arena);
		(*out)->origin = given->origin;
		return 0;
	}
	if (given->type != VALUE_LIST)
		return expected(schema, given, err, "list");
	return schema_check_items(context, schema, given, out, err);
}

static int check_map(const struct schema_context *context, const struct value *schema, struct value *given,
		     struct value **out, struct error *err)
{
	if (given->type != VALUE_MAP)
		return expected(schema, given, err, "map");
	return schema_check_keys(context, schema, given, out, err);
}

static int check_enum(const struct schema_context *context, const struct value *schema, struct value *given,
		      struct value **out, struct error *err)
{
	const struct value *values = value_get(schema, "values");
	size_t count = values != NULL && values->type == VALUE_LIST ? values->list.count : 0;
	const char **names = arena_array(context->arena, count + 1, sizeof(*names));
	SCOPE(buf_done) struct buf what = { 0 };
	for (size_t i = 0; i < count; i++) {
		names[i] = value_text(values->list.items[i], "");
		if (given->type == VALUE_STRING && slice_is(given->string, names[i])) {
			*out = given;
			return 0;
		}
		buf_printf(&what, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", names[i]);
	}
	const char *near = given->type == VALUE_STRING && !schema_is_secret(schema)
				   ? term_suggest(given->string.data, names, count)
				   : NULL;
	int rc = expected(schema, given, err, buf_string(&what));
	if (near != NULL && err != NULL) {
		size_t used = strlen(err->message);
		snprintf(err->message + used, sizeof(err->message) - used, " (did you mean '%s'?)", near);
	}
	return rc;
}

static const struct {
	const char *name;
	int (*check)(const struct schema_context *context, const struct value *schema, struct value *given,
		     struct value **out, struct error *err);
} types[] = {
	{ "string", check_string }, { "integer", check_integer },   { "boolean", check_boolean },
	{ "port", check_port },     { "duration", check_duration }, { "size", check_size },
	{ "path", check_path },     { "list", check_list },         { "map", check_map },
	{ "enum", check_enum },     { "range", check_range },       { "node", check_node },
};

/* A part of a secret is one, whatever its own declaration says. */
static const struct value *as_secret(struct arena *arena, const struct value *schema)
{
	struct value *secret = value_map(arena);
	value_map_add(arena, secret, SLICE("secret"), value_bool(arena, true));
	return value_merge(arena, (struct value *)schema, secret);
}

int schema_check(const struct schema_context *context, const struct value *schema, struct value *given,
		 struct value **out, struct error *err)
{
	if (context->secret && !schema_is_secret(schema))
		schema = as_secret(context->arena, schema);
	const char *type = value_text(value_get(schema, "type"), "");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].name, type) == 0)
			return types[i].check(context, schema, given, out, err);
	}
	return error_set(err, ERROR_INVALID, "component.yaml gives the setting the unknown type '%s'", type);
}
