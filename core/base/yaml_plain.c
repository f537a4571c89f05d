/* SPDX-License-Identifier: MIT */
#include "base/yaml_plain.h"

#include "base/yaml_scalar.h"

/* The cursor never passes `end`, where a NUL stands: a text that breaks off fails a comparison, not a bound. */
struct plain {
	struct arena *arena;
	const char *file;
	const char *at;
	const char *line_start;
	const char *end;
	uint32_t line;
	unsigned depth; /* how many more levels are allowed */
	size_t values;  /* … and how many more values */
};

enum { KEY_MAX_BYTES = 1000 }; /* libyaml takes no key of more than 1024 characters */

static struct value *block(struct plain *in, size_t indent);
static struct value *flow(struct plain *in);

/* ---- characters ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '.' || c == '/' || c == '-' || c == '+';
}

/* How a plain scalar may begin: anything else means something to YAML, or might. */
static bool begins_plain(const char *at)
{
	return is_letter(*at) || is_digit(*at) || *at == '/' || *at == '.' || (*at == '-' && is_digit(at[1]));
}

static bool ends_line(const struct plain *in)
{
	return in->at == in->end || *in->at == '\n';
}

static size_t column(const struct plain *in)
{
	return (size_t)(in->at - in->line_start);
}

static struct origin place(const struct plain *in)
{
	return (struct origin){ in->file, in->line, (uint32_t)column(in) + 1 };
}

static void skip_blanks(struct plain *in)
{
	while (*in->at == ' ')
		in->at++;
}

static void next_line(struct plain *in)
{
	in->at++;
	in->line++;
	in->line_start = in->at;
}

/* From the end of a value to the first character of the next line with content, or to the end of the text. False when
 * something else stands behind the value. */
static bool finish_line(struct plain *in)
{
	const char *before = in->at;
	skip_blanks(in);
	if (*in->at == '#' && (in->at > before || in->at == in->line_start)) {
		while (!ends_line(in))
			in->at++;
	}
	if (!ends_line(in))
		return false;
	while (in->at < in->end) {
		if (*in->at == '\n') {
			next_line(in);
			continue;
		}
		skip_blanks(in);
		if (*in->at == '#') {
			while (!ends_line(in))
				in->at++;
		} else if (!ends_line(in)) {
			break;
		}
	}
	return true;
}

/* ---- scalars ---- */

static struct value *new_value(struct plain *in, enum value_type type, struct origin origin)
{
	if (in->values == 0)
		return NULL;
	in->values--;
	struct value *value = ARENA_NEW(in->arena, struct value);
	value->type = type;
	value->origin = origin;
	return value;
}

static struct value *scalar(struct plain *in, struct slice text, bool quoted, struct origin origin)
{
	struct value *value = new_value(in, VALUE_STRING, origin);
	if (!value)
		return NULL;
	value->quoted = quoted;
	value->text = (struct slice){ arena_copy(in->arena, text), text.size };
	if (!quoted && yaml_scalar_resolve(value->text, value))
		return NULL;
	if (value->type == VALUE_STRING)
		value->string = value->text;
	return value;
}

/* In either kind of quotes, on one line, nothing escaped. */
static struct value *quoted(struct plain *in)
{
	struct origin origin = place(in);
	char quote = *in->at++;
	const char *start = in->at;
	while (*in->at != quote) {
		if (ends_line(in) || *in->at == '\\')
			return NULL;
		in->at++;
	}
	struct slice text = { start, (size_t)(in->at - start) };
	in->at++;
	return *in->at == quote ? NULL : scalar(in, text, true, origin);
}

static struct value *trimmed(struct plain *in, const char *start, struct origin origin)
{
	struct slice text = { start, (size_t)(in->at - start) };
	while (text.size > 0 && text.data[text.size - 1] == ' ')
		text.size--;
	return scalar(in, text, false, origin);
}

/* To the end of the line or a comment. */
static struct value *plain_in_block(struct plain *in)
{
	struct origin origin = place(in);
	const char *start = in->at;
	if (!begins_plain(start))
		return NULL;
	for (; !ends_line(in); in->at++) {
		if (*in->at == ':' && (in->at[1] == ' ' || in->at[1] == '\n' || in->at + 1 == in->end))
			return NULL;
		if (*in->at == '#' && in->at[-1] == ' ')
			break;
	}
	struct value *value = trimmed(in, start, origin);
	if (*in->at == '#')
		in->at--; /* finish_line() looks for the blank before it */
	return value;
}

/* Words with single blanks between. */
static struct value *plain_in_flow(struct plain *in)
{
	struct origin origin = place(in);
	const char *start = in->at;
	if (!begins_plain(start))
		return NULL;
	while (is_word(*in->at) || *in->at == ' ')
		in->at++;
	return trimmed(in, start, origin);
}

static struct value *key(struct plain *in, const struct value *map, struct slice *out, struct origin *origin)
{
	const char *start = in->at;
	*origin = place(in);
	if (!is_letter(*start))
		return NULL;
	while (is_word(*in->at))
		in->at++;
	*out = (struct slice){ start, (size_t)(in->at - start) };
	if (*in->at != ':' || out->size > KEY_MAX_BYTES || value_member(map, *out))
		return NULL;
	in->at++;
	*out = (struct slice){ arena_copy(in->arena, *out), out->size };
	return (struct value *)map;
}

/* ---- flow collections ---- */

static struct value *flow_value(struct plain *in)
{
	if (*in->at == '{' || *in->at == '[')
		return flow(in);
	return *in->at == '"' || *in->at == '\'' ? quoted(in) : plain_in_flow(in);
}

static bool flow_member(struct plain *in, struct value *map)
{
	struct slice name;
	struct origin origin;
	if (!key(in, map, &name, &origin) || *in->at != ' ')
		return false;
	skip_blanks(in);
	struct value *value = flow_value(in);
	if (value)
		value_map_add_at(in->arena, map, name, origin, value);
	return value != NULL;
}

static bool flow_item(struct plain *in, struct value *list)
{
	struct value *value = flow_value(in);
	if (value)
		value_list_add(in->arena, list, value);
	return value != NULL;
}

static struct value *flow(struct plain *in)
{
	bool is_map = *in->at == '{';
	char close = is_map ? '}' : ']';
	struct value *value = new_value(in, is_map ? VALUE_MAP : VALUE_LIST, place(in));
	if (!value || in->depth == 0)
		return NULL;
	in->depth--;
	in->at++;
	skip_blanks(in);
	while (*in->at != close) {
		if (!(is_map ? flow_member(in, value) : flow_item(in, value)))
			return NULL;
		skip_blanks(in);
		if (*in->at == close)
			break;
		if (*in->at != ',' || in->at[1] != ' ')
			return NULL;
		in->at++;
		skip_blanks(in);
		if (*in->at == close)
			return NULL;
	}
	in->at++;
	in->depth++;
	return value;
}

/* ---- blocks ---- */

/* What stands behind "key: " or "- "; `indent` is the collection's. Ends at the next line with content. */
static struct value *inline_value(struct plain *in, size_t indent)
{
	struct value *value;
	if (*in->at == '{' || *in->at == '[')
		value = flow(in);
	else if (*in->at == '"' || *in->at == '\'')
		value = quoted(in);
	else
		value = plain_in_block(in);
	if (!value || !finish_line(in))
		return NULL;
	/* deeper than the collection: the scalar would go on there */
	return in->at < in->end && column(in) > indent ? NULL : value;
}

static bool ends_here(const struct plain *in)
{
	return *in->at == '\n' || in->at == in->end;
}

static bool is_item(const struct plain *in)
{
	return *in->at == '-' && (in->at[1] == ' ' || in->at[1] == '\n');
}

/* What stands below "key:" or "-". */
static struct value *value_below(struct plain *in, size_t indent, bool of_map)
{
	if (!finish_line(in) || in->at == in->end)
		return NULL;
	size_t deeper = column(in);
	/* a list may stand right below its key */
	if (deeper > indent || (of_map && deeper == indent && is_item(in)))
		return block(in, deeper);
	return NULL;
}

static bool block_member(struct plain *in, struct value *map, size_t indent)
{
	struct slice name;
	struct origin origin;
	if (!key(in, map, &name, &origin) || (*in->at != ' ' && !ends_here(in)))
		return false;
	const char *colon_end = in->at;
	skip_blanks(in);
	struct value *value;
	if (ends_here(in) || *in->at == '#') {
		in->at = colon_end;
		value = value_below(in, indent, true);
	} else {
		value = inline_value(in, indent);
	}
	if (value)
		value_map_add_at(in->arena, map, name, origin, value);
	return value != NULL;
}

/* `indent` is the column of its first key, where the cursor stands. */
static struct value *block_map(struct plain *in, size_t indent)
{
	struct value *map = new_value(in, VALUE_MAP, place(in));
	if (!map || in->depth == 0)
		return NULL;
	in->depth--;
	do {
		if (!block_member(in, map, indent))
			return NULL;
	} while (in->at < in->end && column(in) == indent && !is_item(in));
	in->depth++;
	return map;
}

/* "name: x" behind a dash: a map whose first key stands there. */
static bool looks_like_key(const struct plain *in)
{
	const char *at = in->at;
	if (!is_letter(*at))
		return false;
	while (is_word(*at))
		at++;
	return *at == ':' && (at[1] == ' ' || at[1] == '\n' || at + 1 == in->end);
}

static bool block_item(struct plain *in, struct value *list, size_t indent)
{
	struct value *value;
	in->at++; /* the dash */
	const char *dash_end = in->at;
	skip_blanks(in);
	if (ends_here(in) || *in->at == '#') {
		in->at = dash_end;
		value = value_below(in, indent, false);
	} else if (looks_like_key(in)) {
		value = block_map(in, column(in));
	} else {
		value = inline_value(in, indent);
	}
	if (value)
		value_list_add(in->arena, list, value);
	return value != NULL;
}

static struct value *block_list(struct plain *in, size_t indent)
{
	struct value *list = new_value(in, VALUE_LIST, place(in));
	if (!list || in->depth == 0)
		return NULL;
	in->depth--;
	do {
		if (!block_item(in, list, indent))
			return NULL;
	} while (in->at < in->end && column(in) == indent && is_item(in));
	in->depth++;
	return list;
}

/* The cursor stands on its first character. Whoever called checks where the next line begins. */
static struct value *block(struct plain *in, size_t indent)
{
	return is_item(in) ? block_list(in, indent) : looks_like_key(in) ? block_map(in, indent) : NULL;
}

struct value *yaml_plain_parse(struct arena *arena, struct slice text, const char *file, unsigned depth,
			       size_t values_max)
{
	struct plain in = { .arena = arena, .file = file, .line = 1, .depth = depth, .values = values_max };
	if (text.size == 0)
		return NULL;
	in.at = in.line_start = arena_copy(arena, text);
	in.end = in.at + text.size;
	if (!finish_line(&in) && column(&in) != 0)
		return NULL;
	struct value *root = block(&in, column(&in));
	return in.at == in.end ? root : NULL;
}
