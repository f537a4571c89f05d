/* SPDX-License-Identifier: MIT */
/* The line editor against a small terminal of its own: what is asserted is what a user would see. */
#include "base/scope.h"
#include "node/console/console_edit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 12, COLUMNS_MAX = 80, CELL_BYTES = 8 };

static struct history history;
static struct edit edit;
static char cells[ROWS][COLUMNS_MAX][CELL_BYTES];
static unsigned row, column, columns;

static void begin(void)
{
	history.fd = -1;
	columns = 40;
	edit_init(&edit, &history, columns);
}

static void end(void)
{
	edit_done(&edit);
	history_close(&history);
}

TestSuite(console, .init = begin, .fini = end, .timeout = 60);

/* ---- the terminal ---- */

static void erase_below(void)
{
	for (unsigned c = column; c < columns; c++)
		cells[row][c][0] = '\0';
	for (unsigned r = row + 1; r < ROWS; r++)
		memset(cells[r], 0, sizeof(cells[r]));
}

static size_t take_sequence(struct slice text)
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

static size_t put_char(struct slice text)
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

static void show_output(void)
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
static const char *screen(void)
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

static enum edit_event keys(const char *bytes)
{
	size_t used;
	enum edit_event event = edit_feed(&edit, slice_of(bytes), &used);

	show_output();
	return event;
}

static void prompt(void)
{
	edit_begin(&edit, SLICE("> "));
	show_output();
}

static const char *line(void)
{
	static char copy[256];

	snprintf(copy, sizeof(copy), "%.*s", SLICE_FMT(buf_slice(&edit.line.text)));
	return copy;
}

/* ---- editing ---- */

Test(console, typed_characters_go_where_the_cursor_is)
{
	prompt();
	keys("abd\033[Dc");
	cr_assert_str_eq(screen(), "> abc_d");
	keys("\001x\005y");
	cr_assert_str_eq(screen(), "> xabcdy_");
	cr_assert_eq(keys("\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "xabcdy");
	cr_assert_str_eq(screen(), "> xabcdy|_");
}

Test(console, whole_characters_are_moved_over_and_removed)
{
	prompt();
	keys("aö世b");
	keys("\033[D\033[D");
	cr_assert_str_eq(screen(), "> aö_世b");
	keys("\x7f");
	cr_assert_str_eq(screen(), "> a_世b");
	keys("\033[3~");
	cr_assert_str_eq(screen(), "> a_b");
	keys("\xc3"); /* half of a character */
	keys("\xb6");
	cr_assert_str_eq(screen(), "> aö_b");
	keys("\005\xc3");
	keys("\xa4");
	cr_assert_str_eq(screen(), "> aöbä_");
}

Test(console, what_is_typed_at_the_end_is_just_written)
{
	size_t used;

	prompt();
	keys("a");
	edit_feed(&edit, SLICE("bö"), &used);
	cr_assert(slice_is(buf_slice(&edit.out), "bö"), "%s", buf_string(&edit.out));
	show_output();
	keys("\033[D\033[Cc");
	cr_assert_str_eq(screen(), "> aböc_");
}

Test(console, words_are_moved_over_and_cut)
{
	prompt();
	keys("kv.put('größe', 1)");
	keys("\033b\033b\027");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\001\033d\031");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\005\025");
	cr_assert_str_eq(line(), "");
	keys("\031\013");
	cr_assert_str_eq(line(), "kv.größe', 1)");
	keys("\001\013");
	cr_assert_str_eq(line(), "");
	keys("ab\024");
	cr_assert_str_eq(line(), "ba");
}

Test(console, long_lines_go_on_in_the_next_rows)
{
	columns = 10;
	edit_resize(&edit, columns);
	prompt();
	keys("12345678");
	cr_assert_str_eq(screen(), "> 12345678|_");
	keys("9abc");
	cr_assert_str_eq(screen(), "> 12345678|9abc_");
	keys("\001");
	cr_assert_str_eq(screen(), "> _12345678|9abc");
	keys("\x7f\005\x7f\x7f\x7f\x7f\x7f");
	cr_assert_str_eq(screen(), "> 1234567_");
	keys("世界");
	cr_assert_str_eq(screen(), "> 1234567|世界_", "half a character does not stay at the edge");
}

Test(console, a_terminal_of_another_size_shows_the_line_anew)
{
	columns = 20;
	edit_resize(&edit, columns);
	prompt();
	keys("123456789012345");
	edit_resize(&edit, 10);
	/* the terminal has broken the row */
	memset(cells, 0, sizeof(cells));
	columns = 10;
	row = 1;
	column = 7;
	show_output();
	cr_assert_str_eq(screen(), "> 12345678|9012345_");
}

Test(console, control_characters_and_wrong_bytes_are_shown_as_such)
{
	prompt();
	keys("a");
	line_insert(&edit.line, SLICE("\x01\xff"));
	keys("b");
	cr_assert_str_eq(screen(), "> a^A?b_");
}

Test(console, other_output_goes_above_the_line)
{
	prompt();
	keys("half a li");
	edit_hide(&edit);
	buf_append_string(&edit.out, "a line of the log\r\n");
	edit_show(&edit);
	show_output();
	cr_assert_str_eq(screen(), "a line of the log|> half a li_");
	keys("ne");
	cr_assert_str_eq(screen(), "a line of the log|> half a line_");
}

Test(console, ctrl_c_drops_the_line_and_ctrl_d_leaves_from_an_empty_one)
{
	prompt();
	cr_assert_eq(keys("abc\003"), EDIT_CANCEL);
	cr_assert_str_eq(screen(), "> abc^C|_");
	prompt();
	cr_assert_eq(keys("a\001\004"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "");
	cr_assert_eq(keys("\004"), EDIT_END);
}

Test(console, bytes_behind_an_event_wait_for_the_next_line)
{
	size_t used;

	prompt();
	cr_assert_eq(edit_feed(&edit, SLICE("one\rtwo"), &used), EDIT_LINE);
	cr_assert_eq(used, 4);
}

Test(console, pasted_tabs_ask_nothing)
{
	prompt();
	cr_assert_eq(keys("\t"), EDIT_COMPLETE);
	cr_assert_eq(keys("\t\tx"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "  x");
	cr_assert_eq(keys("\t"), EDIT_COMPLETE);
	cr_assert_eq(keys("y\t\r"), EDIT_COMPLETE);
}

Test(console, unknown_sequences_do_nothing)
{
	prompt();
	cr_assert_eq(keys("a\033[15~\033[1;2Q\033Op\033\033[Zb"), EDIT_NOTHING);
	cr_assert_str_eq(line(), "ab");
}

/* ---- completion ---- */

Test(console, the_only_candidate_is_put_in)
{
	prompt();
	keys("x = kv.pu()\033[D\033[D");
	edit_candidates(&edit, 2, (const struct slice[]){ SLICE("put(") }, 1);
	show_output();
	cr_assert_str_eq(screen(), "> x = kv.put(_()");
}

Test(console, several_candidates_give_what_they_share_and_then_a_list)
{
	const struct slice words[] = { SLICE("delete("), SLICE("density("), SLICE("deny(") };

	prompt();
	keys("d");
	edit_candidates(&edit, 1, words, 3);
	show_output();
	cr_assert_str_eq(screen(), "> de_");
	edit_candidates(&edit, 2, words, 3);
	show_output();
	cr_assert_str_eq(screen(), "> de|delete(   density(  deny(|> de_");
	edit_candidates(&edit, 2, NULL, 0);
	edit_candidates(&edit, 99, words, 1);
	cr_assert_str_eq(line(), "de");
}

/* ---- history ---- */

Test(console, arrows_walk_through_what_was_typed_and_come_back)
{
	history_add(&history, SLICE("first"));
	history_add(&history, SLICE("second"));
	prompt();
	keys("new\033[A");
	cr_assert_str_eq(line(), "second");
	keys("\033[A\033[A\033[A");
	cr_assert_str_eq(line(), "first");
	keys("\033[B\033[B\033[B");
	cr_assert_str_eq(line(), "new");
}

Test(console, ctrl_r_searches_backwards)
{
	history_add(&history, SLICE("kv.put('a', 'b', 1)"));
	history_add(&history, SLICE("node.name()"));
	history_add(&history, SLICE("kv.put('a', 'c', 2)"));
	prompt();
	keys("\022put");
	cr_assert_str_eq(line(), "kv.put('a', 'c', 2)");
	cr_assert_eq(strncmp(screen(), "(search 'put') kv.put(", 22), 0, "%s", screen());
	keys("\022");
	cr_assert_str_eq(line(), "kv.put('a', 'b', 1)");
	keys("\007");
	cr_assert_str_eq(line(), "");
	keys("\022name");
	cr_assert_eq(keys("\r"), EDIT_LINE);
	cr_assert_str_eq(line(), "node.name()");
}

Test(console, the_history_is_a_private_file_that_consoles_share)
{
	char path[] = "/tmp/kvrel-history-XXXXXX";
	struct history one = { 0 }, other = { 0 };
	struct stat st;

	close(mkstemp(path));
	unlink(path);
	history_open_file(&one, path);
	history_open_file(&other, path);
	history_add(&one, SLICE("a"));
	history_add(&other, SLICE("b"));
	history_add(&one, SLICE("a"));
	history_add(&one, SLICE(" secret"));
	history_add(&one, SLICE(""));
	history_close(&one);
	history_close(&other);
	history_open_file(&one, path);
	cr_assert_eq(one.count, 2);
	cr_assert_str_eq(one.lines[0], "a");
	cr_assert_str_eq(one.lines[1], "b");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	history_close(&one);
	unlink(path);
}

Test(console, a_long_history_file_is_cut_to_its_newest_lines)
{
	char path[] = "/tmp/kvrel-history-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct history one = { 0 };

	for (int i = 0; i < 2 * HISTORY_LINES + 1; i++)
		fprintf(file, "line %d\n", i);
	fclose(file);
	history_open_file(&one, path);
	cr_assert_eq(one.count, HISTORY_LINES);
	cr_assert_str_eq(one.lines[HISTORY_LINES - 1], "line 2000");
	history_close(&one);
	history_open_file(&one, path);
	cr_assert_eq(one.count, HISTORY_LINES);
	cr_assert_str_eq(one.lines[0], "line 1001");
	history_close(&one);
	unlink(path);
}
