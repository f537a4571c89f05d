/* SPDX-License-Identifier: MIT */
/*
 * The line is drawn anew after each piece of input, from the row of its prompt on: a line is short, and there is no
 * state of the screen that could be wrong but the row of the cursor.
 */
#include "node/console/console_edit.h"

#include "base/scope.h"

enum { LIST_MAX = 200 };

/* ---- the line ---- */

struct position {
	unsigned row;
	unsigned column;
};

static void advance(struct position *at, unsigned width, unsigned columns)
{
	if (at->column + width > columns) {
		at->row++;
		at->column = 0;
	}
	at->column += width;
}

/* Writes the text (unless `out` is NULL) as it can be shown, and follows the cursor. */
static void draw_text(struct buf *out, struct position *at, struct slice text, unsigned columns)
{
	while (text.size > 0) {
		size_t length;
		unsigned width = text_char_width(text, &length);
		unsigned char first = (unsigned char)text.data[0];
		advance(at, width, columns);
		if (out != NULL && (first < 0x20 || first == 0x7f))
			buf_printf(out, "^%c", first ^ 0x40);
		else if (out != NULL && length == 1 && first >= 0x80)
			buf_append_char(out, '?');
		else if (out != NULL && length == 2 && first == 0xc2 && (unsigned char)text.data[1] < 0xa0)
			buf_append_char(out, '?');
		else if (out != NULL)
			buf_append(out, text.data, length);
		text = (struct slice){ text.data + length, text.size - length };
	}
}

static struct slice shown_prompt(const struct edit *edit, struct buf *room)
{
	if (!edit->searching)
		return buf_slice(&edit->prompt);
	buf_printf(room, "(search '%.*s') ", SLICE_FMT(buf_slice(&edit->needle)));
	return buf_slice(room);
}

static struct position cursor_position(const struct edit *edit, struct slice prompt)
{
	struct position at = { 0 };
	draw_text(NULL, &at, prompt, edit->columns);
	draw_text(NULL, &at, (struct slice){ edit->line.text.data, edit->line.cursor }, edit->columns);
	if (at.column == edit->columns)
		at = (struct position){ at.row + 1, 0 };
	return at;
}

static void move_up(struct buf *out, unsigned rows)
{
	if (rows > 0)
		buf_printf(out, "\033[%uA", rows);
	buf_append_char(out, '\r');
}

void edit_hide(struct edit *edit)
{
	if (!edit->visible)
		return;
	move_up(&edit->out, edit->cursor_row);
	buf_append_string(&edit->out, "\033[J");
	edit->visible = false;
	edit->cursor_row = 0;
}

/* What was typed at the end of the line is written behind it: all that most keys cost. */
static bool draw_more(struct edit *edit, const struct buf *whole, bool at_end)
{
	struct slice drawn = buf_slice(&edit->drawn);
	struct slice text = buf_slice(whole);
	if (!edit->visible || !at_end || drawn.size == 0 || !slice_starts(text, drawn))
		return false;
	struct position end = { 0, edit->end_column };
	struct slice more = { text.data + drawn.size, text.size - drawn.size };
	if (edit->end_column + text_width(more) >= edit->columns || slice_utf8_prefix(drawn) < drawn.size)
		return false;
	draw_text(&edit->out, &end, more, edit->columns);
	edit->end_column = end.column;
	return true;
}

static void draw_all(struct edit *edit, struct slice prompt, bool at_end)
{
	struct position end = { 0 };
	edit_hide(edit);
	draw_text(&edit->out, &end, prompt, edit->columns);
	draw_text(&edit->out, &end, buf_slice(&edit->line.text), edit->columns);
	if (end.column == edit->columns) {
		/* the terminal waits at the edge for the next character */
		buf_append_string(&edit->out, "\r\n");
		end = (struct position){ end.row + 1, 0 };
	}
	struct position cursor = at_end ? end : cursor_position(edit, prompt);
	if (!at_end)
		move_up(&edit->out, end.row - cursor.row);
	if (!at_end && cursor.column > 0)
		buf_printf(&edit->out, "\033[%uC", cursor.column);
	edit->cursor_row = cursor.row;
	edit->end_column = end.column;
	edit->visible = true;
}

void edit_show(struct edit *edit)
{
	SCOPE(buf_done) struct buf room = { 0 };
	SCOPE(buf_done) struct buf whole = { 0 };
	if (!edit->open)
		return;
	struct slice prompt = shown_prompt(edit, &room);
	bool at_end = edit->line.cursor == edit->line.text.size;
	buf_append_slice(&whole, prompt);
	buf_append_slice(&whole, buf_slice(&edit->line.text));
	if (!draw_more(edit, &whole, at_end))
		draw_all(edit, prompt, at_end);
	buf_clear(&edit->drawn);
	if (at_end && !whole.failed)
		buf_append_slice(&edit->drawn, buf_slice(&whole));
}

void edit_resize(struct edit *edit, unsigned columns)
{
	SCOPE(buf_done) struct buf room = { 0 };
	if (columns == 0 || columns == edit->columns)
		return;
	edit->columns = columns;
	if (!edit->visible)
		return;
	/* terminals have broken the lines anew */
	edit->cursor_row = cursor_position(edit, shown_prompt(edit, &room)).row;
	buf_clear(&edit->drawn);
	edit_show(edit);
}

/* ---- candidates ---- */

static size_t common_prefix(const struct slice *words, size_t count)
{
	size_t size = words[0].size;
	for (size_t i = 1; i < count; i++) {
		size_t same = 0;
		while (same < size && same < words[i].size && words[i].data[same] == words[0].data[same])
			same++;
		size = same;
	}
	while (size > 0 && size < words[0].size && ((unsigned char)words[0].data[size] & 0xc0) == 0x80)
		size--; /* whole characters */
	return size;
}

static void draw_padded(struct edit *edit, struct slice word, unsigned width)
{
	struct position at = { 0 };
	draw_text(&edit->out, &at, word, UINT16_MAX);
	for (unsigned i = at.column; i < width; i++)
		buf_append_char(&edit->out, ' ');
}

/* In columns, read downwards as ls does. */
static void draw_list(struct edit *edit, const struct slice *words, size_t count)
{
	unsigned width = 0;
	size_t shown = count < LIST_MAX ? count : LIST_MAX;
	for (size_t i = 0; i < shown; i++) {
		unsigned own = text_width(words[i]) + 2;
		width = own > width ? own : width;
	}
	size_t across = edit->columns / width > 0 ? edit->columns / width : 1;
	size_t rows = (shown + across - 1) / across;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < shown; i += rows)
			draw_padded(edit, words[i], i + rows < shown ? width : 0);
		buf_append_string(&edit->out, "\r\n");
	}
	if (shown < count)
		buf_printf(&edit->out, "… and %zu more\r\n", count - shown);
}

void edit_candidates(struct edit *edit, size_t replace, const struct slice *words, size_t count)
{
	if (!edit->open || count == 0 || replace > edit->line.cursor) {
		buf_append_char(&edit->out, '\a');
		return;
	}
	size_t size = common_prefix(words, count);
	if (size > replace || count == 1) {
		line_remove(&edit->line, edit->line.cursor - replace, edit->line.cursor, false);
		line_insert(&edit->line, (struct slice){ words[0].data, size });
		edit_show(edit);
		return;
	}
	size_t cursor = edit->line.cursor;
	edit->line.cursor = edit->line.text.size;
	edit_show(edit);
	buf_append_string(&edit->out, "\r\n");
	edit->visible = false;
	edit->cursor_row = 0;
	draw_list(edit, words, count);
	edit->line.cursor = cursor;
	edit_show(edit);
}
