/* SPDX-License-Identifier: MIT */
/*
 * The line is drawn anew after each piece of input, from the row of its prompt on: a line is short, and there is no
 * state of the screen that could be wrong but the row of the cursor.
 */
#include "node/console/console_edit.h"

#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 256 << 10, LIST_MAX = 200 };

void edit_init(struct edit *edit, struct history *history, unsigned columns)
{
	*edit = (struct edit){ .history = history, .columns = columns };
	buf_init(&edit->line.text, LINE_BYTES_MAX);
}

void edit_done(struct edit *edit)
{
	line_done(&edit->line);
	buf_done(&edit->out);
	buf_done(&edit->prompt);
	buf_done(&edit->new_line);
	buf_done(&edit->needle);
	buf_done(&edit->drawn);
}

/* ---- drawing ---- */

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

/* ---- beginning and end of a line ---- */

void edit_begin(struct edit *edit, struct slice prompt)
{
	buf_clear(&edit->prompt);
	buf_append_slice(&edit->prompt, prompt);
	line_set(&edit->line, (struct slice){ 0 });
	buf_clear(&edit->needle);
	edit->searching = false;
	edit->place = edit->history->count;
	edit->open = true;
	edit_show(edit);
}

/* Leaves the line on the screen and goes to the row below it. */
static enum edit_event end_line(struct edit *edit, enum edit_event event)
{
	const char *mark = event == EDIT_CANCEL ? "^C" : "";
	edit->searching = false;
	edit->line.cursor = edit->line.text.size;
	edit_show(edit);
	buf_printf(&edit->out, "%s\r\n", mark);
	edit->open = false;
	edit->visible = false;
	edit->cursor_row = 0;
	return event;
}

/* ---- history ---- */

static void go_to(struct edit *edit, size_t place)
{
	if (place > edit->history->count)
		return;
	if (edit->place == edit->history->count) {
		buf_clear(&edit->new_line);
		buf_append_slice(&edit->new_line, buf_slice(&edit->line.text));
	}
	edit->place = place;
	line_set(&edit->line,
		 place == edit->history->count ? buf_slice(&edit->new_line) : slice_of(edit->history->lines[place]));
}

static void search(struct edit *edit, size_t before)
{
	size_t found = history_search(edit->history, before, buf_slice(&edit->needle));
	if (found < edit->history->count)
		go_to(edit, found);
	else
		buf_append_char(&edit->out, '\a');
}

static void search_on(struct edit *edit)
{
	if (edit->searching)
		search(edit, edit->place);
	else
		buf_clear(&edit->needle);
	edit->searching = true;
}

/* False: the key ends the search and means what it always means. */
static bool feed_search(struct edit *edit, int key)
{
	if (key == KEY_CONTROL('G')) {
		edit->searching = false;
		go_to(edit, edit->history->count);
		return true;
	}
	if (key == 0x7f || key == KEY_CONTROL('H')) {
		while (edit->needle.size > 0 && ((unsigned char)edit->needle.data[--edit->needle.size] & 0xc0) == 0x80)
			;
		search(edit, edit->history->count);
		return true;
	}
	if (key >= 0x20 && key < 0x100) {
		buf_append_char(&edit->needle, (char)key);
		search(edit, edit->place < edit->history->count ? edit->place + 1 : edit->place);
		return true;
	}
	edit->searching = key == KEY_CONTROL('R');
	return false;
}

/* ---- keys ---- */

static void edit_key(struct edit *edit, int key)
{
	struct line *line = &edit->line;
	size_t size = line->text.size;
	switch (key) {
	case KEY_CONTROL('A'):
	case KEY_HOME:
		line->cursor = 0;
		break;
	case KEY_CONTROL('E'):
	case KEY_END:
		line->cursor = size;
		break;
	case KEY_CONTROL('B'):
	case KEY_LEFT:
		line->cursor = line_left(line);
		break;
	case KEY_CONTROL('F'):
	case KEY_RIGHT:
		line->cursor = line_right(line);
		break;
	case KEY_WORD_LEFT:
		line->cursor = line_word_left(line);
		break;
	case KEY_WORD_RIGHT:
		line->cursor = line_word_right(line);
		break;
	case KEY_CONTROL('H'):
	case 0x7f:
		line_remove(line, line_left(line), line->cursor, false);
		break;
	case KEY_CONTROL('D'):
	case KEY_DELETE:
		line_remove(line, line->cursor, line_right(line), false);
		break;
	case KEY_CONTROL('K'):
		line_remove(line, line->cursor, size, true);
		break;
	case KEY_CONTROL('U'):
		line_remove(line, 0, line->cursor, true);
		break;
	case KEY_CONTROL('W'):
	case KEY_KILL_WORD_LEFT:
		line_remove(line, line_word_left(line), line->cursor, true);
		break;
	case KEY_KILL_WORD_RIGHT:
		line_remove(line, line->cursor, line_word_right(line), true);
		break;
	case KEY_CONTROL('Y'):
		line_paste(line);
		break;
	case KEY_CONTROL('T'):
		line_transpose(line);
		break;
	case KEY_CONTROL('P'):
	case KEY_UP:
		if (edit->place > 0)
			go_to(edit, edit->place - 1);
		break;
	case KEY_CONTROL('N'):
	case KEY_DOWN:
		go_to(edit, edit->place + 1);
		break;
	case KEY_CONTROL('R'):
		search_on(edit);
		break;
	case KEY_CONTROL('L'):
		buf_append_string(&edit->out, "\033[H\033[2J");
		edit->visible = false;
		edit->cursor_row = 0;
		break;
	default:
		break;
	}
}

static void insert_byte(struct edit *edit, int key)
{
	char c = (char)key;
	line_insert(&edit->line, (struct slice){ &c, 1 });
}

/* Pasted code is indented by tabs: they come with more behind them, at the beginning of a line. */
static bool is_indentation(const struct edit *edit, int key, size_t more)
{
	for (size_t i = 0; i < edit->line.cursor; i++) {
		if (edit->line.text.data[i] != ' ')
			return false;
	}
	return key == '\t' && more > 0;
}

static enum edit_event feed_key(struct edit *edit, int key)
{
	if (key == KEY_NONE || key == KEY_UNKNOWN)
		return EDIT_NOTHING;
	if (edit->searching && feed_search(edit, key))
		return EDIT_NOTHING;
	if (key == '\r' || key == '\n')
		return end_line(edit, EDIT_LINE);
	if (key >= 0x20 && key < 0x100 && key != 0x7f) {
		insert_byte(edit, key);
		return EDIT_NOTHING;
	}
	if (key == KEY_CONTROL('C'))
		return end_line(edit, EDIT_CANCEL);
	if (key == KEY_CONTROL('D') && edit->line.text.size == 0)
		return end_line(edit, EDIT_END);
	if (key == '\t')
		return EDIT_COMPLETE;
	if (key == KEY_CONTROL('Z'))
		return EDIT_SUSPEND;
	edit_key(edit, key);
	return EDIT_NOTHING;
}

enum edit_event edit_feed(struct edit *edit, struct slice bytes, size_t *used)
{
	enum edit_event event = EDIT_NOTHING;
	size_t at = 0;
	while (at < bytes.size && event == EDIT_NOTHING) {
		int key = key_decode(&edit->decoder, (unsigned char)bytes.data[at++]);
		event = feed_key(edit, is_indentation(edit, key, bytes.size - at) ? ' ' : key);
	}
	*used = at;
	if (edit->line.text.failed) { /* longer than a line may be: what does not fit is dropped */
		edit->line.text.failed = false;
		buf_append_char(&edit->out, '\a');
	}
	if (edit->open)
		edit_show(edit);
	return event;
}

/* ---- completion ---- */

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
