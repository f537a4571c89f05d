/* SPDX-License-Identifier: MIT */
/* What each key means. How the line comes to the screen: console_draw.c. */
#include "node/console/console_edit.h"

#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

void edit_init(struct edit *edit, struct history *history, unsigned columns)
{
	*edit = (struct edit){ .history = history, .columns = columns };
	buf_init(&edit->line.text, EDIT_LINE_MAX);
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

/* ---- beginning and end of a line ---- */

static void open_line(struct edit *edit, struct slice prompt)
{
	buf_clear(&edit->prompt);
	buf_append_slice(&edit->prompt, prompt);
	line_set(&edit->line, (struct slice){ 0 });
	buf_clear(&edit->needle);
	edit->searching = false;
	edit->cut = false;
	edit->place = edit->history->count;
	edit->open = true;
}

void edit_begin(struct edit *edit, struct slice prompt)
{
	open_line(edit, prompt);
	edit_show(edit);
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	}
	return slice_utf8_prefix(text) == text.size;
}

bool edit_begin_behind(struct edit *edit, struct slice shown)
{
	if (shown.size == 0 || !is_plain(shown) || text_width(shown) >= edit->columns)
		return false;
	open_line(edit, shown);
	buf_clear(&edit->drawn);
	buf_append_slice(&edit->drawn, shown);
	edit->end_column = text_width(shown);
	edit->cursor_row = 0;
	edit->visible = true;
	return true;
}

static enum edit_event end_line(struct edit *edit, enum edit_event event)
{
	const char *mark = event == EDIT_CANCEL ? "^C" : "";
	edit->searching = false;
	edit->pasting = edit->pasting && event == EDIT_LINE; /* Ctrl-C may have cost the mark of the end */
	edit->line.cursor = edit->line.text.size;
	edit_show(edit);
	buf_printf(&edit->out, "%s\r\n", mark);
	edit->open = false;
	edit->visible = false;
	edit->cursor_row = 0;
	return event;
}

void edit_end(struct edit *edit)
{
	(void)end_line(edit, EDIT_NOTHING);
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

/* Pasted code has tabs: they come with more behind them, at the beginning of a line, or with the rest of the line. Tab
 * and Enter, which fast fingers type at once, are no paste. */
static bool is_pasted_tab(const struct edit *edit, int key, struct slice more)
{
	if (key != '\t' || more.size == 0)
		return false;
	for (size_t i = 0; i < edit->line.cursor; i++) {
		if (edit->line.text.data[i] != ' ')
			return memchr(more.data + 1, '\r', more.size - 1) != NULL ||
			       memchr(more.data + 1, '\n', more.size - 1) != NULL;
	}
	return true;
}

/* False: it means what it always means. */
static bool feed_paste(struct edit *edit, int key)
{
	if (key == KEY_PASTE_BEGIN || key == KEY_PASTE_END) {
		edit->pasting = key == KEY_PASTE_BEGIN;
		edit->searching = false;
	} else if (!edit->pasting || key == '\r' || key == '\n' || key == KEY_CONTROL('C')) {
		return false;
	} else if (key == '\t') {
		insert_byte(edit, ' ');
	} else if (key >= 0x20 && key < 0x100 && key != 0x7f) {
		insert_byte(edit, key);
	}
	return true;
}

static enum edit_event feed_key(struct edit *edit, int key)
{
	if (key == KEY_NONE || key == KEY_UNKNOWN)
		return EDIT_NOTHING;
	if (feed_paste(edit, key) || (edit->searching && feed_search(edit, key)))
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
		struct slice more = { bytes.data + at, bytes.size - at };
		event = feed_key(edit, is_pasted_tab(edit, key, more) ? ' ' : key);
	}
	*used = at;
	if (edit->line.text.failed) {
		edit->line.text.failed = false;
		edit->cut = true;
		buf_append_char(&edit->out, '\a');
	}
	if (edit->open)
		edit_show(edit);
	return event;
}
