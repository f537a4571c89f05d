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
