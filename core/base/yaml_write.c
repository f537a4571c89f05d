/* SPDX-License-Identifier: MIT */
/*
 * Block style, two blanks a level. Strings stand in double quotes unless they are harmless words. Whatever this
 * writes, yaml_parse() reads back as an equal tree; the one exception are bytes that are no UTF-8, which YAML cannot
 * hold: they become U+FFFD.
 */
#include "base/number.h"
#include "base/yaml.h"
#include "base/yaml_scalar.h"

#include <math.h>

/* A key on one line with its ':' may have 1,024 characters. */
enum { SIMPLE_KEY_BYTES = 1000 };

static void write_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_append_string(out, "  ");
}

/* A decoded character that must not stand in the file as it is: controls, line breaks, what editors hide. */
static bool needs_escape(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
	       c == 0xffff;
}

static uint32_t decode(const char *at, size_t *length)
{
	const unsigned char *s = (const unsigned char *)at;

	*length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	switch (*length) {
	case 1:
		return s[0];
	case 2:
		return (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
	case 3:
		return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
	default:
		return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 | (uint32_t)(s[2] & 0x3f) << 6 |
		       (s[3] & 0x3f);
	}
}

static void write_character(struct buf *out, const char *at, size_t *length)
{
	uint32_t c = decode(at, length);

	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", (char)c);
	else if (c == '\n')
		buf_append_string(out, "\\n");
	else if (c == '\t')
		buf_append_string(out, "\\t");
	else if (needs_escape(c))
		buf_printf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
	else
		buf_append(out, at, *length);
}

static void write_quoted(struct buf *out, struct slice string)
{
	size_t valid = slice_utf8_prefix(string);

	buf_append_char(out, '"');
	for (size_t at = 0; at < string.size;) {
		size_t length = 1;

		if (at < valid)
			write_character(out, string.data + at, &length);
		else
			buf_append_string(out, "\\ufffd");
		at += length;
		if (at > valid)
			valid = at + slice_utf8_prefix((struct slice){ string.data + at, string.size - at });
	}
	buf_append_char(out, '"');
}

static void write_string(struct buf *out, struct slice string)
{
	if (yaml_scalar_is_plain_string(string))
		buf_append_slice(out, string);
	else
		write_quoted(out, string);
}

static void write_float(struct buf *out, double number)
{
	char text[NUMBER_BYTES];

	if (isnan(number)) {
		buf_append_string(out, ".nan");
	} else if (isinf(number)) {
		buf_append_string(out, number < 0 ? "-.inf" : ".inf");
	} else {
		number_format(text, number);
		buf_append_string(out, text);
	}
}

static bool is_block(const struct value *value)
{
	return (value->type == VALUE_LIST && value->list.count) || (value->type == VALUE_MAP && value->map.count);
}

static void write_inline(struct buf *out, const struct value *value)
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
		write_string(out, value->string);
		break;
	case VALUE_LIST:
		buf_append_string(out, "[]");
		break;
	case VALUE_MAP:
		buf_append_string(out, "{}");
		break;
	case VALUE_NULL:
	case VALUE_TYPE_COUNT:
		buf_append_string(out, "null");
		break;
	}
}

static void write_block(struct buf *out, const struct value *value, unsigned depth);

/* Behind "key:" or "-". */
static void write_element(struct buf *out, const struct value *value, unsigned depth)
{
	if (is_block(value)) {
		buf_append_char(out, '\n');
		write_block(out, value, depth + 1);
		return;
	}
	buf_append_char(out, ' ');
	write_inline(out, value);
	buf_append_char(out, '\n');
}

static void write_key(struct buf *out, struct slice key, unsigned depth)
{
	size_t start = out->size;

	write_string(out, key);
	if (out->size - start <= SIMPLE_KEY_BYTES || out->failed) {
		buf_append_char(out, ':');
		return;
	}
	out->size = start;
	buf_append_string(out, "? ");
	write_string(out, key);
	buf_append_char(out, '\n');
	write_indent(out, depth);
	buf_append_char(out, ':');
}

static void write_block(struct buf *out, const struct value *value, unsigned depth)
{
	if (value->type == VALUE_LIST) {
		for (size_t i = 0; i < value->list.count; i++) {
			write_indent(out, depth);
			buf_append_char(out, '-');
			write_element(out, value->list.items[i], depth);
		}
		return;
	}
	for (size_t i = 0; i < value->map.count; i++) {
		write_indent(out, depth);
		write_key(out, value->map.members[i].key, depth);
		write_element(out, value->map.members[i].value, depth);
	}
}

void yaml_write(struct buf *out, const struct value *value)
{
	if (is_block(value)) {
		write_block(out, value, 0);
		return;
	}
	write_inline(out, value);
	buf_append_char(out, '\n');
}
