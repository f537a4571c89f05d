/* SPDX-License-Identifier: MIT */
#include "node/console/console_line.h"

#include "base/scope.h"

#include <string.h>

void line_done(struct line *line)
{
	buf_done(&line->text);
	buf_done(&line->cut);
}

void line_set(struct line *line, struct slice text)
{
	buf_clear(&line->text);
	buf_append_slice(&line->text, text);
	line->cursor = line->text.size;
}

void line_insert(struct line *line, struct slice text)
{
	if (text.size == 0 || buf_reserve(&line->text, text.size) == NULL)
		return;
	char *at = line->text.data + line->cursor;
	memmove(at + text.size, at, line->text.size - line->cursor);
	memcpy(at, text.data, text.size);
	line->text.size += text.size;
	line->cursor += text.size;
}

void line_remove(struct line *line, size_t from, size_t to, bool keep)
{
	if (to <= from)
		return;
	char *at = line->text.data + from;
	if (keep) {
		buf_clear(&line->cut);
		buf_append(&line->cut, at, to - from);
	}
	memmove(at, line->text.data + to, line->text.size - to);
	line->text.size -= to - from;
	line->cursor = from;
}

void line_paste(struct line *line)
{
	line_insert(line, buf_slice(&line->cut));
}

void line_transpose(struct line *line)
{
	if (line->cursor == 0 || line->text.size < 2)
		return;
	if (line->cursor == line->text.size)
		line->cursor = line_left(line);
	size_t left = line_left(line);
	size_t right = line_right(line);
	size_t middle = line->cursor;
	char moved[4];
	size_t size = middle - left;
	if (size == 0 || size > sizeof(moved))
		return;
	memcpy(moved, line->text.data + left, size);
	memmove(line->text.data + left, line->text.data + middle, right - middle);
	memcpy(line->text.data + left + (right - middle), moved, size);
	line->cursor = right;
}

/* ---- positions ---- */

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t left_of(const struct line *line, size_t at)
{
	if (at > 0)
		at--;
	while (at > 0 && continues(line->text.data[at]))
		at--;
	return at;
}

static size_t right_of(const struct line *line, size_t at)
{
	if (at < line->text.size)
		at++;
	while (at < line->text.size && continues(line->text.data[at]))
		at++;
	return at;
}

/* Other alphabets than ours are words, too. */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       ((unsigned char)c & 0x80) != 0;
}

size_t line_left(const struct line *line)
{
	return left_of(line, line->cursor);
}

size_t line_right(const struct line *line)
{
	return right_of(line, line->cursor);
}

size_t line_word_left(const struct line *line)
{
	size_t at = line->cursor;
	while (at > 0 && !is_word(line->text.data[at - 1]))
		at--;
	while (at > 0 && is_word(line->text.data[at - 1]))
		at--;
	return at;
}

size_t line_word_right(const struct line *line)
{
	size_t at = line->cursor;
	while (at < line->text.size && !is_word(line->text.data[at]))
		at++;
	while (at < line->text.size && is_word(line->text.data[at]))
		at++;
	return at;
}

/* ---- width ---- */

struct range {
	uint32_t first;
	uint32_t last;
};

static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x064b, 0x065f }, { 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf }, { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

static uint32_t decode(const unsigned char *bytes, size_t length)
{
	uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++)
		code = code << 6 | (bytes[i] & 0x3fu);
	return code;
}

unsigned text_char_width(struct slice text, size_t *length)
{
	unsigned char first = (unsigned char)text.data[0];
	size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	*length = 1;
	if (first < 0x20 || first == 0x7f)
		return 2;
	if (size > text.size || slice_utf8_prefix((struct slice){ text.data, size }) != size)
		return 1;
	*length = size;
	uint32_t code = decode((const unsigned char *)text.data, size);
	if (code >= 0x80 && code < 0xa0) /* commands to some terminals: shown as ? */
		return 1;
	if (is_in(combining, ARRAY_LEN(combining), code))
		return 0;
	return is_in(wide, ARRAY_LEN(wide), code) ? 2 : 1;
}

unsigned text_width(struct slice text)
{
	unsigned width = 0;
	while (text.size > 0) {
		size_t length;
		width += text_char_width(text, &length);
		text = (struct slice){ text.data + length, text.size - length };
	}
	return width;
}
