/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/fs.h"
#include "base/number.h"
#include "base/scope.h"

#include <jansson.h>
#include <math.h>

/* Deep enough for everything people write, and far from the end of the stack. */
enum { JSON_DEPTH = 128, WRITE_BYTES = 64 << 10 };

struct reader {
	struct arena *arena;
	struct origin origin; /* jansson keeps no positions: the whole file */
};

static struct value *convert(const struct reader *reader, const json_t *json, unsigned depth);

static struct value *convert_array(const struct reader *reader, const json_t *json, unsigned depth)
{
	struct value *list = value_list(reader->arena);

	for (size_t i = 0; i < json_array_size(json); i++) {
		struct value *item = convert(reader, json_array_get(json, i), depth + 1);

		if (!item)
			return NULL;
		value_list_add(reader->arena, list, item);
	}
	return list;
}

static struct value *convert_object(const struct reader *reader, json_t *json, unsigned depth)
{
	struct value *map = value_map(reader->arena);

	for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
		struct value *item = convert(reader, json_object_iter_value(at), depth + 1);

		if (!item)
			return NULL;
		value_map_add(reader->arena, map, slice_of(json_object_iter_key(at)), item);
	}
	return map;
}

/* NULL when it is nested too deeply. */
static struct value *convert_any(const struct reader *reader, const json_t *json, unsigned depth)
{
	if (depth > JSON_DEPTH)
		return NULL;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return convert_object(reader, (json_t *)json, depth);
	case JSON_ARRAY:
		return convert_array(reader, json, depth);
	case JSON_STRING:
		return value_string(reader->arena, (struct slice){ json_string_value(json), json_string_length(json) });
	case JSON_INTEGER:
		return value_int(reader->arena, json_integer_value(json));
	case JSON_REAL:
		return value_float(reader->arena, json_real_value(json));
	case JSON_TRUE:
	case JSON_FALSE:
		return value_bool(reader->arena, json_is_true(json));
	case JSON_NULL:
		break;
	}
	return value_null(reader->arena);
}

static struct value *convert(const struct reader *reader, const json_t *json, unsigned depth)
{
	struct value *value = convert_any(reader, json, depth);

	if (value)
		value->origin = reader->origin;
	return value;
}

/* jansson refuses deep nesting itself, but at thousands of levels. `used` NULL: nothing may follow the value. */
static int parse(struct arena *arena, struct slice text, const char *name, size_t *used, struct value **out,
		 struct error *err)
{
	struct reader reader = { arena, { .file = arena_string(arena, name) } };
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t problem;
	struct value *value;
	json_t *json;

	if (slice_trim(text).size == 0)
		return error_set(err, ERROR_INVALID, "%s:1:1: error: the JSON document is empty", name);
	json = json_loadb(text.data, text.size, used ? flags | JSON_DISABLE_EOF_CHECK : flags, &problem);
	if (!json) {
		/* the excerpt that jansson quotes may hold anything */
		size_t readable = strcspn(problem.text, "\n\r");

		return error_set(err, ERROR_INVALID, "%s:%d:%d: error: %.*s", name, problem.line < 1 ? 1 : problem.line,
				 problem.column < 1 ? 1 : problem.column, (int)readable, problem.text);
	}
	value = convert(&reader, json, 1);
	json_decref(json);
	if (!value)
		return error_set(err, ERROR_INVALID, "%s:1:1: error: nested deeper than %d levels", name, JSON_DEPTH);
	if (used)
		*used = (size_t)problem.position;
	*out = value;
	return 0;
}

int json_parse(struct arena *arena, struct slice text, const char *name, struct value **out, struct error *err)
{
	return parse(arena, text, name, NULL, out, err);
}

int json_parse_next(struct arena *arena, struct slice *text, const char *name, struct value **out, struct error *err)
{
	size_t used;
	int status = parse(arena, *text, name, &used, out, err);

	if (status == 0) {
		text->data += used;
		text->size -= used;
	}
	return status;
}

static void write_plain_run(struct buf *out, struct slice run)
{
	size_t start = 0;

	for (size_t i = 0; i < run.size; i++) {
		unsigned char c = (unsigned char)run.data[i];
		const char *named = c == '"'    ? "\\\""
				    : c == '\\' ? "\\\\"
				    : c == '\n' ? "\\n"
				    : c == '\r' ? "\\r"
				    : c == '\t' ? "\\t"
						: NULL;

		if (!named && c >= 0x20 && c != 0x7f)
			continue;
		buf_append(out, run.data + start, i - start);
		if (named)
			buf_append_string(out, named);
		else
			buf_printf(out, "\\u%04x", c);
		start = i + 1;
	}
	buf_append(out, run.data + start, run.size - start);
}

void json_write_string(struct buf *out, struct slice string)
{
	buf_append_char(out, '"');
	while (string.size) {
		size_t valid = slice_utf8_prefix(string);

		write_plain_run(out, (struct slice){ string.data, valid });
		if (valid < string.size) {
			buf_append_string(out, "\\ufffd");
			valid++;
		}
		string.data += valid;
		string.size -= valid;
	}
	buf_append_char(out, '"');
}

static void new_line(struct buf *out, unsigned indent, unsigned depth)
{
	if (indent == 0)
		return;
	buf_append_char(out, '\n');
	for (unsigned i = 0; i < indent * depth; i++)
		buf_append_char(out, ' ');
}

static void write_float(struct buf *out, double number)
{
	char text[NUMBER_BYTES];

	/* JSON has no word for what is no finite number */
	if (!isfinite(number)) {
		buf_append_string(out, "null");
		return;
	}
	number_format(text, number);
	buf_append_string(out, text);
}

static void write_value(struct buf *out, const struct value *value, unsigned indent, unsigned depth);

static void write_list(struct buf *out, const struct value *value, unsigned indent, unsigned depth)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < value->list.count; i++) {
		if (i)
			buf_append_char(out, ',');
		new_line(out, indent, depth + 1);
		write_value(out, value->list.items[i], indent, depth + 1);
	}
	if (value->list.count)
		new_line(out, indent, depth);
	buf_append_char(out, ']');
}

static void write_key(struct buf *out, struct slice key, unsigned indent, unsigned depth)
{
	new_line(out, indent, depth);
	json_write_string(out, key);
	buf_append_string(out, indent ? ": " : ":");
}

static void write_map(struct buf *out, const struct value *value, unsigned indent, unsigned depth)
{
	buf_append_char(out, '{');
	for (size_t i = 0; i < value->map.count; i++) {
		if (i)
			buf_append_char(out, ',');
		write_key(out, value->map.members[i].key, indent, depth + 1);
		write_value(out, value->map.members[i].value, indent, depth + 1);
	}
	if (value->map.count)
		new_line(out, indent, depth);
	buf_append_char(out, '}');
}

static void write_value(struct buf *out, const struct value *value, unsigned indent, unsigned depth)
{
	switch (value->type) {
	case VALUE_BOOL:
		buf_append_string(out, value->boolean ? "true" : "false");
		break;
	case VALUE_INT:
		buf_printf(out, "%lld", (long long)value->integer);
		break;
	case VALUE_FLOAT:
		write_float(out, value->number);
		break;
	case VALUE_STRING:
		json_write_string(out, value->string);
		break;
	case VALUE_LIST:
		write_list(out, value, indent, depth);
		break;
	case VALUE_MAP:
		write_map(out, value, indent, depth);
		break;
	case VALUE_NULL:
	case VALUE_TYPE_COUNT:
		buf_append_string(out, "null");
		break;
	}
}

void json_write(struct buf *out, const struct value *value, unsigned indent)
{
	write_value(out, value, indent, 0);
}

static int drain(struct buf *out, int fd, struct error *err)
{
	int status = out->failed ? error_set(err, ERROR_NO_MEMORY, "no memory to write JSON")
				 : fs_write_all(fd, out->data, out->size, err);

	buf_clear(out);
	return status;
}

static int write_long_list(struct buf *out, int fd, const struct json_list *list, unsigned indent, struct error *err)
{
	size_t written = 0;
	int status = 0;

	buf_append_char(out, '[');
	for (size_t i = 0; i < list->count && status == 0; i++) {
		SCOPE(arena_done) struct arena arena = { 0 };
		struct value *items = value_list(&arena);

		list->add(list->context, &arena, items, i);
		for (size_t j = 0; j < items->list.count; j++) {
			if (written++)
				buf_append_char(out, ',');
			new_line(out, indent, 2);
			write_value(out, items->list.items[j], indent, 2);
		}
		if (out->size >= WRITE_BYTES)
			status = drain(out, fd, err);
	}
	if (written)
		new_line(out, indent, 1);
	buf_append_char(out, ']');
	return status;
}

int json_write_lists(int fd, const struct value *map, const struct json_list *lists, size_t count, unsigned indent,
		     struct error *err)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status = 0;

	write_map(&out, map, indent, 0);
	/* opened again: the brace, and the line before it */
	out.size -= 1 + (map->map.count && indent);
	for (size_t i = 0; i < count && status == 0; i++) {
		if (i || map->map.count)
			buf_append_char(&out, ',');
		write_key(&out, slice_of(lists[i].key), indent, 1);
		status = write_long_list(&out, fd, &lists[i], indent, err);
	}
	new_line(&out, indent, 0);
	buf_append_string(&out, "}\n");
	return status < 0 ? status : drain(&out, fd, err);
}
