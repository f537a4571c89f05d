/* SPDX-License-Identifier: MIT */
/* The line editor against a small terminal of its own: what is asserted is what a user would see. Suites have `begin`
 * and `end` as .init and .fini. */
#ifndef TEST_NODE_SCREEN_H
#define TEST_NODE_SCREEN_H

#include "base/scope.h"
#include "node/console/console_edit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 12, COLUMNS_MAX = 80, CELL_BYTES = 8 };

static struct history history;
static struct edit edit;
static char cells[ROWS][COLUMNS_MAX][CELL_BYTES];
static unsigned row, column, columns;

static inline void begin(void)
{
	history.fd = -1;
	columns = 40;
	edit_init(&edit, &history, columns);
}

static inline void end(void)
{
	edit_done(&edit);
	history_close(&history);
}

/* ---- the terminal ---- */

static inline void erase_below(void)
{
	for (unsigned c = column; c < columns; c++)
		cells[row][c][0] = '\0';
	for (unsigned r = row + 1; r < ROWS; r++)
		memset(cells[r], 0, sizeof(cells[r]));
}

static inline size_t take_sequence(struct slice text)
{
	int count = 1, size = 0;

	if (sscanf(text.data, "\033[%d%n", &count, &size) < 1 || size == 0) {
		count = 1;
		size = 2;
	}
	switch (text.data[size]) {
	case 'A':
		row = row >= (unsigned)count ? row - (unsigned)count : 0;
		break;
	case 'C':
		column += (unsigned)count;
		break;
	case 'H':
		row = column = 0;
		break;
	case 'J':
		if (count == 2)
			memset(cells, 0, sizeof(cells));
		else
			erase_below();
		break;
	default:
		cr_assert_fail("an unknown sequence: %c", text.data[size]);
	}
	return (size_t)size + 1;
}

static inline size_t put_char(struct slice text)
{
	size_t length;
	unsigned width = text_char_width(text, &length);

	if (column + width > columns) {
		row++;
		column = 0;
	}
	cr_assert_lt(row, ROWS);
	if (width == 0) {
		if (column > 0)
			strncat(cells[row][column - 1], text.data, length);
		return length;
	}
	snprintf(cells[row][column], CELL_BYTES, "%.*s", (int)length, text.data);
	for (unsigned i = 1; i < width; i++)
		snprintf(cells[row][column + i], CELL_BYTES, "%s", "\1"); /* the right half */
	column += width;
	return length;
}

static inline void show_output(void)
{
	struct slice text = buf_slice(&edit.out);

	while (text.size > 0) {
		size_t size = 1;

		if (text.data[0] == '\r')
			column = 0;
		else if (text.data[0] == '\n')
			row++;
		else if (text.data[0] == '\033')
			size = take_sequence(text);
		else if (text.data[0] != '\a')
			size = put_char(text);
		text = (struct slice){ text.data + size, text.size - size };
	}
	buf_clear(&edit.out);
}

/* The rows, without blanks at their ends, joined by '|'; the cursor is '_' in front of the cell it is on. */
static inline const char *screen(void)
{
	static struct buf text;
	size_t kept = 0;

	buf_clear(&text);
	for (unsigned r = 0; r < ROWS; r++) {
		for (unsigned c = 0; c <= columns; c++) {
			if (r == row && c == column) {
				buf_append_char(&text, '_');
				kept = text.size;
			}
			if (c == columns || cells[r][c][0] == '\1')
				continue;
			buf_append_string(&text, cells[r][c][0] ? cells[r][c] : " ");
			if (cells[r][c][0] && cells[r][c][0] != ' ')
				kept = text.size;
		}
		text.size = kept;
		buf_append_char(&text, '|');
		kept = r < row ? text.size : kept;
	}
	text.size = kept;
	return buf_string(&text);
}

static inline enum edit_event keys(const char *bytes)
{
	size_t used;
	enum edit_event event = edit_feed(&edit, slice_of(bytes), &used);

	show_output();
	return event;
}

static inline void prompt(void)
{
	edit_begin(&edit, SLICE("> "));
	show_output();
}

static inline const char *line(void)
{
	static char copy[256];

	snprintf(copy, sizeof(copy), "%.*s", SLICE_FMT(buf_slice(&edit.line.text)));
	return copy;
}

#endif
